"""The dialplan asks who calls: the whole FastAGI server, a real database."""

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.agi_peer import connected, request
from tests.fastagi_process import Fastagi
from tests.levels import within


@pytest.fixture
def fastagi(tmp_path: Path, database_url: str) -> Iterator[Fastagi]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO companies (name) VALUES ('ООО \"Ромашка\"')")
        connection.execute("INSERT INTO dealers (name, company_id) SELECT 'Иванов Иван', id FROM companies")
        connection.execute(
            "INSERT INTO dealer_phone_numbers (dealer_id, phone_number) SELECT id, '+7 (927) 139-09-07' FROM dealers"
        )
    server = Fastagi(tmp_path, ZVONOK_DATABASE_URL=database_url)
    yield server
    server.stop()


def ask(fastagi: Fastagi, number: str) -> list[str]:
    with connected(fastagi.address) as peer:
        return peer.run(request("101", "1.1", "vars,name", callerid=number))


def answered(fastagi: Fastagi, number: str) -> list[str]:
    """What is answered once the server has its connection to the database."""
    until = time.monotonic() + within(10)
    while (commands := ask(fastagi, number))[-1].endswith(('"ERROR"', '"LATE"')):
        assert time.monotonic() < until, commands
        time.sleep(0.05)
    return commands


def test_a_dealer_is_named_to_the_dialplan_and_to_the_desk_phone(fastagi: Fastagi) -> None:
    assert answered(fastagi, "89271390907") == [
        'SET VARIABLE "ZVONOK_CALLER_NAME" "Иванов Иван"',
        'SET VARIABLE "ZVONOK_CALLER_KIND" "dealer"',
        'SET VARIABLE "ZVONOK_CALLER_COMPANY" "ООО Ромашка"',
        'SET VARIABLE "CALLERID(name)" "Иванов И. (ООО Ромашка)"',
        'SET VARIABLE "ZVONOK_STATUS" "OK"',
    ]


def test_a_stranger_is_unknown_and_keeps_his_name(fastagi: Fastagi) -> None:
    assert answered(fastagi, "+49301234567")[-1] == 'SET VARIABLE "ZVONOK_STATUS" "UNKNOWN"'
    assert not any("CALLERID" in command for command in ask(fastagi, "+49301234567"))


def test_a_locked_database_costs_the_call_its_budget_and_no_more(fastagi: Fastagi, database_url: str) -> None:
    answered(fastagi, "89271390907")
    with psycopg.connect(database_url) as blocker:
        blocker.execute("LOCK TABLE dealer_phone_numbers, user_phones")
        started = time.monotonic()
        assert ask(fastagi, "89990000000")[-1] == 'SET VARIABLE "ZVONOK_STATUS" "LATE"'
        assert time.monotonic() - started < within(0.6)
        # Known already: answered from memory.
        assert ask(fastagi, "89271390907")[-1] == 'SET VARIABLE "ZVONOK_STATUS" "OK"'
        blocker.rollback()
    assert answered(fastagi, "89990000000")[-1] == 'SET VARIABLE "ZVONOK_STATUS" "UNKNOWN"'
