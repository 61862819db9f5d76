"""`zvonok migrate` on a bare database, on CRMs that are not like ours, interrupted, doubled and refused."""

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from demo.seed import load_seed
from sql.runner import MigrationError, migrate, read_migrations, standing
from tests.databases import Databases
from tests.levels import within
from zvonok.cli import main
from zvonok.errors import DatabaseError

CRM = """
CREATE TABLE users (id serial PRIMARY KEY, login varchar(40) NOT NULL, name varchar(80), last_login timestamp);
CREATE TABLE user_phones (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users, phone_number varchar(40),
  phone_type varchar(20), is_main boolean NOT NULL DEFAULT false, key text, wanted int);
CREATE TABLE companies (id numeric PRIMARY KEY, name text, inn char(12));
CREATE TABLE dealers (id int PRIMARY KEY, name text, company_id numeric, region text NOT NULL);
CREATE TABLE dealer_phone_numbers (dealer_id int, phone_number text);
"""
ROWS = """
INSERT INTO users (id, login, name) SELECT n, 'u' || n, 'Пользователь ' || n FROM generate_series(1, 20000) n;
INSERT INTO user_phones (user_id, phone_number, phone_type)
  SELECT 1 + n % 20000, CASE n % 8
    WHEN 0 THEN '8927' || to_char(n, 'FM0000000')
    WHEN 1 THEN '+7 (927) ' || to_char(n, 'FM000-00-00')
    WHEN 2 THEN '7927' || to_char(n, 'FM0000000')
    WHEN 3 THEN to_char(n % 900 + 100, 'FM000')
    WHEN 4 THEN '8-927-' || to_char(n, 'FM000-00-00') || ' доб. 12'
    WHEN 5 THEN 'нет'
    WHEN 6 THEN ''
    ELSE '(927) ' || to_char(n, 'FM000 00 00') END, 'мобильный'
  FROM generate_series(1, 100000) n;
INSERT INTO companies VALUES (1, 'ООО «Ромашка»');
INSERT INTO dealers VALUES (1, 'Петров', 1, 'Самара');
INSERT INTO dealer_phone_numbers VALUES (1, '8 905 000-31-01');
"""


def execute(url: str, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement, arguments or None)
        return cursor.fetchall() if cursor.description else []


def schema(url: str) -> list[tuple[Any, ...]]:
    """Everything in the CRM's schema that a migration could change, except our own indexes and triggers."""
    return execute(
        url,
        "SELECT c.relname, c.relkind, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_class c"
        " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'zvonok%' ORDER BY 1, a.attnum",
    )


def test_a_bare_database_is_migrated_once(bare_database_url: str) -> None:
    applied = migrate(bare_database_url)
    assert applied == [migration.name for migration in read_migrations()]
    lines: list[str] = []
    assert migrate(bare_database_url, report=lines.append) == []
    assert lines == []
    assert load_seed(bare_database_url)


def test_a_dry_run_changes_nothing(bare_database_url: str) -> None:
    lines: list[str] = []
    assert len(migrate(bare_database_url, dry_run=True, report=lines.append)) == len(read_migrations())
    assert lines[0].startswith("would apply 001_numbers: ")
    assert execute(bare_database_url, "SELECT to_regnamespace('zvonok')") == [(None,)]
    assert schema(bare_database_url) == []


def test_a_crm_with_its_own_columns_types_and_100k_rows_is_only_added_to(bare_database_url: str) -> None:
    execute(bare_database_url, CRM + ROWS)
    before = schema(bare_database_url)
    started = time.monotonic()
    migrate(bare_database_url)
    assert time.monotonic() - started < within(30)
    after = [row for row in schema(bare_database_url) if not row[0].startswith("calls")]
    assert after == before
    for spelling in ("89270000016", "+7 (927) 000-00-16", "sip:9270000016@pbx"):
        [(found,)] = execute(bare_database_url, "SELECT zvonok.identify('+79050003101', %s)", spelling)
        assert [owner["user_id"] for owner in found["owners"]] == [17]
        assert (found["caller"]["name"], found["caller"]["company"]) == ("Петров", "ООО «Ромашка»")
    [(person,)] = execute(bare_database_url, "SELECT zvonok.person(17)")
    assert {"number": "+79270000016", "label": "мобильный"} in person["numbers"]


