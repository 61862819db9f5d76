"""`zvonok migrate`: our objects in the CRM's database, from the numbered files beside this module.

Additive only: the brief's tables are created where they are missing, a CRM's own are never altered but for indexes,
triggers and, in `calls`, missing nullable columns. Each file is applied once, in order, in one transaction with its
record in zvonok.schema_migrations. Two lines in a file's header change that:

    -- zvonok: concurrently     the file is one CREATE INDEX CONCURRENTLY: no transaction, waits for older transactions
    -- zvonok: when CONDITION   while this SQL condition is false the file is left out, and looked at again next time
"""

import argparse
import contextlib
import hashlib
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, LiteralString

import msgspec
import psycopg
from psycopg import errors, sql

from sql.fitness import obstacles, warnings
from zvonok.database import explain
from zvonok.errors import DatabaseError
from zvonok.settings import load

Report = Callable[[str], None]

LOCK_KEY: Final = 7_906_139_271  # pg_advisory_lock: one migrate at a time in a database
LOCK_WAIT: Final = 600.0
LOCK_TRIES: Final = 3
PROGRESS_EVERY: Final = 2.0

# What the services' role may call; migrate --grant.
SERVICE_FUNCTIONS: Final = (
    "zvonok.identify(text, text)",
    "zvonok.person(bigint)",
    "zvonok.save_call(jsonb)",
    "zvonok.save_calls(jsonb)",
    "zvonok.history(bigint, bigint, integer, text, bigint, text, text)",
)


class MigrationError(DatabaseError):
    """The database cannot be migrated; what was applied before stays, the failed file left nothing."""


class NewerDatabaseError(MigrationError):
    """A newer release has migrated this database. Migrations only add, so this one works with it."""


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One file: `version` from its name, `title` its first comment line."""

    version: int
    name: str
    title: str
    text: str
    sha256: str
    concurrently: bool
    when: str | None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One migration in one database: "applied", "pending", "left out" (its condition is false), or "changed"."""

    migration: Migration
    state: str


def read_migrations(directory: Path = Path(__file__).parent) -> list[Migration]:
    """The files NNN_name.sql in order. Raises `MigrationError` if two have one number."""
    found: dict[int, Migration] = {}
    for path in sorted(directory.glob("[0-9][0-9][0-9]_*.sql")):
        text = path.read_text(encoding="utf-8")
        header = "\n".join(line for line in text.splitlines() if line.startswith("--"))
        when = re.search(r"^-- zvonok: when (.+)$", header, re.MULTILINE)
        migration = Migration(
            version=int(path.name[:3]),
            name=path.stem,
            title=text.splitlines()[0].removeprefix("--").strip(),
            text=text,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            concurrently="-- zvonok: concurrently" in header.splitlines(),
            when=when[1] if when else None,
        )
        if migration.version in found:
            raise MigrationError(f"{path.name} and {found[migration.version].name}.sql have the same number")
        found[migration.version] = migration
    return [found[version] for version in sorted(found)]


def migrate(
    url: str,
    *,
    report: Report = lambda line: None,
    dry_run: bool = False,
    grant: str | None = None,
    migrations: list[Migration] | None = None,
) -> list[str]:
    """Bring the database up to date; returns the names of the files applied (or, `dry_run`, that would be).

    Safe for two at once: the second waits, then finds nothing to do. Raises `MigrationError` or `DatabaseError`.
    """
    migrations = read_migrations() if migrations is None else migrations
    with _connected(url) as connection:
        if not dry_run:
            _take_lock(connection, report)
        found = obstacles(connection)
        if found:
            raise MigrationError("nothing was changed:\n" + "\n".join(f"  {line}" for line in found))
        for line in warnings(connection):
            report(f"note: {line}")
        standings = standing(connection, migrations)
        pending = [item.migration for item in standings if item.state in ("pending", "left out")]
        if dry_run:
            return _describe(pending, report)
        with _explained("the schema zvonok"):
            connection.execute("CREATE SCHEMA IF NOT EXISTS zvonok")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS zvonok.schema_migrations"
                " (version integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL,"
                " applied_at timestamptz NOT NULL DEFAULT now())"
            )
        connection.add_notice_handler(lambda notice: report(f"note: {notice.message_primary}"))
        _drop_invalid_indexes(connection, report)
        applied = []
        for migration in pending:
            if not _wanted(connection, migration):
                report(f"left out {migration.name}: {migration.title} (see sql/README.md)")
                continue
            started = time.monotonic()
            _apply(connection, migration, url, report)
            report(f"applied {migration.name} in {time.monotonic() - started:.1f} s: {migration.title}")
            applied.append(migration.name)
        if grant is not None:
            _grant(connection, grant)
            report(f"granted to {grant}: the schema zvonok and the functions that the services call")
        return applied


