-- The index that serves a user's own history.
-- zvonok: concurrently
-- zvonok: when zvonok.call_table() = to_regclass('public.calls')
CREATE INDEX CONCURRENTLY IF NOT EXISTS zvonok_calls_history
  ON public.calls (user_id, ring_started_at);
