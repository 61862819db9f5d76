-- Saving calls and reading a user's own.

-- The table is named in dynamic statements: nothing here depends on a column of the CRM's, so nothing here stops an
-- ALTER TABLE of the CRM's.

-- Save one call as zvonok/call.py defines it. True if it was new or newer than the row (by `rev`); a test call is
-- never saved. It raises what the table refuses.
CREATE FUNCTION zvonok.save_call(call jsonb) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
  epoch constant timestamptz := timestamptz '1970-01-01 00:00:00+00';
  written bigint;
BEGIN
  IF (call ->> 'test')::boolean THEN
    RETURN false;
  END IF;
  EXECUTE format($statement$
    INSERT INTO %1$s AS known (
      call_id, rev, first_linkedid, pbx, user_id, line_number, line_label, queue,
      caller_number, caller_name, caller_kind, caller_id, company,
      state, reason, cause, answered_by, ring_started_at, answered_at, ended_at
    ) VALUES (
      $1 ->> 'call_id', ($1 ->> 'rev')::bigint, $1 ->> 'first_linkedid', $1 ->> 'pbx',
      ($1 ->> 'user_id')::bigint, $1 #>> '{line,number}', $1 #>> '{line,label}', $1 #>> '{line,queue}',
      $1 #>> '{caller,number}', coalesce($1 #>> '{caller,name}', $1 #>> '{caller,display}'),
      coalesce($1 #>> '{caller,kind}', 'unknown'), ($1 #>> '{caller,id}')::bigint, $1 #>> '{caller,company}',
      $1 ->> 'state', $1 #>> '{end,reason}', ($1 #>> '{end,cause}')::integer,
      ($1 #>> '{end,answered_by,user_id}')::bigint,
      $2 + ($1 ->> 'ring_started_at')::bigint * interval '1 millisecond',
      $2 + ($1 ->> 'answered_at')::bigint * interval '1 millisecond',
      $2 + ($1 ->> 'ended_at')::bigint * interval '1 millisecond'
    )
    ON CONFLICT (call_id) DO UPDATE SET
      rev = excluded.rev, first_linkedid = excluded.first_linkedid, pbx = excluded.pbx, user_id = excluded.user_id,
      line_number = excluded.line_number, line_label = excluded.line_label, queue = excluded.queue,
      caller_number = excluded.caller_number, caller_name = excluded.caller_name, caller_kind = excluded.caller_kind,
      caller_id = excluded.caller_id, company = excluded.company, state = excluded.state, reason = excluded.reason,
      cause = excluded.cause, answered_by = excluded.answered_by, ring_started_at = excluded.ring_started_at,
      answered_at = excluded.answered_at, ended_at = excluded.ended_at
    WHERE known.rev IS NULL OR known.rev < excluded.rev
  $statement$, zvonok.call_table()) USING call, epoch;
  GET DIAGNOSTICS written = ROW_COUNT;
  RETURN written > 0;
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
  RETURN QUERY EXECUTE format($statement$
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
          json_build_object('user_id', h.answered_by::bigint, 'name', (SELECT c.name FROM zvonok.crm_user_name(h.answered_by::bigint) c)) END) END
    )
    FROM %1$s h
    WHERE h.user_id = $1
      AND h.call_id IS NOT NULL AND h.rev IS NOT NULL  -- the CRM's own rows in the same table are not ours to show
      AND ($2 IS NULL OR h.ring_started_at <= $2)
      AND ($2 IS NULL OR h.ring_started_at < $2 OR h.call_id < $3)
      AND ($4 IS NULL OR h.ring_started_at >= $4)
      AND ($5 IS NULL OR h.reason = $5)
      AND ($6 IS NULL OR zvonok.phone_key(h.caller_number) = $7)
    ORDER BY h.ring_started_at DESC, h.call_id DESC
    LIMIT least(greatest($8, 1), 500)
  $statement$, zvonok.call_table())
  USING history.user_id, upper_end, before_call_id, lower_end, reason, number, number_key, max_rows;
END
$function$;

REVOKE ALL ON FUNCTION
  zvonok.save_call(jsonb), zvonok.save_calls(jsonb),
  zvonok.history(bigint, bigint, integer, text, bigint, text, text)
FROM PUBLIC;
