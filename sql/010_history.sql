-- Saving calls and reading a user's own.

-- Save one call as zvonok/call.py defines it. True if it was new or newer than the row (by `rev`); a test call is
-- never saved. It raises what the table refuses.
CREATE FUNCTION zvonok.save_call(call jsonb) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
  epoch constant timestamptz := timestamptz '1970-01-01 00:00:00+00';
  millisecond constant interval := interval '1 millisecond';
BEGIN
  IF (call ->> 'test')::boolean THEN
    RETURN false;
  END IF;
  INSERT INTO zvonok.call_log AS known (
    call_id, rev, first_linkedid, pbx, user_id, line_number, line_label, queue,
    caller_number, caller_name, caller_kind, caller_id, company,
    state, reason, cause, answered_by, ring_started_at, answered_at, ended_at
  ) VALUES (
    call ->> 'call_id', (call ->> 'rev')::bigint, call ->> 'first_linkedid', call ->> 'pbx',
    (call ->> 'user_id')::bigint, call #>> '{line,number}', call #>> '{line,label}', call #>> '{line,queue}',
    call #>> '{caller,number}', coalesce(call #>> '{caller,name}', call #>> '{caller,display}'),
    coalesce(call #>> '{caller,kind}', 'unknown'), (call #>> '{caller,id}')::bigint, call #>> '{caller,company}',
    call ->> 'state', call #>> '{end,reason}', (call #>> '{end,cause}')::integer,
    (call #>> '{end,answered_by,user_id}')::bigint,
    epoch + (call ->> 'ring_started_at')::bigint * millisecond,
    epoch + (call ->> 'answered_at')::bigint * millisecond,
    epoch + (call ->> 'ended_at')::bigint * millisecond
  )
  ON CONFLICT (call_id) DO UPDATE SET
    rev = excluded.rev, first_linkedid = excluded.first_linkedid, pbx = excluded.pbx, user_id = excluded.user_id,
    line_number = excluded.line_number, line_label = excluded.line_label, queue = excluded.queue,
    caller_number = excluded.caller_number, caller_name = excluded.caller_name, caller_kind = excluded.caller_kind,
    caller_id = excluded.caller_id, company = excluded.company, state = excluded.state, reason = excluded.reason,
    cause = excluded.cause, answered_by = excluded.answered_by, ring_started_at = excluded.ring_started_at,
    answered_at = excluded.answered_at, ended_at = excluded.ended_at
  WHERE known.rev IS NULL OR known.rev < excluded.rev;
  RETURN found;
END
$function$;

-- Save an array of calls, each for itself. Returns those that the table refused, [{"index", "error"}]; what is wrong
-- with the database rather than with a call (locks, disk, rights, missing columns) is raised, and nothing is saved.
CREATE FUNCTION zvonok.save_calls(calls jsonb) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
  refused jsonb := '[]';
BEGIN
  FOR place IN 0 .. jsonb_array_length(calls) - 1 LOOP
    BEGIN
      PERFORM zvonok.save_call(calls -> place);
    EXCEPTION
      WHEN data_exception OR integrity_constraint_violation OR with_check_option_violation OR raise_exception THEN
        refused := refused || jsonb_build_object('index', place, 'error', SQLERRM);
    END;
  END LOOP;
  RETURN refused;
END
$function$;

-- A user's own calls, newest first, each in the shape of zvonok/call.py. Times are milliseconds. For the next page
-- pass the last row's ring_started_at and call_id as `before` and `before_call_id`.
CREATE FUNCTION zvonok.history(
  user_id bigint, before bigint DEFAULT NULL, max_rows integer DEFAULT 50, number text DEFAULT NULL,
  since bigint DEFAULT NULL, reason text DEFAULT NULL, before_call_id text DEFAULT NULL
) RETURNS SETOF json
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
  epoch constant timestamptz := timestamptz '1970-01-01 00:00:00+00';
  millisecond constant interval := interval '1 millisecond';
  upper_end timestamptz := epoch + before * millisecond;
  lower_end timestamptz := epoch + since * millisecond;
  number_key text := zvonok.phone_key(history.number);
BEGIN
  RETURN QUERY
  SELECT json_build_object(
    'call_id', h.call_id, 'rev', h.rev::bigint, 'first_linkedid', h.first_linkedid, 'pbx', h.pbx,
    'user_id', h.user_id::bigint, 'direction', 'in', 'state', h.state,
    'caller', json_build_object(
      'number', h.caller_number, 'name', h.caller_name, 'kind', h.caller_kind, 'id', h.caller_id::bigint,
      'company', h.company, 'restricted', h.caller_number IS NULL),
    'line', json_build_object('number', h.line_number, 'label', h.line_label, 'queue', h.queue),
    'ring_started_at', round(extract(epoch FROM h.ring_started_at) * 1000)::bigint,
    'answered_at', round(extract(epoch FROM h.answered_at) * 1000)::bigint,
    'ended_at', round(extract(epoch FROM h.ended_at) * 1000)::bigint,
    'end', CASE WHEN h.reason IS NOT NULL THEN json_build_object(
      'reason', h.reason, 'cause', h.cause::integer,
      'answered_by', CASE WHEN h.reason = 'answered_elsewhere' OR h.answered_by IS NOT NULL THEN
        json_build_object('user_id', h.answered_by::bigint, 'name', colleague.name) END) END
  )
  FROM zvonok.call_log h
  LEFT JOIN zvonok.crm_users colleague ON colleague.id = h.answered_by
  WHERE h.user_id = history.user_id
    AND h.call_id IS NOT NULL AND h.rev IS NOT NULL  -- the CRM's own rows in the same table are not ours to show
    AND (upper_end IS NULL OR h.ring_started_at <= upper_end)
    AND (upper_end IS NULL OR h.ring_started_at < upper_end OR h.call_id < history.before_call_id)
    AND (lower_end IS NULL OR h.ring_started_at >= lower_end)
    AND (history.reason IS NULL OR h.reason = history.reason)
    AND (history.number IS NULL OR zvonok.phone_key(h.caller_number) = number_key)
  ORDER BY h.ring_started_at DESC, h.call_id DESC
  LIMIT least(greatest(max_rows, 1), 500);
END
$function$;

REVOKE ALL ON FUNCTION
  zvonok.save_call(jsonb), zvonok.save_calls(jsonb),
  zvonok.history(bigint, bigint, integer, text, bigint, text, text)
FROM PUBLIC;
