"""What was missed and what comes late: the directory's answers, lists of channels, restarts of the tap and the PBX."""

from typing import Any

import pytest

from fastagi.facts import AmiDown, AmiUp, Channel, ChannelsListed, ListedChannel, PbxStarted
from fastagi.records import Resolved, Unresolved
from fastagi.switchboard import PhoneCall
from tests.call_desk import Desk, user
from tests.pbx_words import (
    Pbx,
    announced,
    changed,
    dial,
    dial_end,
    enter,
    hangup,
    new,
)
from tests.unit.tracker_calls import desk, ring
from zvonok.call import End, Reason, State


def test_a_list_that_shows_at_once_that_he_answered_makes_no_second_card(pbx: Pbx) -> None:
    at = desk(ami_up=False)
    caller = pbx.caller()
    phone = pbx.channel("PJSIP/101", of=caller, shows=caller.caller_number)
    at.feed(announced(caller, "101"))
    at.wait(600)
    rows = (
        ListedChannel(channel=caller, application="Dial", bridge_id="b1"),
        ListedChannel(channel=phone, application="AppDial", bridge_id="b1"),
    )
    at.feed(AmiUp(), ChannelsListed(rows=rows, asked_at=at.now + 2))
    assert at.story(1) == ["ringing", "talking"]
    assert len(at.episodes(1)) == 1


def test_a_phone_that_is_busy_while_the_list_comes_was_dialled_all_the_same(pbx: Pbx) -> None:
    at = desk(ami_up=False)
    caller = pbx.caller()
    phone = pbx.channel("PJSIP/101", of=caller, shows=caller.caller_number)
    at.feed(AmiUp())
    asked_at = at.now
    rows = (ListedChannel(channel=caller, application="Dial"), ListedChannel(channel=phone, application="AppDial"))
    at.feed(changed(phone), ChannelsListed(rows=rows, asked_at=asked_at))
    assert at.story(1) == ["ringing"]


def test_a_hangup_before_the_list_does_not_say_that_nobody_had_answered(pbx: Pbx) -> None:
    at = desk()
    caller, phone = ring(pbx, at)
    at.restart()
    at.feed(hangup(phone), hangup(caller))
    assert at.story(1) == ["ringing", "unknown"]


@pytest.mark.parametrize("late", [False, True])
def test_a_phone_that_refuses_in_the_millisecond_of_its_call_gives_one_card(pbx: Pbx, late: bool) -> None:
    at = Desk({"101": [user(1, "101")]}, answers=not late)
    caller, phone = pbx.caller(), pbx.channel("PJSIP/101")
    began = at.now
    for fact in (new(caller), new(phone), dial(caller, phone, "101"), dial_end(caller, phone, "BUSY"), hangup(phone)):
        at.now = began  # AMI tells them in one write
        at.feed(fact)
    at.feed(hangup(caller, 17))
    at.answer_all()
    at.wait(2_000)
    assert at.only(1).end == End(reason=Reason.BUSY, cause=16)


def test_late_answers_make_the_same_calls_as_early_ones(pbx: Pbx) -> None:
    at = desk(answers=False)
    caller, phone = ring(pbx, at)
    at.feed(dial_end(caller, phone, "ANSWER"), enter(caller), enter(phone))
    talked = at.now
    at.feed(hangup(phone), hangup(caller))
    assert at.calls == []
    at.answers = True
    at.answer_all()
    card = at.only(1)
    assert (card.state, card.answered_at) == (State.ENDED, talked)
    assert card.end is not None
    assert card.end.reason is Reason.COMPLETED
    at.wait(61_000)
    assert at.tracker.size == 0


def test_a_call_whose_owner_could_not_be_looked_up_is_told_after_it_ended(pbx: Pbx) -> None:
    at = desk()
    at.available = False
    caller, phone = ring(pbx, at)
    at.feed(dial_end(caller, phone, "NOANSWER"), hangup(phone, 0), hangup(caller))
    assert at.calls == []
    assert any(isinstance(entry, Unresolved) for entry in at.records)
    at.available = True
    at.wait(35_000)
    assert at.story(1) == ["missed"]
    assert isinstance(at.records[-1], Resolved)
    at.wait(61_000)
    assert at.tracker.size == 0


def test_a_call_whose_owner_could_not_be_looked_up_survives_a_restart_of_the_tap(pbx: Pbx) -> None:
    at = desk()
    at.available = False
    caller, phone = ring(pbx, at)
    at.feed(dial_end(caller, phone, "NOANSWER"), hangup(phone, 0), hangup(caller))
    at.restart()
    at.available = True
    at.wait(35_000)
    assert at.story(1) == ["missed"]
    assert len(at.episodes(1)) == 1
    for _ in range(2):  # after a restart only a list says that the channels are gone
        at.feed(ChannelsListed(rows=(), asked_at=at.now))
        at.wait(600)
    at.wait(61_000)
    assert at.tracker.size == 0


def did(phone_owner: int) -> Desk:
    """User 1 owns the called number; who owns the phone, the directory cannot tell at first."""
    at = Desk({"74951234567": [user(1, "74951234567")], "101": [user(phone_owner, "101")]})
    at.unanswerable = {"101"}
    return at


