-- The unique index that makes saving a call idempotent.
-- zvonok: concurrently
-- zvonok: when zvonok.call_table() = to_regclass('public.calls')
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS zvonok_calls_call_id
  ON public.calls (call_id);
