-- The index that finds users by number.
-- zvonok: concurrently
-- zvonok: when zvonok.reads('public.user_phones')
CREATE INDEX CONCURRENTLY IF NOT EXISTS zvonok_user_phones_key
  ON public.user_phones (zvonok.phone_key(phone_number::text));