def test_the_crm_may_go_on_changing_its_tables(bare_database_url: str) -> None:
    execute(bare_database_url, CRM)
    execute(bare_database_url, "CREATE TABLE calls (id serial PRIMARY KEY, state varchar(20))")
    migrate(bare_database_url)
    for statement in (
        "ALTER TABLE users ALTER COLUMN name TYPE varchar(300)",
        "ALTER TABLE user_phones ALTER COLUMN phone_number TYPE text, ALTER COLUMN phone_type TYPE text",
        "ALTER TABLE dealers ALTER COLUMN company_id TYPE bigint",
        "ALTER TABLE calls ALTER COLUMN state TYPE text",
        "INSERT INTO users (login, name) VALUES ('a', 'А')",
        "INSERT INTO user_phones (user_id, phone_number) VALUES (1, '101')",
        "UPDATE users SET name = 'Б'",
        "ALTER TABLE users DROP COLUMN name",
        "UPDATE users SET login = 'b'",
        "ALTER TABLE user_phones DROP COLUMN phone_number",
        "UPDATE user_phones SET phone_type = 'x'",
        "DELETE FROM user_phones",
        "DROP TABLE user_phones, users",
    ):
        execute(bare_database_url, statement)


@pytest.mark.parametrize(
    ("crm", "said"),
    [
        ("CREATE TABLE users (id uuid PRIMARY KEY, name text)", r"public\.users\.id is uuid.*whole number"),
        ("CREATE TABLE users (id int, first_name text)", r"public\.users exists but has no column name.*README"),
        (
            "CREATE TABLE user_phones (user_id text, phone_number text, phone_type text)",
            r"user_phones\.user_id is text",
        ),
        ("CREATE TABLE user_phones (user_id int, phone text)", r"no column phone_number.*\n.*no column phone_type"),
        ("CREATE TABLE companies (id uuid, name text)", r"company_id is bigint but public\.companies\.id is uuid"),
        ("CREATE TABLE dealers (id int, name json, company_id int)", r"dealers\.name is json, not text"),
    ],
)
def test_a_crm_that_does_not_fit_is_refused_with_a_clear_sentence_and_left_alone(
    bare_database_url: str, crm: str, said: str
) -> None:
    execute(bare_database_url, crm)
    before = schema(bare_database_url)
    with pytest.raises(MigrationError, match=f"(?s)nothing was changed.*{said}"):
        migrate(bare_database_url)
    assert schema(bare_database_url) == before
    assert execute(bare_database_url, "SELECT to_regnamespace('zvonok')") == [(None,)]


def test_numbers_kept_as_numbers_and_ids_as_numeric_work(bare_database_url: str) -> None:
    execute(
        bare_database_url,
        "CREATE TABLE users (id numeric(10), name char(20));"
        "CREATE TABLE user_phones (user_id bigint, phone_number bigint, phone_type smallint);"
        "INSERT INTO users VALUES (1, 'Иванов'); INSERT INTO user_phones VALUES (1, 89271390907, 2)",
    )
    migrate(bare_database_url)
    [(found,)] = execute(bare_database_url, "SELECT zvonok.identify(NULL, '+79271390907')")
    assert found["owners"] == [{"user_id": 1, "name": "Иванов", "number": "+79271390907", "label": "2"}]


def test_views_instead_of_tables_are_read_and_the_missing_index_is_said(bare_database_url: str) -> None:
    execute(
        bare_database_url,
        "CREATE TABLE staff (id int, fio text); INSERT INTO staff VALUES (1, 'Иванов');"
        "CREATE VIEW users AS SELECT id, fio AS name FROM staff;"
        "CREATE TABLE staff_tel (staff int, tel text); INSERT INTO staff_tel VALUES (1, '101');"
        "CREATE VIEW user_phones AS SELECT staff AS user_id, tel AS phone_number, NULL AS phone_type FROM staff_tel",
    )
    lines: list[str] = []
    migrate(bare_database_url, report=lines.append)
    assert any("public.user_phones is a view" in line for line in lines)
    assert sum("left out" in line for line in lines) == 2
    [(found,)] = execute(bare_database_url, "SELECT zvonok.identify(NULL, '101')")
    assert found["owners"][0]["name"] == "Иванов"


