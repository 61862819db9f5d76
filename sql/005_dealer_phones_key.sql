-- The index that finds dealers by number.
-- zvonok: concurrently
-- zvonok: when zvonok.reads('public.dealer_phone_numbers')
CREATE INDEX CONCURRENTLY IF NOT EXISTS zvonok_dealer_phone_numbers_key
  ON public.dealer_phone_numbers (zvonok.phone_key(phone_number::text));
