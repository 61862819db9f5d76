"""Announced numbers: when they count, what waits for AMI, and what AMI never shows."""

import pytest

from fastagi.announcements import EARLY_WAIT_MS
from fastagi.facts import AmiDown, AmiUp, ChannelsListed, ListedChannel
from tests.call_desk import START, Desk, user
from tests.pbx_words import (
    Pbx,
    announced,
    blind,
    changed,
    dial,
    dial_end,
    enter,
    hangup,
    leave,
    new,
)
from tests.unit.tracker_calls import IVANOV, desk
from zvonok.call import Reason


def test_an_announcement_alone_opens_no_card_but_warms_the_directory(pbx: Pbx) -> None:
    at = desk()
    caller = pbx.caller(exten="s")
    at.feed(new(caller), announced(caller, "101"))
    assert at.calls == []
    assert at.asked == ["101", "89271390907"]


def test_an_announcement_of_a_channel_that_ami_never_shows_is_dropped(pbx: Pbx) -> None:
    at = desk()
    at.feed(announced(pbx.caller(), "101"))
    at.wait(EARLY_WAIT_MS + 100)
    assert at.tracker.counters["announcements_dropped"] == 1
    assert at.tracker.size == 0


def test_a_call_that_began_and_ended_while_no_tap_was_there_is_in_the_history(pbx: Pbx) -> None:
    at = desk(ami_up=False)
    fact = announced(pbx.caller(), "101", at=at.now)
    at.wait(1_000)
    at.feed(AmiUp(), fact)
    at.wait(EARLY_WAIT_MS + 100)
    card = at.only(1)
    assert at.story(1) == ["unknown"], "a phone that is silent again shows no ringing card"
    assert (card.caller, card.ring_started_at) == (IVANOV, START)
    assert at.tracker.size == 1, "only the memory of the ended channel"
    at.feed(fact)
    at.wait(EARLY_WAIT_MS + 100)
    assert len(at.episodes(1)) == 1


def test_an_old_announcement_opens_no_card_even_with_ami_down(pbx: Pbx) -> None:
    at = desk(ami_up=False)
    fact = announced(pbx.caller(), "101", at=at.now)
    at.wait(6_000)
    at.feed(fact)
    assert at.calls == []
    at.feed(AmiUp())
    at.wait(EARLY_WAIT_MS + 100)
    assert at.story(1) == ["unknown"]


def test_a_call_whose_dial_was_missed_and_that_is_gone_is_in_the_history(pbx: Pbx) -> None:
    at = desk()
    caller = pbx.caller()
    at.feed(new(caller), announced(caller, "101"), AmiDown())
    began = at.now - 1
    at.wait(1_000)
    at.feed(AmiUp())
    for _ in range(2):
        at.wait(600)
        at.feed(ChannelsListed(rows=(), asked_at=at.now))
    assert at.story(1) == ["unknown"]
    assert at.only(1).ring_started_at == began


@pytest.mark.parametrize("age", [1_000, 8_000])
def test_a_late_announcement_whose_call_hangs_up_before_the_list_is_in_the_history(pbx: Pbx, age: int) -> None:
    at = desk(ami_up=False)
    caller = pbx.caller()
    fact = announced(caller, "101", at=at.now)
    at.wait(age)
    at.feed(fact, AmiUp(), hangup(caller))
    assert at.story(1)[-1] == "unknown"
    assert len(at.episodes(1)) == 1


def test_an_announcement_told_again_after_its_hangup_is_in_the_history(pbx: Pbx) -> None:
    at = desk(ami_up=False)
    caller = pbx.caller()
    fact = announced(caller, "101", at=at.now)
    at.wait(1_000)
    at.feed(AmiUp(), hangup(caller), fact, fact)
    at.wait(2_000)
    assert at.story(1)[-1] == "unknown"
    assert len(at.episodes(1)) == 1
    at.wait(62_000)
    assert at.tracker.size == 0


@pytest.mark.parametrize("told_last", [False, True])
def test_a_call_whose_dial_was_missed_and_that_hangs_up_before_the_list_is_in_the_history(
    pbx: Pbx, told_last: bool
) -> None:
    at = desk(ami_up=False)
    caller = pbx.caller()
    fact = announced(caller, "101", at=at.now)
    at.wait(1_000)
    at.feed(AmiUp(), changed(caller), *((hangup(caller), fact) if told_last else (fact, hangup(caller))))
    assert at.story(1)[-1] == "unknown"
    assert at.only(1).ring_started_at == fact.at


def test_an_announcement_that_waited_belongs_to_the_call_that_ami_shows(pbx: Pbx) -> None:
    at = desk(ami_up=False)
    caller, phone = pbx.caller(), pbx.channel("PJSIP/101")
    fact = announced(caller, "101", at=at.now)
    at.wait(1_000)
    at.feed(AmiUp(), fact, new(caller), new(phone), dial(caller, phone, "101"))
    at.wait(EARLY_WAIT_MS + 100)
    assert at.story(1) == ["ringing"]


@pytest.mark.parametrize("over", [False, True])
def test_a_call_that_the_journal_has_is_not_told_twice_when_it_is_announced_again(pbx: Pbx, over: bool) -> None:
    at = desk()
    caller, phone = pbx.caller(), pbx.channel("PJSIP/101")
    fact = announced(caller, "101", at=at.now)
    at.feed(fact, new(caller), new(phone), dial(caller, phone, "101"))
    if over:
        at.feed(hangup(phone), hangup(caller))
    at.restart()
    at.feed(fact)
    at.wait(EARLY_WAIT_MS + 100)
    assert len(at.episodes(1)) == 1