ADAPTED = """
CREATE SCHEMA zvonok;
CREATE TABLE staff (code uuid DEFAULT gen_random_uuid(), nr int UNIQUE, first text, last text, tel text);
INSERT INTO staff (nr, first, last, tel) VALUES (7, 'Иван', 'Иванов', '8 927 139-09-07');
CREATE FUNCTION zvonok.crm_users_by_key(key text) RETURNS TABLE (user_id bigint, name text, phone_type text)
LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN QUERY
  SELECT s.nr::bigint, s.last || ' ' || s.first, 'рабочий'::text FROM public.staff s
  WHERE zvonok.phone_key(s.tel) = key;
END $$;
CREATE FUNCTION zvonok.crm_dealers_by_key(key text) RETURNS TABLE (dealer_id bigint, name text, company text)
LANGUAGE plpgsql STABLE AS $$ BEGIN END $$;
CREATE FUNCTION zvonok.crm_user_name(wanted bigint) RETURNS TABLE (name text)
LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN QUERY SELECT s.last FROM public.staff s WHERE s.nr = wanted; END $$;
"""
ADAPTED_NUMBERS = """
CREATE FUNCTION zvonok.crm_user_numbers(wanted bigint) RETURNS TABLE (phone_number text, phone_type text)
LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN QUERY
  SELECT s.tel, 'рабочий'::text FROM public.staff s WHERE s.nr = wanted;
END $$;
"""


def test_a_site_adapts_with_four_functions_of_its_own(bare_database_url: str) -> None:
    execute(bare_database_url, ADAPTED)
    with pytest.raises(MigrationError, match=r"zvonok\.crm_user_numbers\(bigint\) is missing"):
        migrate(bare_database_url)
    execute(bare_database_url, ADAPTED_NUMBERS)
    migrate(bare_database_url)
    [(found,)] = execute(bare_database_url, "SELECT zvonok.identify('79271390907', '79271390907')")
    assert found["caller"]["name"] == "Иванов Иван"
    assert found["owners"][0]["user_id"] == 7
    [(person,)] = execute(bare_database_url, "SELECT zvonok.person(7)")
    assert person["numbers"] == [{"number": "+79271390907", "label": "рабочий"}]
    assert execute(bare_database_url, "SELECT to_regclass('public.user_phones')") == [(None,)], "nothing is invented"


