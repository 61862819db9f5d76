-- Changes in the CRM tell the caches at once (NOTIFY zvonok_numbers: a number's key, or * for everything).

-- Both run inside the CRM's own writes: they never raise, and need nothing of the writing role.
CREATE FUNCTION zvonok.numbers_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
  keys text[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    keys := ARRAY(SELECT r.phone_number::text FROM new_rows r LIMIT 101);
  ELSIF TG_OP = 'DELETE' THEN
    keys := ARRAY(SELECT r.phone_number::text FROM old_rows r LIMIT 101);
  ELSIF TG_OP = 'UPDATE' THEN
    keys := ARRAY(SELECT r.phone_number::text FROM old_rows r LIMIT 51)
         || ARRAY(SELECT r.phone_number::text FROM new_rows r LIMIT 51);
  END IF;
  IF TG_OP = 'TRUNCATE' OR cardinality(keys) > 100 THEN
    PERFORM pg_notify('zvonok_numbers', '*');
  ELSE
    PERFORM pg_notify('zvonok_numbers', key)
    FROM (SELECT DISTINCT zvonok.phone_key(number) AS key FROM unnest(keys) number) changed
    WHERE key IS NOT NULL;
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;  -- the caches' TTL remains; the CRM's write matters more
END
$function$;

CREATE FUNCTION zvonok.everything_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
  PERFORM pg_notify('zvonok_numbers', '*');  -- once a transaction: PostgreSQL drops repetitions
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END
$function$;

-- For a row of users, dealers or companies: they are written often (last login, say), so only a name counts, or a
-- dealer's company. Neither WHEN nor UPDATE OF: either would stop the CRM's own ALTER TABLE on those columns.
CREATE FUNCTION zvonok.name_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
  IF OLD.name::text IS DISTINCT FROM NEW.name::text THEN
    PERFORM pg_notify('zvonok_numbers', '*');
  ELSIF TG_TABLE_NAME = 'dealers' THEN
    IF OLD.company_id IS DISTINCT FROM NEW.company_id THEN
      PERFORM pg_notify('zvonok_numbers', '*');
    END IF;
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END
$function$;

DO $migration$
DECLARE
  crm_table text;
BEGIN
  FOREACH crm_table IN ARRAY ARRAY['user_phones', 'dealer_phone_numbers'] LOOP
    CONTINUE WHEN NOT zvonok.reads('public.' || crm_table);
    EXECUTE format('CREATE TRIGGER zvonok_inserted AFTER INSERT ON public.%I REFERENCING NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION zvonok.numbers_changed()', crm_table);
    EXECUTE format('CREATE TRIGGER zvonok_deleted AFTER DELETE ON public.%I REFERENCING OLD TABLE AS old_rows
      FOR EACH STATEMENT EXECUTE FUNCTION zvonok.numbers_changed()', crm_table);
    EXECUTE format('CREATE TRIGGER zvonok_updated AFTER UPDATE ON public.%I
      REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION zvonok.numbers_changed()', crm_table);
    EXECUTE format('CREATE TRIGGER zvonok_truncated AFTER TRUNCATE ON public.%I
      FOR EACH STATEMENT EXECUTE FUNCTION zvonok.numbers_changed()', crm_table);
  END LOOP;

  FOREACH crm_table IN ARRAY ARRAY['users', 'dealers', 'companies'] LOOP
    CONTINUE WHEN NOT zvonok.reads('public.' || crm_table);
    EXECUTE format('CREATE TRIGGER zvonok_updated AFTER UPDATE ON public.%I
      FOR EACH ROW EXECUTE FUNCTION zvonok.name_changed()', crm_table);
    EXECUTE format('CREATE TRIGGER zvonok_deleted AFTER DELETE ON public.%I
      FOR EACH STATEMENT EXECUTE FUNCTION zvonok.everything_changed()', crm_table);
  END LOOP;
END
$migration$;
