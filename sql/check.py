"""`zvonok check`: the CRM's database: reachable, migrated, fast, and are there numbers in it that can never match?"""

import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

import psycopg
from psycopg import errors

from sql.runner import MigrationError, NewerDatabaseError, read_migrations, standing
from zvonok.check import Finding, Level
from zvonok.database import WARM_UP, connect_options, explain
from zvonok.service import mask_number
from zvonok.settings import Settings

PART: Final = "database"
SLOW_LOOKUP_MS: Final = 50.0
LOOKUP_BUDGET_MS: Final = 200.0
CLOCK_WARNING_S: Final = 2.0
ROWS_AT_MOST: Final = 200_000
EXAMPLES: Final = 3
# Without these two a lookup reads a whole table.
LOOKUP_INDEXES: Final = ("zvonok_user_phones_key", "zvonok_dealer_phone_numbers_key")

_TIMEOUT_MS: Final = 20_000

# Why a stored number will never be found, or hardly ever, in the order in which they are told.
REASONS: Final[dict[str, str]] = {
    "nothing": "hold no number at all",
    "two": "hold two numbers in one field; give each its own row",
    "letters": "hold letters; only a SIP name spelled exactly so would match",
    "short": "have one or two digits",
    "local": "have no area code; they match only if the trunk delivers them so",
    "long": "have more than 15 digits",
}

# Per reason (null: nothing wrong) how many rows, and the first few. {source} is a table of numbers.
_JUDGE: Final[LiteralString] = """
WITH numbers AS (
  SELECT owner_id, phone_number AS raw, zvonok.phone_key(phone_number) AS key,
         length(regexp_replace(phone_number, '[^0-9]', '', 'g')) AS digits
  FROM (SELECT {owner}::bigint AS owner_id, phone_number::text AS phone_number FROM {source} LIMIT %(rows)s) first_rows
), judged AS (
  SELECT owner_id, raw, CASE
    WHEN key IS NULL THEN 'nothing'
    WHEN digits >= 20 OR (digits >= 14 AND raw ~ '[,;/|\\n]|\\mи\\M' AND key ~ '[^0-9]|^.{16}') THEN 'two'
    WHEN key ~ '[^0-9+*#]' THEN 'letters'
    WHEN key ~ '^[0-9]{1,2}$' THEN 'short'
    WHEN key ~ '^[0-9]{7,9}$' AND raw !~ '^\\s*\\+' THEN 'local'
    WHEN key ~ '^.{16}' THEN 'long'
  END AS reason FROM numbers
)
SELECT reason, count(*), (array_agg(owner_id ORDER BY owner_id))[1:%(examples)s],
       (array_agg(raw ORDER BY owner_id))[1:%(examples)s]
FROM judged GROUP BY reason"""

_SUSPECTS: Final[dict[str, LiteralString]] = {
    "user": _JUDGE.replace("{owner}", "user_id").replace("{source}", "public.user_phones"),
    "dealer": _JUDGE.replace("{owner}", "dealer_id").replace("{source}", "public.dealer_phone_numbers"),
}
_READS: Final[dict[str, LiteralString]] = {
    "user": "SELECT zvonok.reads('public.user_phones')",
    "dealer": "SELECT zvonok.reads('public.dealer_phone_numbers')",
}


def findings(settings: Settings) -> Iterator[Finding]:
    """What the services find in the database, with the same role."""
    if not settings.database_url:
        todo = "set it to the CRM's database, such as postgresql://zvonok:PASSWORD@127.0.0.1/crm"
        yield _finding("connection", Level.FAILED, "ZVONOK_DATABASE_URL is not set", todo)
        return
    try:
        options = connect_options(settings.database_url, name="check", statement_timeout_ms=_TIMEOUT_MS)
        connection: psycopg.Connection[Any] = psycopg.connect(settings.database_url, **options)
    except psycopg.Error as exc:
        yield _finding("connection", Level.FAILED, explain(exc), "calls go on without names meanwhile")
        return
    with connection:
        try:
            yield from _login(connection)
            yield from _migrations(connection)
            if _row(connection, "SELECT to_regprocedure('zvonok.identify(text, text)') IS NULL")[0]:
                return  # nothing below could say more than that
            for section in (_indexes, _triggers, _lookups, _history, _numbers):
                yield from section(connection)
        except psycopg.Error as exc:
            yield _finding("connection", Level.FAILED, explain(exc))