def test_the_readmes_adaptation_works_as_printed(bare_database_url: str) -> None:
    text = (Path(__file__).parents[2] / "sql" / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    [functions] = [block for block in blocks if "CREATE FUNCTION" in block]
    [extras] = [block for block in blocks if "CREATE INDEX" in block]
    execute(
        bare_database_url,
        "CREATE TABLE staff (nr int, last_name text, first_name text, phone text);"
        "CREATE TABLE contacts (id int, title text, firm text, phone text);",
    )
    execute(bare_database_url, functions)
    migrate(bare_database_url)
    for statement in filter(None, (part.strip() for part in extras.split(";"))):
        execute(bare_database_url, statement)
    with psycopg.connect(bare_database_url, autocommit=True) as crm:
        crm.execute("LISTEN zvonok_numbers")
        crm.execute("INSERT INTO contacts VALUES (3, 'Петров', 'ООО «Ромашка»', '8 905 000-31-01')")
        assert [note.payload for note in crm.notifies(timeout=0.3)] == ["*"]
    execute(bare_database_url, "INSERT INTO staff VALUES (7, 'Иванов', 'Иван', '101')")
    [(found,)] = execute(bare_database_url, "SELECT zvonok.identify('+79050003101', '101')")
    assert (found["caller"]["id"], found["caller"]["company"]) == (3, "ООО «Ромашка»")
    assert found["owners"] == [{"user_id": 7, "name": "Иванов Иван", "number": "101", "label": "рабочий"}]
    [(person,)] = execute(bare_database_url, "SELECT zvonok.person(7)")
    assert person == {"user_id": 7, "name": "Иванов Иван", "numbers": [{"number": "101", "label": "рабочий"}]}
    execute(bare_database_url, "ALTER TABLE staff ALTER COLUMN last_name TYPE varchar(100)")


def test_dropping_the_schema_leaves_a_crm_that_works(database_url: str) -> None:
    load_seed(database_url)
    execute(database_url, "DROP SCHEMA zvonok CASCADE")
    assert execute(database_url, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'zvonok%'") == [(0,)]
    execute(database_url, "INSERT INTO user_phones (user_id, phone_number) VALUES (1, '777')")
    assert migrate(database_url), "and it can come back"


@pytest.mark.parametrize(
    ("calls", "why"),
    [
        ("CREATE TABLE calls (id serial PRIMARY KEY, state int)", "column state is of type integer"),
        ("CREATE TABLE calls (id uuid NOT NULL, duration int)", "column id must not be null"),
        ("CREATE VIEW calls AS SELECT 1 AS id", "is a view"),
        ("CREATE TABLE calls (id serial, call_id text)", "call_id is not unique"),
        ("CREATE TABLE calls (id serial, state text CHECK (state IN ('new', 'done')))", "constraint calls_state_check"),
        ("CREATE TABLE calls (id serial, ended_at timestamp)", "ended_at is of type timestamp without time zone"),
        ("CREATE TABLE calls (id serial, caller_number text NOT NULL DEFAULT '')", "caller_number must not be null"),
    ],
)
def test_a_table_calls_that_cannot_take_our_rows_is_left_alone(bare_database_url: str, calls: str, why: str) -> None:
    execute(bare_database_url, calls)
    before = schema(bare_database_url)
    lines: list[str] = []
    migrate(bare_database_url, report=lines.append)
    assert [row for row in schema(bare_database_url) if row[0].startswith("calls")] == before
    assert any("zvonok.calls" in line and why in line for line in lines), lines
    assert save(bare_database_url)
    assert execute(bare_database_url, "SELECT call_id FROM zvonok.calls") == [("c1",)]


def test_a_table_calls_of_the_crms_own_gets_the_columns_that_it_lacks(bare_database_url: str) -> None:
    execute(
        bare_database_url,
        "CREATE TABLE calls (id serial PRIMARY KEY, user_id int, note text, state varchar(30));"
        "INSERT INTO calls (user_id, note) SELECT 1, 'old' FROM generate_series(1, 1000)",
    )
    migrate(bare_database_url)
    assert save(bare_database_url)
    assert not save(bare_database_url), "the same revision again"
    assert execute(bare_database_url, "SELECT count(*) FROM calls") == [(1001,)]
    rows = execute(bare_database_url, "SELECT zvonok.history(1)")
    assert [row[0]["call_id"] for row in rows] == ["c1"], "the CRM's own rows are not shown"
    names = execute(
        bare_database_url, "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'calls'::regclass"
    )
    assert {("zvonok_calls_call_id",), ("zvonok_calls_history",)} <= set(names)


def save(url: str) -> bool:
    call = {
        "call_id": "c1", "rev": 1, "first_linkedid": "1.1", "user_id": 1, "state": "ringing", "pbx": "p",
        "caller": {"number": None}, "line": {"number": "101"}, "ring_started_at": 1_760_000_000_000,
    }  # fmt: skip
    return bool(execute(url, "SELECT zvonok.save_call(%s::jsonb)", json.dumps(call))[0][0])


def test_two_at_once_are_safe(bare_database_url: str) -> None:
    execute(bare_database_url, CRM + ROWS)
    results: list[list[str]] = []
    lines: list[str] = []
    threads = [
        threading.Thread(target=lambda: results.append(migrate(bare_database_url, report=lines.append)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(within(60))
    assert sorted(map(len, results)) == [0, 0, len(read_migrations())]
    assert any("another `zvonok migrate` is at work" in line for line in lines)


def test_an_interrupted_index_is_built_again(bare_database_url: str) -> None:
    migrate(bare_database_url)
    execute(bare_database_url, "DELETE FROM zvonok.schema_migrations WHERE version = 4")
    execute(
        bare_database_url,
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'zvonok_user_phones_key'::regclass",
    )
    lines: list[str] = []
    assert migrate(bare_database_url, report=lines.append) == ["004_user_phones_key"]
    assert lines[0] == "dropping the unfinished index public.zvonok_user_phones_key"
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'zvonok_user_phones_key'::regclass"
    assert execute(bare_database_url, valid) == [(True,)]


def test_a_changed_file_and_a_newer_database_are_refused(database_url: str) -> None:
    files = read_migrations()
    edited = [msgspec.structs.replace(files[0], sha256="0" * 64), *files[1:]]
    with pytest.raises(MigrationError, match=r"001_numbers\.sql was changed after it was applied"):
        migrate(database_url, migrations=edited)
    with pytest.raises(MigrationError, match=r"newer release of Zvonok \(011_notify\)"):
        migrate(database_url, migrations=files[:-1])


def test_a_table_that_is_locked_for_long_is_said_and_nothing_is_half_done(bare_database_url: str) -> None:
    execute(bare_database_url, CRM)
    files = [file for file in read_migrations() if not file.concurrently]
    with psycopg.connect(bare_database_url) as crm:
        crm.execute("LOCK TABLE dealers IN ROW EXCLUSIVE MODE")  # an open transaction that wrote there
        with pytest.raises(MigrationError, match="in use by a long transaction"):
            migrate(bare_database_url, migrations=files)
    assert execute(bare_database_url, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'zvonok%'") == [(0,)]
    assert migrate(bare_database_url, migrations=files) == ["011_notify"]


@pytest.fixture
def crm_owner(databases: Databases, bare_database_url: str) -> Iterator[str]:
    """The bare database's URL as its owner, an ordinary role."""
    name = bare_database_url.split("@/")[1].split("?")[0]
    execute(bare_database_url, f"CREATE ROLE crm LOGIN; ALTER DATABASE {name} OWNER TO crm; CREATE ROLE app LOGIN")
    yield databases.server.url(name, user="crm")
    execute(bare_database_url, "DROP OWNED BY app, crm CASCADE; DROP ROLE app")
    execute(databases.server.url(), f"ALTER DATABASE {name} OWNER TO postgres; DROP ROLE crm")


def test_the_services_role_needs_no_right_on_any_crm_table(crm_owner: str, bare_database_url: str) -> None:
    execute(crm_owner, CRM + ROWS[: ROWS.index("INSERT INTO user_phones")])
    app = crm_owner.replace("crm@", "app@")
    with pytest.raises(MigrationError, match="may not create the schema zvonok"):
        migrate(app)
    migrate(crm_owner, grant="app")
    assert execute(app, "SELECT zvonok.person(1)")[0][0]["name"] == "Пользователь 1"
    assert save(app)
    assert execute(app, "SELECT zvonok.history(1)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(app, "SELECT * FROM public.users")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(app, "SELECT * FROM public.calls")


def test_a_crm_role_that_knows_nothing_of_us_can_still_write(crm_owner: str) -> None:
    execute(crm_owner, CRM)
    migrate(crm_owner)
    execute(
        crm_owner, "GRANT ALL ON ALL TABLES IN SCHEMA public TO app; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app"
    )
    app = crm_owner.replace("crm@", "app@")
    execute(app, "INSERT INTO users (login, name) VALUES ('x', 'Х')")
    execute(app, "INSERT INTO user_phones (user_id, phone_number) VALUES (1, '+7 927 139-09-07 доб. 1')")
    execute(app, "UPDATE user_phones SET phone_number = 'телефон <script>'; UPDATE users SET name = 'Ц'")
    execute(app, "DELETE FROM user_phones")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(app, "SELECT zvonok.identify('1', '2')")


def test_tables_of_another_owner_are_named(crm_owner: str, bare_database_url: str) -> None:
    execute(bare_database_url, "CREATE TABLE user_phones (user_id int, phone_number text, phone_type text)")
    with pytest.raises(MigrationError, match=r"public\.user_phones belongs to the role postgres.*--grant"):
        migrate(crm_owner)


def test_a_database_that_is_not_utf8_or_not_there_is_said(databases: Databases) -> None:
    server = databases.server
    execute(server.url(), "CREATE DATABASE cyrillic TEMPLATE template0 ENCODING 'KOI8R' LOCALE 'C'")
    try:
        with pytest.raises(MigrationError, match="encoding is KOI8R: Zvonok needs UTF8"):
            migrate(server.url("cyrillic"))
    finally:
        execute(server.url(), "DROP DATABASE cyrillic")
    with pytest.raises(DatabaseError, match="ZVONOK_DATABASE_URL"):
        migrate(server.url("nowhere"))


def test_the_command_prints_what_it_does_and_where_it_stands(
    bare_database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZVONOK_DATABASE_URL", bare_database_url)
    assert main(["migrate", "--status"]) == 1
    assert "pending   001_numbers" in capsys.readouterr().out
    assert main(["migrate"]) == 0
    assert capsys.readouterr().out.endswith(f"the database is up to date ({len(read_migrations())} applied)\n")
    assert main(["migrate", "--status"]) == 0
    assert "pending" not in capsys.readouterr().out
    assert main(["migrate", "--dry-run"]) == 0
    assert capsys.readouterr().out == "nothing to do\n"
    with psycopg.connect(bare_database_url) as connection:
        assert {item.state for item in standing(connection, read_migrations())} == {"applied"}