@pytest.mark.parametrize("now", [False, True])
def test_a_transferred_caller_is_announced_before_the_dial_as_any_other(pbx: Pbx, now: bool) -> None:
    at = Desk({"101": [user(1, "101")], "102": [user(2, "102")]})
    caller, one, two = pbx.caller(), pbx.channel("PJSIP/101"), pbx.channel("PJSIP/102")
    at.feed(announced(caller, "101"), new(caller), new(one), dial(caller, one, "101"), enter(caller), enter(one))
    at.feed(blind(one, caller, "102"), leave(caller), announced(caller, "102", now=now))
    assert at.story(2) == (["ringing"] if now else [])
    if now:  # nothing more is heard, not even that the transferer left
        at.run_out()
        assert at.story(2) == ["ringing", "unknown"]
    else:
        at.feed(new(two), dial(caller, two, "102"))
        assert at.story(2) == ["ringing"]


@pytest.mark.parametrize("restarted", [False, True])
def test_what_was_announced_before_a_transfer_counts_for_nothing_when_it_is_told_again(
    pbx: Pbx, restarted: bool
) -> None:
    at = Desk({"101": [user(1, "101")], "102": [user(2, "102")]})
    caller, one, two = pbx.caller(), pbx.channel("PJSIP/101"), pbx.channel("PJSIP/102")
    first = announced(caller, "101", at=at.now)
    at.feed(first, new(caller), new(one), dial(caller, one, "101"), enter(caller), enter(one))
    at.feed(blind(one, caller, "102"), leave(one), leave(caller), hangup(one))
    second = announced(caller, "102", at=at.now)
    at.feed(second, new(two), dial(caller, two, "102"))
    if restarted:
        at.restart()
    at.feed(first, second)
    at.wait(EARLY_WAIT_MS + 100)
    assert at.story(1) == ["ringing", "talking", "transferred"]
    assert at.story(2) == ["ringing"]
    assert len(at.latest) == 2


def test_with_ami_down_an_announcement_opens_the_card_and_the_watchdog_ends_it(pbx: Pbx) -> None:
    at = desk(ami_up=False, ring_watchdog_ms=20_000)
    at.feed(announced(pbx.caller(), "101"))
    assert at.story(1) == ["ringing"]
    at.wait(21_500)
    assert at.story(1) == ["ringing", "unknown"]
    assert at.tracker.size == 1, "only the memory of the ended channel"


def test_a_card_opened_without_ami_goes_on_when_ami_is_back(pbx: Pbx) -> None:
    at = desk(ami_up=False)
    caller = pbx.caller()
    phone = pbx.channel("PJSIP/101", of=caller, shows=caller.caller_number, state=5)
    at.feed(announced(caller, "101"), AmiUp())
    rows = (
        ListedChannel(channel=caller, application="Dial"),
        ListedChannel(channel=phone, application="AppDial"),
    )
    at.feed(ChannelsListed(rows=rows, asked_at=at.now))
    at.wait(600)
    at.feed(ChannelsListed(rows=rows, asked_at=at.now))
    at.feed(enter(caller), enter(phone), hangup(phone), hangup(caller))
    assert at.story(1) == ["ringing", "talking", "completed"]


def test_the_option_now_opens_the_card_at_once_and_whoever_is_bridged_has_answered(pbx: Pbx) -> None:
    at = desk()
    caller = pbx.caller(exten="s")
    phone = pbx.channel("PJSIP/101")
    at.feed(new(caller), announced(caller, "101", now=True), new(phone), enter(caller), enter(phone))
    at.feed(hangup(phone), hangup(caller))
    assert at.story(1) == ["ringing", "talking", "completed"]


def test_the_owner_of_the_announced_number_is_told_who_answered(pbx: Pbx) -> None:
    at = Desk({"74951234567": [user(1, "74951234567")], "101": [user(2, "101")]})
    caller = pbx.caller(exten="s")
    phone = pbx.channel("PJSIP/101", of=caller)
    at.feed(new(caller), announced(caller, "74951234567"), dial(caller, phone, "101"), enter(caller), enter(phone))
    at.feed(hangup(phone), hangup(caller))
    end = at.only(1).end
    assert end is not None
    assert end.reason is Reason.ANSWERED_ELSEWHERE
    assert end.answered_by is not None
    assert end.answered_by.user_id == 2
    assert at.story(2) == ["ringing", "talking", "completed"]


def test_a_leg_without_an_owner_counts_for_the_announced_number(pbx: Pbx) -> None:
    at = Desk({"74951234567": [user(1, "74951234567")]})
    caller = pbx.caller(exten="74951234567")
    phone = pbx.channel("SIP/yealink", of=caller)
    at.feed(new(caller), dial(caller, phone, "yealink"), enter(caller), enter(phone), hangup(phone), hangup(caller))
    assert at.story(1) == ["ringing", "talking", "completed"]


def test_a_hunt_keeps_the_announced_owners_card_open_from_phone_to_phone(pbx: Pbx) -> None:
    at = Desk({"74951234567": [user(1, "74951234567")], "101": [user(2, "101")], "102": [user(3, "102")]})
    caller = pbx.caller(exten="74951234567")
    first = pbx.channel("PJSIP/101", of=caller)
    second = pbx.channel("PJSIP/102", of=caller)
    at.feed(new(caller), dial(caller, first, "101"), dial_end(caller, first, "NOANSWER"), hangup(first, 0))
    at.wait(500)
    at.feed(dial(caller, second, "102"), dial_end(caller, second, "NOANSWER"), hangup(second, 0))
    assert at.story(1) == ["ringing"]
    gone = at.now
    at.wait(1_200)
    assert at.story(1) == ["ringing", "missed"]
    assert gone - 1 <= (at.only(1).ended_at or 0) <= gone
    assert at.story(2) == at.story(3) == ["ringing", "missed"]
