"""What `zvonok why` can tell: the trace that the tap keeps, and its words."""

import msgspec

from fastagi import facts
from fastagi.facts import Channel
from fastagi.records import AskOwners, Changed
from fastagi.tap_control import WhyAnswer
from fastagi.trace import MAX_CALLS, MAX_LINES, Trace
from fastagi.why import lines, verdict
from zvonok.call import Call, Caller, End, Line, Reason, State


def channel(uniqueid: str, name: str, linkedid: str = "1.1", **more) -> Channel:
    return Channel(uniqueid=uniqueid, linkedid=linkedid, name=name, **more)


CALLER = channel("1.1", "PJSIP/trunk-1", exten="101", caller_number="+79161112233")
PHONE = channel("1.2", "PJSIP/101-2")


def call(state: State = State.RINGING, end: End | None = None) -> Call:
    return Call(
        call_id="card-1",
        rev=1 if state is State.RINGING else 2,
        first_linkedid="1.1",
        user_id=7,
        state=state,
        caller=Caller(number="+79161112233", name="Пётр"),
        line=Line(number="101"),
        ring_started_at=5,
        pbx="pbx",
        end=end,
    )


def rung(trace: Trace) -> None:
    trace.saw(facts.ChannelNew(channel=CALLER), 1)
    trace.saw(facts.DialBegan(source=CALLER, dest=PHONE, dial_string="101"), 2)


def test_calls_with_a_card_are_counted_by_whether_the_dialplan_announced_them() -> None:
    trace = Trace()
    rung(trace)
    assert trace.announced() == (0, {}), "no card, no count"
    trace.decided(Changed(call=call()), 3)
    assert trace.announced() == (0, {"101": 1})
    trace.saw(facts.Announced(uniqueid="1.1", linkedid="1.1", channel="PJSIP/trunk-1", number="101"), 4)
    assert trace.announced() == (1, {})


def text(trace: Trace) -> str:
    answer = WhyAnswer(calls=trace.last(), ami_up=True, ami_state="up", notifier_ok=True, notifier_state="ok")
    return "\n".join(lines(answer, brief=False))


def test_in_a_cluster_it_does_not_claim_to_know_who_saw_the_card() -> None:
    trace = Trace(receipts=False)
    rung(trace)
    trace.decided(Changed(call=call()), 3)
    assert "put into the cluster" in text(trace)
    assert "no page open" not in text(trace)


def test_a_shown_call_names_the_user_his_states_and_windows():
    trace = Trace()
    rung(trace)
    ask = AskOwners(ask_id="a", number="101")
    trace.decided(ask, 3)
    trace.looked_up(ask, "user 7 (cache, 0 ms)", 3)
    trace.decided(Changed(call=call()), 4)
    trace.delivered({"card-1": 2}, 5)
    trace.decided(Changed(call=call(State.ENDED, End(reason=Reason.MISSED))), 6)
    [traced] = trace.last()
    assert list(verdict(traced)) == ["User 7 (line 101): ringing -> ended (missed); shown in 2 browser windows."]
    shown = text(trace)
    assert "+79161112233 -> 101" in shown
    assert "who owns 101? user 7 (cache, 0 ms)" in shown
    assert "PJSIP/trunk-1 dials PJSIP/101-2 as 101" in shown


def test_a_call_to_a_number_without_owner_says_so_and_what_to_do():
    trace = Trace()
    rung(trace)
    ask = AskOwners(ask_id="a", number="101")
    trace.decided(ask, 3)
    trace.looked_up(ask, "nobody (database, 1 ms)", 3)
    assert list(verdict(trace.last()[0])) == [
        "No card: nobody owns 101. If somebody should, add the number to user_phones."
    ]


def test_a_call_that_dialled_nobody_says_so():
    trace = Trace()
    trace.saw(facts.ChannelNew(channel=CALLER), 1)
    assert "nothing was dialled" in next(verdict(trace.last()[0]))


def test_a_call_that_nobody_could_see_says_that_no_page_was_open():
    trace = Trace()
    rung(trace)
    trace.decided(Changed(call=call()), 4)
    trace.delivered({"card-1": 0}, 5)
    assert "no page open" in next(verdict(trace.last()[0]))


def test_the_legs_of_one_phone_call_are_one_entry_even_when_the_linkedid_changes():
    trace = Trace()
    rung(trace)
    trace.saw(facts.HungUp(channel=channel("1.2", "PJSIP/101-2", linkedid="9.9"), cause=16), 3)
    trace.saw(facts.ChannelNew(channel=channel("9.9", "PJSIP/202-9", linkedid="9.9")), 4)
    assert len(trace.last()) == 1


def test_calls_are_found_by_call_id_linkedid_uniqueid_and_number_in_any_spelling():
    trace = Trace()
    rung(trace)
    trace.decided(Changed(call=call()), 4)
    trace.saw(facts.ChannelNew(channel=channel("2.1", "PJSIP/x-1", linkedid="2.1", exten="555")), 9)
    for wanted in ("card-1", "1.1", "1.2", "101", "8 (916) 111-22-33"):
        assert [c.linkedid for c in trace.last(wanted=wanted)] == ["1.1"], wanted
    assert trace.last(wanted="nothing") == []


def test_it_is_bounded_in_calls_and_lines():
    trace = Trace()
    for n in range(MAX_CALLS + 50):
        trace.saw(facts.ChannelNew(channel=channel(f"{n}.5", "PJSIP/x-1", linkedid=f"{n}.5")), n)
    for n in range(MAX_LINES + 10):
        trace.saw(facts.HungUp(channel=channel("349.5", "PJSIP/x-1", linkedid="349.5")), n)
    assert len(trace.last(10_000)) == MAX_CALLS
    newest = trace.last(1)[0]
    assert len(newest.lines) == MAX_LINES
    assert newest.dropped == 11
    assert len(trace._by_id) <= MAX_CALLS
    assert set().union(*trace._ids.values()) == set(trace._by_id)


def test_a_hostile_name_cannot_steer_the_terminal():
    trace = Trace()
    trace.saw(facts.ChannelNew(channel=channel("1.1", "PJSIP/\x1b[31mred\x07-1", exten="1\x1b]0;x\x07")), 1)
    assert "\x1b" not in text(trace)


def test_the_answer_travels_as_json():
    trace = Trace()
    rung(trace)
    trace.decided(Changed(call=call()), 4)
    answer = WhyAnswer(calls=trace.last(), ami_up=False, ami_state="down", notifier_ok=True, notifier_state="ok")
    assert msgspec.json.decode(msgspec.json.encode(answer), type=WhyAnswer) == answer