def answered(pbx: Pbx, at: Desk) -> tuple[Channel, Channel]:
    caller = pbx.caller(exten="74951234567")
    phone = pbx.channel("PJSIP/101", of=caller)
    at.feed(new(caller), dial(caller, phone, "101"), dial_end(caller, phone, "ANSWER"), enter(caller), enter(phone))
    return caller, phone


def test_an_owner_whose_own_phone_is_known_late_keeps_his_one_card(pbx: Pbx) -> None:
    at = did(phone_owner=1)
    caller, phone = answered(pbx, at)
    talked = at.now
    assert at.story(1) == ["ringing"]
    at.wait(10_000)
    assert at.story(1) == ["ringing", "talking"], "the called number's owner sees that somebody talks"
    at.unanswerable = set()
    at.wait(2_000)
    assert (at.only(1).state, at.only(1).line.number, at.only(1).answered_at) == (State.TALKING, "101", talked)
    at.feed(hangup(phone), hangup(caller))
    assert at.story(1) == ["ringing", "talking", "completed"]
    at.wait(61_000)
    assert at.tracker.size == 0


def test_a_phone_that_turns_out_to_be_a_colleagues_leaves_the_called_numbers_owner(pbx: Pbx) -> None:
    at = did(phone_owner=2)
    caller, phone = answered(pbx, at)
    at.wait(10_000)
    assert at.story(2) == []
    at.unanswerable = set()
    at.wait(2_000)
    end = at.only(1).end
    assert end is not None
    assert (end.reason, end.answered_by and end.answered_by.user_id) == (Reason.ANSWERED_ELSEWHERE, 2)
    assert at.only(1).answered_at is None
    assert at.only(2).state is State.TALKING
    at.feed(hangup(phone), hangup(caller))
    assert at.story(2) == ["talking", "completed"]


@pytest.mark.parametrize("restart", [False, True], ids=["", "the tap restarts in between"])
def test_an_end_may_still_be_told_better_but_never_revives(pbx: Pbx, restart: bool) -> None:
    at = did(phone_owner=2)
    caller, phone = answered(pbx, at)
    at.wait(10_000)
    at.feed(hangup(phone), hangup(caller))
    assert at.story(1) == ["ringing", "talking", "completed"]
    if restart:
        at.restart()
    at.unanswerable = set()
    at.wait(2_000)
    end = at.only(1).end
    assert end is not None
    assert (end.reason, end.answered_by and end.answered_by.user_id) == (Reason.ANSWERED_ELSEWHERE, 2)
    assert at.only(2).end is not None


def test_a_called_numbers_owner_is_found_by_a_list_alone(pbx: Pbx) -> None:
    at = Desk({"74951234567": [user(1, "74951234567")]})
    caller = pbx.caller(exten="74951234567")
    phone = pbx.channel("PJSIP/nobodys", of=caller, shows=caller.caller_number, state=5)
    rows = (
        ListedChannel(channel=caller, application="Dial"),
        ListedChannel(channel=phone, application="AppDial", dial_string="nobodys"),
    )
    at.feed(ChannelsListed(rows=rows, asked_at=at.now))
    at.feed(enter(caller), enter(phone), hangup(phone), hangup(caller))
    assert at.story(1) == ["ringing", "talking", "completed"]


def test_a_phone_whose_card_has_ended_does_not_ring_again_after_a_restart(pbx: Pbx) -> None:
    at = desk()
    caller, phone = ring(pbx, at)
    at.feed(dial_end(caller, phone, "BUSY"))
    at.wait(600)
    assert at.story(1) == ["ringing", "busy"]
    at.restart()
    rows = (
        ListedChannel(channel=caller, application="Dial"),
        ListedChannel(channel=phone, application="AppDial", dial_string="101"),
    )
    at.feed(ChannelsListed(rows=rows, asked_at=at.now))
    assert at.story(1) == ["ringing", "busy"]


def test_a_call_in_progress_survives_a_restart_of_the_tap(pbx: Pbx) -> None:
    at = desk()
    caller, phone = ring(pbx, at)
    at.restart()
    at.feed(dial_end(caller, phone, "ANSWER"), enter(caller), enter(phone))
    began = at.only(1).answered_at
    at.restart()
    at.feed(hangup(phone), hangup(caller))
    assert at.story(1) == ["ringing", "talking", "completed"]
    assert at.only(1).answered_at == began
    at.wait(61_000)
    assert at.tracker.size == 0


def test_a_channel_missing_from_two_lists_ends_its_call_as_unknown(pbx: Pbx) -> None:
    at = desk()
    ring(pbx, at)
    at.wait(1_000)
    at.feed(ChannelsListed(rows=(), asked_at=at.now))
    assert at.tracker.suspects == 2
    at.wait(400)
    at.feed(ChannelsListed(rows=(), asked_at=at.now))
    assert at.story(1) == ["ringing"], "less than 500 ms apart"
    at.wait(200)
    at.feed(ChannelsListed(rows=(), asked_at=at.now))
    assert at.story(1) == ["ringing", "unknown"]
    assert at.tracker.suspects == 0


