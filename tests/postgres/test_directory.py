"""The directory on a real server: answers, memory, and changes told by the database."""

import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from demo.seed import load_seed
from fastagi.directory import Directory, LookupUnavailable
from fastagi.facts import Owner
from tests.levels import within
from zvonok.call import Kind
from zvonok.settings import Settings


def until(condition: Callable[[], bool], seconds: float = 3.0) -> None:
    """Wait for `condition`, or fail."""
    deadline = time.monotonic() + within(seconds)
    while not condition():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.01)


@pytest.fixture
def directory(database_url: str) -> Iterator[Directory]:
    load_seed(database_url)
    directory = Directory(
        Settings(database_url=database_url, crm_card_url="https://crm.example/{kind}/{id}"), budget=within(2)
    )
    directory.start()
    until(lambda: directory.listening)
    yield directory
    directory.close()


def test_the_first_answer_comes_from_the_database_and_the_second_from_memory(directory: Directory) -> None:
    first = directory.identify("8 (905) 000-31-01", "101")
    assert first.source == "database"
    assert (first.caller.kind, first.caller.name) == (Kind.DEALER, "Петров Пётр Алексеевич")
    assert (first.caller.company, first.caller.number) == ("ООО «Ромашка»", "+79050003101")
    assert first.caller.url == "https://crm.example/dealer/1"
    assert first.owners == (Owner(user_id=1, name="Иванов Иван Петрович", number="101", label="внутренний"),)
    second = directory.identify("8 (905) 000-31-01", "101")
    assert second.source == "cache"
    assert (second.caller, second.owners) == (first.caller, first.owners)
    assert directory.cached_owners("101") == first.owners
    assert directory.cached_owners("202") is None


def test_unknown_and_hidden_callers_are_answers_too(directory: Directory) -> None:
    unknown = directory.caller("+4930123456")
    assert (unknown.kind, unknown.number, unknown.restricted) == (Kind.UNKNOWN, "+4930123456", False)
    hidden = directory.caller("anonymous")
    assert (hidden.kind, hidden.number, hidden.restricted) == (Kind.UNKNOWN, None, True)
    assert directory.owners_of("999") == ()


async def test_who_calls_comes_with_the_owners_in_one_round_trip(directory: Directory) -> None:
    owners = await directory.owners_of_async("101", calling="8 (905) 000-31-01")
    assert [owner.user_id for owner in owners] == [1]
    caller = directory.cached_caller("8 (905) 000-31-01")
    assert caller is not None
    assert caller.name == "Петров Пётр Алексеевич"
    assert directory.counts["database"] == 1


async def test_owners_who_are_remembered_are_told_without_the_database_whoever_calls(database_url: str) -> None:
    load_seed(database_url)
    now = [0.0]
    directory = Directory(Settings(database_url=database_url, cache_ttl=1.0), budget=within(2), clock=lambda: now[0])
    directory.start()
    try:
        until(lambda: directory.listening)
        assert [owner.user_id for owner in directory.owners_of("101")] == [1]
        now[0] += 60
        assert directory._workers is not None
        directory._workers.failed()
        assert [owner.user_id for owner in await directory.owners_of_async("101", calling="89050003101")] == [1]
        assert directory.counts["stale"] == 1
    finally:
        directory.close()


async def test_the_event_loop_gets_the_same_answers(directory: Directory) -> None:
    assert (await directory.caller_async("89271390907")).name == "Иванов Иван Петрович"
    assert [owner.user_id for owner in await directory.owners_of_async("8 846 000-20-02")] == [2, 8]


def test_every_kind_of_change_in_the_crm_is_seen_at_once(directory: Directory, database_url: str) -> None:
    assert directory.owners_of("777") == ()
    with psycopg.connect(database_url, autocommit=True) as crm:
        crm.execute("INSERT INTO user_phones (user_id, phone_number, phone_type) VALUES (3, '777', 'внутренний')")
        until(lambda: [owner.user_id for owner in directory.owners_of("777")] == [3])
        crm.execute("UPDATE user_phones SET user_id = 4 WHERE phone_number = '777'")
        until(lambda: [owner.user_id for owner in directory.owners_of("777")] == [4])
        crm.execute("UPDATE users SET name = 'Попова-Белова Мария' WHERE id = 4")
        until(lambda: directory.owners_of("777")[0].name == "Попова-Белова Мария")
        crm.execute("DELETE FROM user_phones WHERE phone_number = '777'")
        until(lambda: directory.owners_of("777") == ())
        assert directory.caller("89050003101").company == "ООО «Ромашка»"
        crm.execute("UPDATE companies SET name = 'ООО «Астра»' WHERE id = 1")
        until(lambda: directory.caller("89050003101").company == "ООО «Астра»")
        crm.execute("UPDATE dealers SET company_id = 2 WHERE id = 1")
        until(lambda: directory.caller("89050003101").company == "АО «Волжские окна»")
        crm.execute("TRUNCATE dealer_phone_numbers")
        until(lambda: directory.caller("89050003101").kind is Kind.UNKNOWN)


def test_a_bulk_change_is_one_notification_and_is_seen(directory: Directory, database_url: str) -> None:
    assert directory.owners_of("89990000042") == ()
    with psycopg.connect(database_url, autocommit=True) as crm:
        crm.execute("LISTEN zvonok_numbers")
        crm.execute(
            "INSERT INTO user_phones (user_id, phone_number) SELECT 1, (89990000000 + n)::text"
            " FROM generate_series(1, 20000) n"
        )
        assert [note.payload for note in crm.notifies(timeout=0.5)] == ["*"]
    until(lambda: len(directory.owners_of("89990000042")) == 1)


def test_an_update_of_something_else_than_the_name_tells_nobody_anything(database_url: str) -> None:
    load_seed(database_url)
    with psycopg.connect(database_url, autocommit=True) as crm:
        crm.execute("ALTER TABLE users ADD last_login timestamptz")
        crm.execute("LISTEN zvonok_numbers")
        crm.execute("UPDATE users SET last_login = now(), name = name")
        assert list(crm.notifies(timeout=0.3)) == []


def test_without_a_database_setting_every_question_says_so() -> None:
    directory = Directory(Settings())
    directory.start()
    with pytest.raises(LookupUnavailable, match="ZVONOK_DATABASE_URL"):
        directory.identify("101", "102")
    directory.close()


def test_a_database_without_our_objects_is_named_as_the_reason(bare_database_url: str) -> None:
    directory = Directory(Settings(database_url=bare_database_url), budget=within(2))
    directory.start()
    try:
        with pytest.raises(LookupUnavailable, match="zvonok migrate"):
            directory.caller("101")
    finally:
        directory.close()


@pytest.mark.parametrize("hostile", ["", "\x00", "'; DROP TABLE users; --", "9" * 100_000, "\ud800", "%s"])
def test_hostile_numbers_never_look_like_an_outage(directory: Directory, hostile: str) -> None:
    assert directory.identify(hostile, hostile).caller.kind is Kind.UNKNOWN
    assert directory.owners_of("101")
    assert directory.counts["failed"] == directory.counts["late"] == 0


def test_invisible_marks_around_a_number_change_nothing(directory: Directory) -> None:
    assert directory.caller("\u202e101\u202c").name == "Иванов Иван Петрович"