def _login(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    began = time.time()
    role, version, theirs = _row(
        connection, "SELECT current_user, current_setting('server_version'), clock_timestamp()"
    )
    yield _finding("connection", Level.OK, f"PostgreSQL {version.split()[0]}, as the role {role}")
    ours = datetime.fromtimestamp((began + time.time()) / 2, UTC)
    skew = (theirs - ours).total_seconds()
    if abs(skew) > CLOCK_WARNING_S:
        todo = "run NTP on both hosts (timedatectl set-ntp true)"
        yield _finding("clock", Level.WARNING, f"the database's clock differs from this host's by {skew:+.1f} s", todo)
    else:
        yield _finding("clock", Level.OK, "the database's clock and this host's agree")


def _migrations(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    try:
        standings = standing(connection, read_migrations())
    except NewerDatabaseError as exc:
        todo = "install the newer release again when what sent you back is mended; nothing breaks until then"
        yield _finding("migrations", Level.WARNING, str(exc), todo)
        return
    except MigrationError as exc:
        yield _finding("migrations", Level.FAILED, str(exc))
        return
    pending = [item.migration.name for item in standings if item.state == "pending"]
    if pending:
        todo = "run `zvonok migrate` as the owner of the CRM's tables"
        yield _finding("migrations", Level.FAILED, f"{len(pending)} are missing: {', '.join(pending)}", todo)
    else:
        applied = sum(item.state == "applied" for item in standings)
        yield _finding("migrations", Level.OK, f"all {applied} are applied")


def _indexes(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    rows = connection.execute(
        "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE c.relname LIKE 'zvonok\\_%'"
    ).fetchall()
    valid = dict(rows)
    broken = sorted(name for name, good in rows if not good)
    gone = [name for name in LOOKUP_INDEXES if name not in valid]
    if broken:
        todo = "run `zvonok migrate`: it drops and builds them again, without locking the tables"
        yield _finding("indexes", Level.FAILED, f"unfinished: {', '.join(broken)}; lookups read whole tables", todo)
    elif gone:
        todo = "if your tables are views, index what is behind them (sql/README.md, Adapting)"
        yield _finding("indexes", Level.WARNING, f"not there: {', '.join(gone)}; lookups may read whole tables", todo)
    else:
        yield _finding("indexes", Level.OK, "there and valid")


def _triggers(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    rows = connection.execute(
        "SELECT DISTINCT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE t.tgname LIKE 'zvonok\\_%' AND t.tgenabled = 'D'"
    ).fetchall()
    if rows:
        tables = ", ".join(sorted(name for (name,) in rows))
        todo = "ALTER TABLE ... ENABLE TRIGGER ALL; until then a change is seen after ZVONOK_CACHE_TTL only"
        yield _finding("triggers", Level.WARNING, f"our triggers are switched off on {tables}", todo)


def _lookups(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    samples = ["+79990000000"] * 5
    try:
        found = connection.execute("SELECT phone_number FROM public.user_phones LIMIT 20").fetchall()
        samples += [str(number) for (number,) in found]
    except (errors.InsufficientPrivilege, errors.UndefinedTable, errors.UndefinedColumn):
        # The services' role may call our functions only; an adapted site keeps its numbers elsewhere.
        pass
    connection.execute(WARM_UP)  # plans and catalogs, as each pooled connection does once
    took = []
    for number in samples:
        began = time.perf_counter()
        connection.execute("SELECT zvonok.identify(%s, %s)", (number, number))
        took.append((time.perf_counter() - began) * 1000)
    middle, worst = statistics.median(took), max(took)
    says = f"{len(took)} lookups took {middle:.1f} ms in the middle, {worst:.1f} ms at most"
    if middle > LOOKUP_BUDGET_MS:
        todo = f"a call waits {LOOKUP_BUDGET_MS:.0f} ms at most, so names are missing: see the indexes above, ANALYZE"
        yield _finding("lookup", Level.FAILED, says, todo)
    elif middle > SLOW_LOOKUP_MS:
        yield _finding(
            "lookup", Level.WARNING, says, "see the indexes above, ANALYZE the tables, or is the network slow?"
        )
    else:
        yield _finding("lookup", Level.OK, says)


def _history(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    (table,) = _row(connection, "SELECT zvonok.call_table()::text")
    if table == "zvonok.calls":
        (why,) = _row(connection, "SELECT zvonok.calls_obstacle()")
        yield _finding(
            "history", Level.OK, f"goes to zvonok.calls, not to the CRM's calls{f', because {why}' if why else ''}"
        )
    else:
        yield _finding("history", Level.OK, f"goes to {table}")


def _numbers(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    for kind, query in _SUSPECTS.items():
        what = f"{kind}s' numbers"
        if not _row(connection, _READS[kind])[0]:
            yield _finding(what, Level.SKIPPED, "not looked at: this site reads its CRM through functions of its own")
            continue
        try:
            rows = connection.execute(query, {"rows": ROWS_AT_MOST, "examples": EXAMPLES}).fetchall()
        except errors.InsufficientPrivilege:
            todo = "this role may not read them, which is well; as the owner: ZVONOK_DATABASE_URL=... zvonok check"
            yield _finding(what, Level.SKIPPED, "not looked at", todo)
        except errors.QueryCanceled:
            yield _finding(what, Level.SKIPPED, f"reading {ROWS_AT_MOST} of them took too long")
        else:
            yield from _judged(kind, rows)


def _judged(kind: str, rows: list[tuple[Any, ...]]) -> Iterator[Finding]:
    total = sum(count for _, count, _, _ in rows)
    looked = f"{total}" if total < ROWS_AT_MOST else f"the first {total}"
    bad = {reason: (count, ids, raws) for reason, count, ids, raws in rows if reason is not None}
    if not bad:
        yield _finding(f"{kind}s' numbers", Level.OK, f"{looked} looked at; each can match")
    for reason in REASONS:
        if reason in bad:
            count, ids, raws = bad[reason]
            shown = ", ".join(f"{kind} {ident} ({mask_number(raw)})" for ident, raw in zip(ids, raws, strict=True))
            says = f"{count} of {looked} {REASONS[reason].split(';')[0]}: {shown}{' ...' if count > EXAMPLES else ''}"
            _, _, advice = REASONS[reason].partition("; ")
            yield _finding(f"{kind}s' numbers", Level.WARNING, says, advice or "correct or delete them in the CRM")


def _row(connection: psycopg.Connection[Any], query: LiteralString) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return tuple(row)


def _finding(what: str, level: Level, says: str, todo: str | None = None) -> Finding:
    return Finding(part=PART, what=what, level=level, says=says, todo=todo)
