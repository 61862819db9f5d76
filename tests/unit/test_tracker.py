"""The tracker's rules, each with the shortest stream that shows it. Whole scenarios: test_tracker_replay.py."""

import pytest

from fastagi.announcements import EARLY_WAIT_MS
from fastagi.facts import AmiDown, AmiUp, Channel, ChannelsListed, ListedChannel, PbxStarted
from fastagi.records import Resolved, Unresolved
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
from zvonok.call import Caller, End, Kind, Reason, State

IVANOV = Caller(number="+79271390907", name="Иванов И.", kind=Kind.DEALER, id=7, company="ООО Ромашка", matches=1)
ONE = {"101": [user(1, "101", "desk")]}


def desk(**options: object) -> Desk:
    return Desk(ONE, callers={"89271390907": IVANOV}, **options)  # type: ignore[arg-type]


@pytest.fixture
def pbx() -> Pbx:
    return Pbx()


def ring(pbx: Pbx, at: Desk) -> tuple[Channel, Channel]:
    """A caller whose call rings at 101."""
    caller = pbx.caller()
    phone = pbx.channel("PJSIP/101", of=caller, shows=caller.caller_number)
    at.feed(new(caller), new(phone), dial(caller, phone, "101"))
    return caller, phone


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
    began = at.now - 2
    at.wait(1_000)
    at.feed(AmiUp())
    for _ in range(2):
        at.wait(600)
        at.feed(ChannelsListed(rows=(), asked_at=at.now))
    assert at.story(1) == ["unknown"]
    assert at.only(1).ring_started_at == began


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


@pytest.mark.parametrize("age", [1_000, 8_000])
def test_a_late_announcement_whose_call_hangs_up_before_the_list_is_in_the_history(pbx: Pbx, age: int) -> None:
    at = desk(ami_up=False)
    caller = pbx.caller()
    fact = announced(caller, "101", at=at.now)
    at.wait(age)
    at.feed(fact, AmiUp(), hangup(caller))
    assert at.story(1)[-1] == "unknown"
    assert len(at.episodes(1)) == 1


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
