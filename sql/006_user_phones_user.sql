-- The index that finds a user's own numbers.
-- zvonok: concurrently
-- zvonok: when zvonok.reads('public.user_phones')
CREATE INDEX CONCURRENTLY IF NOT EXISTS zvonok_user_phones_user
  ON public.user_phones (user_id);
