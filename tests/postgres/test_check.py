"""`zvonok check` on a real database: each thing that can be wrong with it is found, with what to do."""

import psycopg
import pytest

from demo.postgres import Postgres
from sql.check import findings
from sql.runner import migrate
from zvonok.check import Finding, Level
from zvonok.settings import Settings


def check(url: str | None) -> dict[str, Finding]:
    """The worst finding of each thing looked at."""
    worst: dict[str, Finding] = {}
    order = [Level.SKIPPED, Level.OK, Level.WARNING, Level.FAILED]
    for finding in findings(Settings(database_url=url)):
        known = worst.get(finding.what)
        if known is None or order.index(finding.level) > order.index(known.level):
            worst[finding.what] = finding
    return worst


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_migrated_database_is_found_well(database_url: str) -> None:
    execute(
        database_url,
        "INSERT INTO users (id, name) VALUES (1, 'Иванов')",
        "INSERT INTO user_phones (user_id, phone_number, phone_type) VALUES (1, '89271390907', 'мобильный')",
        "INSERT INTO user_phones (user_id, phone_number, phone_type) VALUES (1, '101', '')",
    )
    found = check(database_url)
    assert {what: finding.level for what, finding in found.items()} == dict.fromkeys(
        ["connection", "clock", "migrations", "indexes", "lookup", "history", "users' numbers", "dealers' numbers"],
        Level.OK,
    )
    assert found["history"].says == "goes to public.calls"


def test_a_database_that_was_never_migrated_says_so_and_how(bare_database_url: str) -> None:
    found = check(bare_database_url)
    assert found["migrations"].level is Level.FAILED
    assert "zvonok migrate" in (found["migrations"].todo or "")
    assert found.keys() == {"connection", "clock", "migrations"}


def test_a_database_that_is_down_is_one_finding_without_its_password() -> None:
    found = check("postgresql://zvonok:hush-hush@127.0.0.1:1/crm")
    assert found.keys() == {"connection"}
    assert found["connection"].level is Level.FAILED
    assert "hush" not in repr(found)


def test_a_missing_database_url_is_a_failure() -> None:
    assert check(None)["connection"].level is Level.FAILED


def test_an_index_that_was_dropped_or_left_unfinished_is_found(database_url: str) -> None:
    execute(database_url, "DROP INDEX zvonok_user_phones_key")
    assert check(database_url)["indexes"].level is Level.WARNING
    execute(database_url, "UPDATE pg_index SET indisvalid = false"
            " WHERE indexrelid = 'zvonok_dealer_phone_numbers_key'::regclass")  # fmt: skip
    found = check(database_url)["indexes"]
    assert found.level is Level.FAILED
    assert "zvonok_dealer_phone_numbers_key" in found.says


def test_triggers_that_a_restore_left_switched_off_are_found(database_url: str) -> None:
    execute(database_url, "ALTER TABLE user_phones DISABLE TRIGGER ALL")
    assert check(database_url)["triggers"].level is Level.WARNING


def test_a_migration_that_was_changed_after_it_was_applied_is_found(database_url: str) -> None:
    execute(database_url, "UPDATE zvonok.schema_migrations SET sha256 = 'x' WHERE version = 1")
    assert "changed" in check(database_url)["migrations"].says


@pytest.mark.parametrize(
    ("number", "says"),
    [
        ("", "no number"),
        ("000", "no number"),
        ("8 927 139-09-07, 8 927 139-09-08", "two numbers"),
        ("89271390907/89271390908", "two numbers"),
        ("8927139090789271390908", "two numbers"),
        ("секретарь", "letters"),
        ("7", "one or two digits"),
        ("291-90-07", "no area code"),
        ("12345678901234567", "15 digits"),
    ],
)
def test_a_stored_number_that_can_never_match_is_shown_with_its_owner(
    database_url: str, number: str, says: str
) -> None:
    execute(database_url, "INSERT INTO users (id, name) VALUES (7, 'x')")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO user_phones (user_id, phone_number, phone_type) VALUES (7, %s, '')", (number,))
    found = check(database_url)["users' numbers"]
    assert found.level is Level.WARNING
    assert says in found.says
    assert "user 7" in found.says
    assert "89271390907" not in found.says


@pytest.mark.parametrize(
    "number", ["+7 (927) 139-09-07", "101", "8(8452)29-19-07 доб. 12", "sip:89271390907@x", "*97", "+998901234567"]
)
def test_a_number_that_can_match_is_not_complained_about(database_url: str, number: str) -> None:
    execute(database_url, "INSERT INTO users (id, name) VALUES (7, 'x')")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO user_phones (user_id, phone_number, phone_type) VALUES (7, %s, '')", (number,))
    assert check(database_url)["users' numbers"].level is Level.OK


def test_the_services_role_finds_all_well_without_a_right_on_the_crms_tables(own_postgres: Postgres) -> None:
    execute(own_postgres.url(), "CREATE ROLE services LOGIN")
    migrate(own_postgres.url(), grant="services")
    found = check(own_postgres.url(user="services"))
    assert found["migrations"].level is Level.OK, found["migrations"]
    assert found["lookup"].level is Level.OK
    assert found["users' numbers"].level is Level.SKIPPED
    assert all(finding.level in (Level.OK, Level.SKIPPED) for finding in found.values()), found
