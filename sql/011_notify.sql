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

DO $migration$
DECLARE
  phones record;
  named record;
BEGIN
  FOR phones IN
    SELECT * FROM (VALUES
      ('zvonok.crm_user_phones', 'user_phones'), ('zvonok.crm_dealer_phones', 'dealer_phone_numbers')
    ) v(crm_view, crm_table)
    WHERE zvonok.reads(v.crm_view, 'public.' || v.crm_table, 'phone_number')
  LOOP
    EXECUTE format('CREATE TRIGGER zvonok_inserted AFTER INSERT ON public.%I REFERENCING NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION zvonok.numbers_changed()', phones.crm_table);
    EXECUTE format('CREATE TRIGGER zvonok_deleted AFTER DELETE ON public.%I REFERENCING OLD TABLE AS old_rows
      FOR EACH STATEMENT EXECUTE FUNCTION zvonok.numbers_changed()', phones.crm_table);
    EXECUTE format('CREATE TRIGGER zvonok_updated AFTER UPDATE ON public.%I
      REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION zvonok.numbers_changed()', phones.crm_table);
    EXECUTE format('CREATE TRIGGER zvonok_truncated AFTER TRUNCATE ON public.%I
      FOR EACH STATEMENT EXECUTE FUNCTION zvonok.numbers_changed()', phones.crm_table);
  END LOOP;

  -- Names change rarely; a user's row is written often (last login, say), so only a changed name counts.
  FOR named IN
    SELECT * FROM (VALUES
      ('zvonok.crm_user_phones', 'users', 'name'), ('zvonok.crm_dealer_phones', 'dealers', 'name'),
      ('zvonok.crm_dealer_phones', 'dealers', 'company_id'), ('zvonok.crm_dealer_phones', 'companies', 'name')
    ) v(crm_view, crm_table, crm_column)
    WHERE zvonok.reads(v.crm_view, 'public.' || v.crm_table, v.crm_column)
  LOOP
    EXECUTE format('CREATE TRIGGER %I AFTER UPDATE OF %I ON public.%I FOR EACH ROW
      WHEN (OLD.%2$I::text IS DISTINCT FROM NEW.%2$I::text) EXECUTE FUNCTION zvonok.everything_changed()',
      'zvonok_' || named.crm_column, named.crm_column, named.crm_table);
    IF named.crm_column = 'name' THEN
      EXECUTE format('CREATE TRIGGER zvonok_deleted AFTER DELETE ON public.%I
        FOR EACH STATEMENT EXECUTE FUNCTION zvonok.everything_changed()', named.crm_table);
    END IF;
  END LOOP;
END
$migration$;
