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
  SELECT one.*, count(*) OVER () AS matches INTO who
  FROM (
    SELECT 1 AS rank, 'user' AS kind, u.user_id AS id, u.name, NULL::text AS company
    FROM zvonok.crm_users_by_key(caller_key) u
    UNION ALL
    SELECT 2, 'dealer', d.dealer_id, d.name, d.company
    FROM zvonok.crm_dealers_by_key(caller_key) d
  ) one
  ORDER BY one.rank, one.id
  LIMIT 1;

  SELECT json_agg(json_build_object(
           'user_id', owner.user_id, 'name', owner.name, 'number', zvonok.phone_number(identify.called),
           'label', owner.phone_type) ORDER BY owner.user_id)
  INTO owners
  FROM zvonok.crm_users_by_key(called_key) owner;

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
        FROM zvonok.crm_user_numbers(person.user_id) own
      ), '[]'::json)
    )
    FROM zvonok.crm_user_name(person.user_id) u
  );
END
$function$;

REVOKE ALL ON FUNCTION zvonok.identify(text, text), zvonok.person(bigint) FROM PUBLIC;