def standing(connection: psycopg.Connection[Any], migrations: list[Migration]) -> list[Standing]:
    """Where each migration stands in this database. Raises `MigrationError` if a file changed after it was applied,
    or if the database was migrated by a newer release.
    """
    known: dict[int, tuple[str, str]] = {}
    if _value(connection, "SELECT to_regclass('zvonok.schema_migrations') IS NOT NULL"):
        rows = connection.execute("SELECT version, name, sha256 FROM zvonok.schema_migrations").fetchall()
        known = {version: (name, sha256) for version, name, sha256 in rows}
    ours = {migration.version for migration in migrations}
    newer = sorted(name for version, (name, _) in known.items() if version not in ours)
    if newer:
        raise NewerDatabaseError(
            f"this database was migrated by a newer release of Zvonok ({', '.join(newer)});"
            " this one works with it and must not change it"
        )
    out = []
    for migration in migrations:
        state = "pending"
        if migration.version in known:
            state = "applied"
            if known[migration.version][1] != migration.sha256:
                raise MigrationError(
                    f"{migration.name}.sql was changed after it was applied here; restore the released file"
                    " (a site's own changes go where sql/README.md says, never into these files)"
                )
        elif not _wanted(connection, migration):
            state = "left out"
        out.append(Standing(migration=migration, state=state))
    return out


def _describe(pending: list[Migration], report: Report) -> list[str]:
    for migration in pending:
        condition = f", if {migration.when}" if migration.when else ""
        report(f"would apply {migration.name}: {migration.title}{condition}")
    return [migration.name for migration in pending]


@contextlib.contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=10, application_name="zvonok migrate")
    except psycopg.Error as exc:
        raise DatabaseError(explain(exc)) from exc
    with connection:
        try:
            connection.execute("SET lock_timeout = '5s'")
            connection.execute("SET statement_timeout = 0")
            connection.execute("SET search_path = pg_catalog")
            yield connection
        except psycopg.OperationalError as exc:
            raise DatabaseError(explain(exc)) from exc


def _take_lock(connection: psycopg.Connection[Any], report: Report) -> None:
    # Polled: a blocking pg_advisory_lock holds a snapshot, and the other's CREATE INDEX CONCURRENTLY would wait for it.
    deadline = time.monotonic() + LOCK_WAIT
    said = False
    while not _value(connection, "SELECT pg_try_advisory_lock(%s)", LOCK_KEY):
        if not said:
            report("another `zvonok migrate` is at work in this database; waiting for it")
            said = True
        if time.monotonic() > deadline:
            raise MigrationError(f"another `zvonok migrate` is still at work after {LOCK_WAIT:.0f} s; try again later")
        time.sleep(0.2)


def _wanted(connection: psycopg.Connection[Any], migration: Migration) -> bool:
    """Whether the file's condition holds; what it asks about may not exist yet, then it does not."""
    if migration.when is None:
        return True
    try:
        return bool(_value(connection, f"SELECT {migration.when}"))
    except (errors.UndefinedFunction, errors.InvalidSchemaName):
        return False


def _apply(connection: psycopg.Connection[Any], migration: Migration, url: str, report: Report) -> None:
    for attempt in range(1, LOCK_TRIES + 1):
        try:
            if migration.concurrently:
                # Waiting here holds up nobody, so it may wait for a long backup to end.
                connection.execute("SET lock_timeout = 0")
                with _progress(url, connection.info.backend_pid, report):
                    connection.execute(migration.text)
                _record(connection, migration)
            else:
                with connection.transaction():
                    connection.execute(migration.text)
                    _record(connection, migration)
        except errors.LockNotAvailable as exc:
            if attempt == LOCK_TRIES:
                raise MigrationError(
                    f"{migration.name}: a table is in use by a long transaction of somebody else"
                    f" ({exc.diag.message_primary}); run migrate again at a quieter time. Nothing was done."
                ) from exc
            report(f"{migration.name}: a table is locked; trying again")
        except psycopg.OperationalError:
            raise
        except psycopg.Error as exc:
            left = " The unfinished index is dropped at the next migrate." if migration.concurrently else ""
            raise MigrationError(
                f"{migration.name}: {exc.diag.message_primary or exc}."
                f" Nothing of this file was done; sql/README.md says how to adapt to a CRM's own tables.{left}"
            ) from exc
        else:
            return
        finally:
            if not connection.closed:
                connection.execute("SET lock_timeout = '5s'")


