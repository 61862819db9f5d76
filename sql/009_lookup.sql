-- Who calls and whose phone rings, and what a user's own numbers are.

-- These functions run with the rights of the role that migrated (SECURITY DEFINER), so the services' role needs no
-- right on any table of the CRM: `zvonok migrate --grant ROLE` gives it these functions only.

-- Both lookups of a call in one round trip, as JSON:
--   {"caller": {"key", "number", "kind": "user"|"dealer"|"unknown", "id", "name", "company", "matches"},
--    "called": {"key", "number"},
--    "owners": [{"user_id", "name", "number", "label"}]}
-- Users come before dealers; among several of a kind the lowest id is shown, and `matches` counts the users and dealers
-- that have the number (up to 100 of each). `owners`: up to 100 users who have the called number.
CREATE FUNCTION zvonok.identify(caller text, called text) RETURNS json
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
  caller_key text := zvonok.phone_key(identify.caller);
  called_key text := zvonok.phone_key(identify.called);
  who record;
  owners json;
BEGIN
  SELECT person.kind, person.id, person.name, person.company, person.matches INTO who
  FROM (
    SELECT one.*, count(*) OVER () AS matches
    FROM (
      (SELECT DISTINCT ON (p.user_id) 1 AS rank, 'user' AS kind, p.user_id::bigint AS id, p.user_name AS name,
              NULL::text AS company
       FROM zvonok.crm_user_phones p WHERE zvonok.phone_key(p.phone_number) = caller_key
       ORDER BY p.user_id LIMIT 100)
      UNION ALL
      (SELECT DISTINCT ON (d.dealer_id) 2, 'dealer', d.dealer_id::bigint, d.dealer_name, d.company
       FROM zvonok.crm_dealer_phones d WHERE zvonok.phone_key(d.phone_number) = caller_key
       ORDER BY d.dealer_id LIMIT 100)
    ) one
  ) person
  ORDER BY person.rank, person.id
  LIMIT 1;

  SELECT json_agg(json_build_object(
           'user_id', owner.user_id::bigint, 'name', owner.user_name,
           'number', zvonok.phone_number(identify.called), 'label', owner.phone_type) ORDER BY owner.user_id)
  INTO owners
  FROM (
    SELECT DISTINCT ON (p.user_id) p.user_id, p.user_name, p.phone_type
    FROM zvonok.crm_user_phones p WHERE zvonok.phone_key(p.phone_number) = called_key
    ORDER BY p.user_id, p.phone_type LIMIT 100
  ) owner;

  RETURN json_build_object(
    'caller', json_build_object(
      'key', caller_key, 'number', zvonok.phone_number(identify.caller), 'kind', coalesce(who.kind, 'unknown'),
      'id', who.id, 'name', who.name, 'company', who.company, 'matches', coalesce(who.matches, 0)),
    'called', json_build_object('key', called_key, 'number', zvonok.phone_number(identify.called)),
    'owners', coalesce(owners, '[]'::json)
  );
END
$function$;

-- A user and his numbers, {"user_id", "name", "numbers": [{"number", "label"}]}, up to 100; NULL if there is no such
-- user.
CREATE FUNCTION zvonok.person(user_id bigint) RETURNS json
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
  RETURN (
    SELECT json_build_object(
      'user_id', person.user_id, 'name', u.name,
      'numbers', coalesce((
        SELECT json_agg(json_build_object(
          'number', coalesce(zvonok.phone_number(own.phone_number), own.phone_number), 'label', own.phone_type
        ) ORDER BY own.phone_type, own.phone_number)
        FROM (
          SELECT DISTINCT p.phone_number, p.phone_type FROM zvonok.crm_user_phones p
          WHERE p.user_id = person.user_id
          ORDER BY p.phone_type, p.phone_number LIMIT 100
        ) own
      ), '[]'::json)
    )
    FROM zvonok.crm_users u
    WHERE u.id = person.user_id
    LIMIT 1
  );
END
$function$;

REVOKE ALL ON FUNCTION zvonok.identify(text, text), zvonok.person(bigint) FROM PUBLIC;