def test_an_event_between_two_lists_saves_the_call(pbx: Pbx) -> None:
    at = desk()
    caller, phone = ring(pbx, at)
    at.wait(1_000)
    at.feed(ChannelsListed(rows=(), asked_at=at.now))
    at.wait(600)
    at.feed(changed(phone), changed(caller))
    at.wait(600)
    at.feed(ChannelsListed(rows=(), asked_at=at.now))
    assert at.story(1) == ["ringing"]


def test_a_listed_channel_that_has_hung_up_stays_dead(pbx: Pbx) -> None:
    at = desk()
    caller, phone = ring(pbx, at)
    at.feed(dial_end(caller, phone, "NOANSWER"), hangup(phone, 0), hangup(caller))
    at.feed(ChannelsListed(rows=(ListedChannel(channel=phone, application="AppDial"),), asked_at=at.now))
    assert at.story(1) == ["ringing", "missed"]


def test_a_call_that_nobody_heard_begin_is_shown_to_the_owners_of_its_number_and_of_its_phone(pbx: Pbx) -> None:
    at = Desk({"74951234567": [user(3, "74951234567")], "101": [user(1, "101")]})
    caller = pbx.caller(exten="74951234567")
    phone = pbx.channel("PJSIP/101", of=caller, shows=caller.caller_number, state=5)
    rows = (ListedChannel(channel=caller, application="Read"),)
    at.feed(ChannelsListed(rows=rows, asked_at=at.now))
    assert at.calls == []
    rows = (
        ListedChannel(channel=caller, application="Dial"),
        ListedChannel(channel=phone, application="AppDial"),
    )
    at.feed(AmiDown(), AmiUp(), ChannelsListed(rows=rows, asked_at=at.now + 1))
    assert at.story(1) == at.story(3) == ["ringing"]
    at.feed(enter(caller), enter(phone))
    assert at.story(1) == ["ringing", "talking"]
    assert at.story(3) == ["ringing", "answered_elsewhere"]


def test_a_ring_group_and_a_queue_that_nobody_heard_begin_have_their_names(pbx: Pbx) -> None:
    at = Desk({"101": [user(1, "101")], "102": [user(2, "102")], "103": [user(3, "103")]})
    caller, waiting = pbx.caller(exten="600"), pbx.caller(exten="700")
    phones = [pbx.channel(f"PJSIP/{number}", of=caller, state=5) for number in (101, 102)]
    agent = pbx.channel("PJSIP/103", of=waiting, state=5)
    rows = (
        ListedChannel(channel=caller, application="Dial"),
        *(ListedChannel(channel=phone, application="AppDial") for phone in phones),
        ListedChannel(channel=waiting, application="Queue", queue="sales"),
        ListedChannel(channel=agent, application="AppQueue"),
    )
    at.feed(ChannelsListed(rows=rows, asked_at=at.now))
    assert [at.only(user_id).line.queue for user_id in (1, 2, 3)] == ["600", "600", "sales"]


def test_a_restarted_pbx_ends_every_call_as_unknown(pbx: Pbx) -> None:
    at = desk()
    at.feed(PbxStarted(started="2026-01-01 10:00:00"))
    ring(pbx, at)
    at.feed(AmiDown(), AmiUp(), PbxStarted(started="2026-01-01 10:00:00"))
    assert at.story(1) == ["ringing"]
    at.feed(AmiDown(), AmiUp(), PbxStarted(started="2026-01-01 11:00:00"))
    assert at.story(1) == ["ringing", "unknown"]


def test_calls_that_are_over_cost_a_restarted_tracker_nothing_until_a_channel_of_theirs_is_heard_of(pbx: Pbx) -> None:
    at = desk()
    caller, phone = ring(pbx, at)
    at.feed(dial_end(caller, phone, "BUSY"))
    at.wait(600)
    at.feed(hangup(phone))
    over = [ring(pbx, at) for _ in range(5)]
    for one, other in over:
        at.feed(hangup(other), hangup(one))
    at.restart()
    assert at.tracker.size == 0
    at.feed(hangup(caller))
    assert at.tracker.size > 0
    told = len(at.calls)
    for one, _ in over:  # its announcement is told again to a new tap
        at.feed(announced(one, "101", at=at.now - 3_000))
    for _ in range(2):
        at.feed(ChannelsListed(rows=(), asked_at=at.now))
        at.wait(600)
    assert len(at.calls) == told
    at.wait(62_000)
    assert at.tracker.size == 0
    assert not at.tracker.asleep


def test_while_calls_sleep_a_fact_does_not_go_through_all_that_live(pbx: Pbx) -> None:
    at = desk()
    caller, phone = ring(pbx, at)
    at.feed(hangup(phone), hangup(caller))
    at.restart()
    ring(pbx, at)
    calls = at.tracker.board.calls = _Watched(at.tracker.board.calls)
    ring(pbx, at)
    assert at.tracker.asleep
    assert calls.walks == 0


class _Watched(dict[str, PhoneCall]):
    """Counts how often one goes through all of it."""

    walks = 0

    def values(self) -> Any:
        self.walks += 1
        return super().values()
