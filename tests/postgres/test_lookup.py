"""`zvonok.identify` and `zvonok.person` on a real server."""

from typing import Any

import psycopg
import pytest

from demo.seed import load_seed

BRIEF = "INSERT INTO user_phones (user_id, phone_number, phone_type) VALUES (1, '89271390907', 'мобильный');"


@pytest.fixture
def connection(database_url: str) -> Any:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def identify(connection: Any, caller: str | None, called: str | None) -> dict[str, Any]:
    return connection.execute("SELECT zvonok.identify(%s, %s)", (caller, called)).fetchone()[0]


@pytest.mark.parametrize(
    "spelling", ["+7 (927) 139-09-07", "79271390907", "sip:89271390907@10.0.0.1", "89271390907", '"Bob" <9271390907>']
)
def test_the_briefs_insert_works_as_printed_and_every_spelling_of_the_number_matches(
    connection: Any, spelling: str
) -> None:
    connection.execute("INSERT INTO users (id, name) VALUES (1, 'Иванов Иван')")
    connection.execute(BRIEF)
    found = identify(connection, spelling, spelling)
    assert found == {
        "caller": {
            "key": "79271390907",
            "number": "+79271390907",
            "kind": "user",
            "id": 1,
            "name": "Иванов Иван",
            "company": None,
            "matches": 1,
        },
        "called": {"key": "79271390907", "number": "+79271390907"},
        "owners": [{"user_id": 1, "name": "Иванов Иван", "number": "+79271390907", "label": "мобильный"}],
    }


def test_the_seed_has_two_offices_users_dealers_and_companies(database_url: str, connection: Any) -> None:
    assert load_seed(database_url)
    assert not load_seed(database_url), "a second load must leave the CRM's rows alone"
    dealer = identify(connection, "89050003101", "101")
    assert (dealer["caller"]["kind"], dealer["caller"]["name"]) == ("dealer", "Петров Пётр Алексеевич")
    assert dealer["caller"]["company"] == "ООО «Ромашка»"
    assert [(owner["user_id"], owner["label"]) for owner in dealer["owners"]] == [(1, "внутренний")]
    assert [owner["user_id"] for owner in identify(connection, None, "202")["owners"]] == [2]


def test_users_come_before_dealers_and_all_matches_are_counted(connection: Any) -> None:
    connection.execute("INSERT INTO users VALUES (5, 'Пять'), (3, 'Три')")
    connection.execute("INSERT INTO dealers VALUES (1, 'Дилер', NULL)")
    connection.execute("INSERT INTO user_phones (user_id, phone_number) VALUES (5, '84950001122'), (3, '4950001122')")
    connection.execute("INSERT INTO user_phones (user_id, phone_number) VALUES (3, '+7 495 000 11 22')")
    connection.execute("INSERT INTO dealer_phone_numbers (dealer_id, phone_number) VALUES (1, '+74950001122')")
    found = identify(connection, "84950001122", "84950001122")
    assert (found["caller"]["kind"], found["caller"]["id"], found["caller"]["matches"]) == ("user", 3, 3)
    assert [owner["user_id"] for owner in found["owners"]] == [3, 5], "every owner, each once"


@pytest.mark.parametrize("hidden", [None, "", "anonymous", "<unknown>", "Restricted", "000", "+", "-"])
def test_a_hidden_or_empty_number_matches_nobody_even_if_the_crm_holds_such_a_text(
    connection: Any, hidden: str | None
) -> None:
    connection.execute("INSERT INTO users VALUES (1, 'Никто')")
    connection.execute("INSERT INTO user_phones (user_id, phone_number) VALUES (1, %s)", (hidden or "",))
    found = identify(connection, hidden, hidden)
    assert (found["caller"]["kind"], found["caller"]["number"], found["owners"]) == ("unknown", None, [])


def test_a_person_has_his_name_and_numbers_and_a_stranger_is_null(database_url: str, connection: Any) -> None:
    load_seed(database_url)
    person = connection.execute("SELECT zvonok.person(1)").fetchone()[0]
    assert person["name"] == "Иванов Иван Петрович"
    assert {(entry["number"], entry["label"]) for entry in person["numbers"]} == {
        ("+79271390907", "мобильный"),
        ("101", "внутренний"),
        ("+74950001001", "рабочий"),
    }
    assert connection.execute("SELECT zvonok.person(404)").fetchone()[0] is None


def test_every_lookup_uses_its_index(connection: Any) -> None:
    connection.execute("INSERT INTO users SELECT n, 'u' || n FROM generate_series(1, 3000) n")
    connection.execute("INSERT INTO dealers SELECT n, 'd' || n FROM generate_series(1, 3000) n")
    connection.execute("INSERT INTO user_phones (user_id, phone_number) SELECT id, 89270000000 + id FROM users")
    connection.execute(
        "INSERT INTO dealer_phone_numbers (dealer_id, phone_number) SELECT id, 89280000000 + id FROM dealers"
    )
    connection.execute("ANALYZE")
    tables = ["user_phones", "dealer_phone_numbers"]
    scans = "SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_xact_user_tables WHERE relname = ANY(%s)"
    with connection.transaction():
        connection.execute("SELECT zvonok.identify('89280000042', '89270000042'), zvonok.person(42)")
        assert connection.execute(scans, (tables,)).fetchone() == (0,)
        connection.execute("SELECT count(*) FROM user_phones")
        assert connection.execute(scans, (tables,)).fetchone() == (1,), "this is how a full scan would show"
