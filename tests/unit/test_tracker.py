"""The tracker's rules, each with the shortest stream that shows it. Whole scenarios: test_tracker_replay.py."""

import pytest

from fastagi.facts import Channel
from tests.call_desk import Desk, user
from tests.pbx_words import (
    Pbx,
    announced,
    changed,
    dial,
    dial_end,
    enter,
    hangup,
    leave,
    new,
)
from tests.unit.tracker_calls import IVANOV, desk, ring
from zvonok.call import Caller, State


def test_a_simple_call_rings_talks_and_ends(pbx: Pbx) -> None:
    at = desk()
    caller, phone = ring(pbx, at)
    card = at.only(1)
    assert (card.state, card.caller, card.line.number, card.line.label) == (State.RINGING, IVANOV, "101", "desk")
    assert len(at.calls) == 1, "the name is in the first card"
    at.feed(dial_end(caller, phone, "ANSWER"), enter(caller), enter(phone))
    assert at.only(1).answered_at == at.now
    at.feed(leave(phone), leave(caller), hangup(phone), hangup(caller))
    assert at.story(1) == ["ringing", "talking", "completed"]
    assert at.only(1).end is not None
    assert at.only(1).end.cause == 16  # type: ignore[union-attr]
    at.wait(61_000)
    assert at.tracker.size == 0


def test_a_number_at_a_trunk_is_the_only_number_even_if_the_trunk_is_named_after_a_user(pbx: Pbx) -> None:
    at = Desk({"74951234567": [user(1, "74951234567")], "89161112233": [user(2, "89161112233")]})
    colleague = pbx.caller("102", exten="00")
    out = pbx.channel("PJSIP/74951234567", of=colleague)
    at.feed(new(colleague), new(out), dial(colleague, out, "84950000000@74951234567"))
    assert at.calls == []
    mobile = pbx.channel("PJSIP/74951234567", of=colleague)
    at.feed(new(mobile), dial(colleague, mobile, "74951234567/sip:89161112233@sbc"))
    assert {call.user_id for call in at.calls} == {2}


def test_two_owners_of_one_number_both_get_the_card_and_nobody_else(pbx: Pbx) -> None:
    at = Desk({"101": [user(1, "101"), user(2, "101")], "102": [user(3, "102")]})
    caller, phone = ring(pbx, at)
    at.feed(enter(caller), enter(phone), hangup(phone), hangup(caller))
    assert at.story(1) == at.story(2) == ["ringing", "talking", "completed"]
    assert at.story(3) == []


def test_one_user_with_several_phones_has_one_card(pbx: Pbx) -> None:
    at = Desk({"101": [user(1, "101")], "201": [user(1, "201", "mobile")]})
    caller, desk_phone = ring(pbx, at)
    mobile = pbx.channel("PJSIP/201", of=caller)
    at.feed(dial(caller, mobile, "201"), dial_end(caller, desk_phone, "CANCEL"), hangup(desk_phone, 26))
    at.feed(dial_end(caller, mobile, "ANSWER"), enter(caller), enter(mobile))
    assert at.only(1).line.label == "mobile"
    at.feed(hangup(mobile), hangup(caller))
    assert at.story(1) == ["ringing", "talking", "completed"]


def test_originate_gives_no_card_to_the_user_whose_phone_it_rings(pbx: Pbx) -> None:
    at = Desk({"101": [user(1, "101")], "102": [user(2, "102")]})
    own = pbx.channel("PJSIP/101", shows="102")
    at.feed(new(own), dial(None, own, "101"))
    one, two = pbx.channel("Local/101@from-internal-00000001;1"), pbx.channel("Local/101@from-internal-00000001;2")
    phone = pbx.channel("PJSIP/101", of=one)
    at.feed(new(one), new(two), dial(None, one, "101@from-internal"), dial(two, phone, "101"))
    assert at.calls == []
    up = Channel(uniqueid=own.uniqueid, linkedid=own.linkedid, name=own.name, state=6)
    called = pbx.channel("PJSIP/102", of=own, shows="101")
    at.feed(changed(up), dial(up, called, "102"))
    assert at.story(2) == ["ringing"]
    assert at.story(1) == []


def test_a_forwarding_phones_card_ends_at_once(pbx: Pbx) -> None:
    at = Desk({"101": [user(1, "101")], "102": [user(2, "102")]})
    caller, phone = ring(pbx, at)
    one, two = (pbx.channel(f"Local/102@in-00000001;{half}", of=caller) for half in (1, 2))
    target = pbx.channel("PJSIP/102", of=caller, shows="89271390907")
    at.feed(dial_end(caller, phone, "CANCEL", forward="Local/102@in"), new(one), new(two), dial(caller, one, "102@in"))
    assert at.story(1) == ["ringing", "transferred"]
    at.feed(hangup(phone, 23), dial(two, target, "102"), enter(two, "b2"), enter(target, "b2"))
    assert at.story(2) == ["ringing"]
    at.feed(enter(caller), enter(one))
    assert at.story(2) == ["ringing", "talking"]


def test_the_caller_on_the_card_follows_the_phones_display(pbx: Pbx) -> None:
    at = desk()
    caller = pbx.caller("102")
    phone = pbx.channel("PJSIP/101", of=caller, shows="102")
    at.feed(new(caller), dial(caller, phone, "101"))
    assert at.only(1).caller.number == "102"
    shows = Channel(uniqueid=phone.uniqueid, connected_number="89271390907", connected_name="Trunk name")
    at.feed(changed(shows))
    assert at.only(1).caller.name == "Иванов И."
    assert at.only(1).caller.display == "Trunk name"
    assert at.only(1).call_id == at.calls[0].call_id


@pytest.mark.parametrize("number", [None, "anonymous", "unknown"])
def test_an_anonymous_caller_is_shown_not_skipped(pbx: Pbx, number: str | None) -> None:
    at = desk()
    caller = pbx.caller(number)
    at.feed(new(caller), dial(caller, pbx.channel("PJSIP/101", of=caller, shows=number), "101"))
    assert at.only(1).caller.number is None
    assert at.only(1).caller.restricted is (number == "anonymous")
    assert number not in at.asked


def test_a_card_waits_a_quarter_second_for_the_callers_name_and_no_longer(pbx: Pbx) -> None:
    at = desk(answers=False)
    ring(pbx, at)
    asks, at.unanswered = at.unanswered, []
    at.unanswered = [ask for ask in asks if ask.number == "101"]
    at.answer_all()
    callers = [ask for ask in at.unanswered if ask.number != "101"]
    at.unanswered = callers
    assert at.calls == []
    at.wait(300)
    assert at.only(1).caller == Caller(number="89271390907")
    at.answer_all()
    assert at.only(1).caller == IVANOV


def test_a_ringing_card_of_which_nothing_is_heard_ends_by_the_watchdog(pbx: Pbx) -> None:
    at = desk(ring_watchdog_ms=30_000)
    ring(pbx, at)
    at.wait(31_500)
    assert at.story(1) == ["ringing", "unknown"]


def test_facts_about_an_ended_channel_count_for_nothing(pbx: Pbx) -> None:
    at = desk()
    caller, phone = ring(pbx, at)
    at.feed(dial_end(caller, phone, "BUSY"), hangup(phone, 17), hangup(caller, 17))
    at.feed(new(caller), dial(caller, phone, "101"), enter(phone), announced(caller, "101"))
    assert at.story(1) == ["ringing", "busy"]
    assert at.tracker.counters["late_facts"] >= 3
