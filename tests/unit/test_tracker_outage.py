"""A database that is away so long that what waits for it would fill the memory: what is given up, and what is not."""

import pytest

from fastagi import ownership
from fastagi.facts import Channel
from fastagi.records import Resolved, Unresolved
from tests.call_desk import Desk, user
from tests.pbx_words import Pbx, announced, dial, dial_end, enter, hangup, new

LIMIT = 20
CALLS = LIMIT // 2
"""Each has two legs: the number that was dialled, and the phone."""


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "MAX_UNRESOLVED", LIMIT)


def office() -> Desk:
    """Forty people with a phone each, and a database that is away."""
    at = Desk({str(100 + n): [user(n, str(100 + n))] for n in range(1, 41)})
    at.available = False
    return at


def ring(pbx: Pbx, at: Desk, number: int) -> tuple[Channel, Channel]:
    caller, phone = pbx.caller(exten=str(100 + number)), pbx.channel(f"PJSIP/{100 + number}")
    at.feed(new(caller), new(phone), dial(caller, phone, str(100 + number)))
    return caller, phone


def missed(pbx: Pbx, at: Desk, number: int) -> None:
    caller, phone = ring(pbx, at, number)
    at.feed(dial_end(caller, phone, "NOANSWER"), hangup(phone, 0), hangup(caller))
    at.wait(100)


def is_back(at: Desk) -> None:
    at.available = True
    at.wait(35_000)


def test_the_oldest_calls_that_are_over_are_given_up_and_counted_and_all_others_are_told(pbx: Pbx) -> None:
    at = office()
    caller, phone = ring(pbx, at, 1)
    for number in range(2, 21):
        missed(pbx, at, number)
    assert at.tracker.unresolved == LIMIT
    assert at.tracker.given_up == 20 - CALLS
    is_back(at)
    assert [number for number in range(2, 21) if at.story(number)] == list(range(12, 21))
    assert at.story(1) == ["ringing"], "the oldest of all, but it still rings"
    at.feed(dial_end(caller, phone, "NOANSWER"), hangup(phone, 0), hangup(caller))
    at.wait(62_000)
    assert at.story(1) == ["ringing", "missed"]
    assert at.tracker.size == 0


def test_what_was_given_up_is_closed_in_the_journal_too(pbx: Pbx) -> None:
    at = office()
    for number in range(1, 21):
        missed(pbx, at, number)
    opened = {record.unresolved_id for record in at.records if isinstance(record, Unresolved)}
    closed = {record.unresolved_id for record in at.records if isinstance(record, Resolved)}
    assert len(opened - closed) == LIMIT == at.tracker.unresolved
    at.restart()
    is_back(at)
    assert [number for number in range(1, 21) if at.story(number)] == list(range(11, 21))


def test_a_call_that_is_given_up_is_told_to_nobody_instead(pbx: Pbx) -> None:
    at = office()
    at.owners["74951234567"] = (user(40, "74951234567"),)
    caller, phone = pbx.caller(exten="74951234567"), pbx.channel("PJSIP/101")
    at.feed(announced(caller, "74951234567"), new(caller), new(phone), dial(caller, phone, "101"))
    at.feed(dial_end(caller, phone, "ANSWER"), enter(caller), enter(phone), hangup(phone), hangup(caller))
    for number in range(2, 21):
        missed(pbx, at, number)
    is_back(at)
    assert at.story(1) == at.story(40) == []


def test_whom_memory_knows_is_told_how_his_call_ended_though_another_leg_of_it_is_given_up(pbx: Pbx) -> None:
    at = office()
    at.owners["74951234567"] = (user(40, "74951234567"),)
    at.available, at.unanswerable = True, {str(100 + n) for n in range(1, 41)}
    caller, phone = pbx.caller(exten="74951234567"), pbx.channel("PJSIP/101")
    at.feed(announced(caller, "74951234567"), new(caller), new(phone), dial(caller, phone, "101"))
    at.feed(dial_end(caller, phone, "ANSWER"), enter(caller), enter(phone), hangup(phone), hangup(caller))
    for number in range(2, 21):
        missed(pbx, at, number)
    at.wait(62_000)
    assert at.story(40) == ["ringing", "answered_elsewhere"]
    assert at.story(1) == []