def _record(connection: psycopg.Connection[Any], migration: Migration) -> None:
    connection.execute(
        "INSERT INTO zvonok.schema_migrations (version, name, sha256) VALUES (%s, %s, %s)",
        (migration.version, migration.name, migration.sha256),
    )


@contextlib.contextmanager
def _progress(url: str, backend: int, report: Report) -> Iterator[None]:
    """While the body runs, report what pg_stat_progress_create_index says about the connection `backend`."""
    done = threading.Event()

    def watch() -> None:
        last = ""
        while not done.wait(PROGRESS_EVERY):
            with contextlib.suppress(psycopg.Error):
                row = watcher.execute(
                    "SELECT phase, blocks_done, blocks_total, tuples_done, tuples_total, current_locker_pid"
                    " FROM pg_stat_progress_create_index WHERE pid = %s",
                    (backend,),
                ).fetchone()
                line = "" if row is None else _progress_line(*row)
                if line and line != last:
                    report(line)
                    last = line

    with psycopg.connect(url, autocommit=True, connect_timeout=10, application_name="zvonok migrate") as watcher:
        thread = threading.Thread(target=watch, name="migrate-progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _progress_line(phase: str, blocks: int, of_blocks: int, rows: int, of_rows: int, locker: int | None) -> str:
    if phase.startswith("waiting") and locker:
        return f"  {phase} (held by the database connection {locker})"
    done, total = (blocks, of_blocks) if of_blocks else (rows, of_rows)
    return f"  {phase}: {100 * done // total} %" if total else f"  {phase}"


def _drop_invalid_indexes(connection: psycopg.Connection[Any], report: Report) -> None:
    """An interrupted CREATE INDEX CONCURRENTLY leaves an index that costs writes and serves nobody."""
    rows = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE NOT i.indisvalid AND c.relname LIKE 'zvonok\\_%'"
    ).fetchall()
    for schema, name in rows:
        report(f"dropping the unfinished index {schema}.{name}")
        with _explained(f"the unfinished index {schema}.{name}"):
            connection.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(schema, name)))


def _grant(connection: psycopg.Connection[Any], role: str) -> None:
    with _explained(f"the rights of {role}"), connection.transaction():
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA zvonok TO {}").format(sql.Identifier(role)))
        connection.execute(
            sql.SQL("GRANT SELECT ON zvonok.schema_migrations TO {}").format(sql.Identifier(role)),
        )
        for function in SERVICE_FUNCTIONS:
            connection.execute(
                sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.SQL(function), sql.Identifier(role))
            )


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError:
        raise
    except psycopg.Error as exc:
        raise MigrationError(f"{what}: {exc.diag.message_primary or exc}") from exc


def _value(connection: psycopg.Connection[Any], query: LiteralString, *arguments: object) -> Any:
    row = connection.execute(query, arguments).fetchone()
    return None if row is None else row[0]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `zvonok migrate`."""
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, change nothing")
    parser.add_argument("--status", action="store_true", help="list the migrations and where they stand")
    parser.add_argument("--grant", metavar="ROLE", help="also give this role what the services need, and no more")


def run(args: argparse.Namespace) -> int:
    """`zvonok migrate`. The role in ZVONOK_DATABASE_URL must own the CRM's tables (or be a superuser)."""
    url = load(needs=["DATABASE_URL"]).database_url
    assert url is not None

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    if args.status:
        with _connected(url) as connection:
            standings = standing(connection, read_migrations())
        for item in standings:
            say(f"{item.state:9} {item.migration.name}: {item.migration.title}")
        return 0 if all(item.state != "pending" for item in standings) else 1
    done = migrate(url, report=say, dry_run=args.dry_run, grant=args.grant)
    if not args.dry_run:
        say(f"the database is up to date ({len(done)} applied)")
    elif not done:
        say("nothing to do")
    return 0
