-- Phone numbers: what makes two spellings the same number.

-- The key under which two spellings of a number are the same; NULL where there is none (empty, anonymous, zeros only).
-- Country code 7, trunk prefix 8, international prefixes 810 and 00, national numbers of 10 digits, internal numbers
-- of up to 6. It runs inside the CRM's own writes through the indexes on it, so it never raises, and it calls nothing
-- outside pg_catalog, so a role without USAGE on this schema can still write. Changing it means a new migration that
-- also rebuilds both indexes.
CREATE FUNCTION zvonok.phone_key(number text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $function$
DECLARE
  -- Collation "C": the key must not change with the database's locale or the C library's version.
  plain text COLLATE "C" := number;
  digits text COLLATE "C";
BEGIN
  IF plain !~ '^[0-9]{1,32}$' THEN
    IF length(plain) > 300 THEN
      RETURN NULL;  -- no number; and an index row must stay small
    END IF;
    -- "Name" <number>, then sip:number@host;parameters
    plain := coalesce(substring(plain FROM '<([^<>]*)>'), plain);
    plain := lower(btrim(plain, E' \t\r\n\u00a0\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff'));
    plain := regexp_replace(plain, '^(sips?|tel|callto):(//)?', '');
    plain := replace(split_part(split_part(plain, '@', 1), ';', 1), '%2b', '+');
    IF plain IN ('anonymous', 'unknown', 'restricted', 'private', 'unavailable', 'withheld') THEN
      RETURN NULL;
    END IF;
    -- Full-width digits become digits; what people and address books put between digits goes: blanks, brackets,
    -- dots, tildes, hyphens and dashes of all kinds, and invisible marks.
    digits := translate(
      plain,
      E'\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff0b'
      ' \t\r\n().~-\u00a0\u00ad\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d'
      '\u200e\u200f\u2010\u2011\u2012\u2013\u2014\u2015\u202a\u202b\u202c\u202d\u202e\u202f\u205f\u2060\u2066\u2067'
      '\u2068\u2069\u2212\u3000\ufeff',
      '0123456789+'
    );
    -- An extension behind a full number: доб. 101, вн. 101, ext 101, x101, #101, or after a dialling pause.
    digits := regexp_replace(
      digits, '^(\+?[0-9]{7,})([Дд][Оо][Бб]|[Вв][Нн]|extension|ext|x|[Хх]|#|,+):?[0-9]{1,6}$', '\1'
    );
    IF digits !~ '^\+?[0-9]*$' THEN
      RETURN CASE WHEN length(plain) BETWEEN 1 AND 64 THEN plain END;  -- letters, *, #: the text itself
    END IF;
  ELSE
    digits := plain;
  END IF;

  IF digits ~ '^\+?0*$' OR length(digits) > 33 THEN
    RETURN NULL;
  END IF;
  IF left(digits, 1) = '+' THEN
    plain := substr(digits, 2);
    RETURN CASE
      WHEN length(plain) <= 6 THEN digits  -- not E.164, and never an internal number
      WHEN plain ~ '^89[0-9]{9}$' THEN '7' || right(plain, 10)  -- +8 927 ...: no such country code; 8 was meant
      ELSE plain
    END;
  END IF;
  IF length(digits) <= 6 THEN
    RETURN digits;
  END IF;
  IF digits ~ '^810[0-9]{8}' THEN
    RETURN substr(digits, 4);
  END IF;
  IF digits ~ '^00[0-9]{8}' THEN
    RETURN substr(digits, 3);
  END IF;
  RETURN CASE
    WHEN digits ~ '^[78][0-9]{10}$' THEN '7' || right(digits, 10)
    WHEN digits ~ '^[3-9][0-9]{9}$' THEN '7' || digits
    ELSE digits
  END;
END
$function$;

-- A number as people should see it: E.164 with + where the spelling tells that it is one, else its key.
CREATE FUNCTION zvonok.phone_number(number text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $function$
DECLARE
  key text COLLATE "C" := zvonok.phone_key(number);
BEGIN
  RETURN CASE
    WHEN key ~ '^7[3-9][0-9]{9}$' THEN '+' || key
    WHEN key ~ '^[1-9][0-9]{6,14}$'
      AND regexp_replace(replace(number, '%2B', '+'), '[^0-9+\uff0b\uff10-\uff19]', '', 'g')
          ~ ('(^|[^0-9])(\+|\uff0b|00|810)' || key) THEN '+' || key
    ELSE key
  END;
END
$function$;
