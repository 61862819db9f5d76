"""What the tap remembers of calls: the newest record of each, until it ended too long ago."""

import msgspec

from fastagi.known_calls import KnownCalls
from fastagi.records import Changed, LegRecord, PbxSeen, Record, Resolved, Unresolved
from zvonok.call import Call, Caller, End, Line, Reason, State

TTL = 1_000


def known(*records: Record) -> KnownCalls:
    calls = KnownCalls(TTL)
    for record in records:
        calls.add(record, msgspec.json.encode(record))
    return calls


def changed(call_id: str, *, ended_at: int | None = None, rev: int = 1, linkedid: str = "1.1") -> Changed:
    call = Call(
        call_id=call_id,
        rev=rev,
        pbx="test",
        user_id=1,
        state=State.RINGING if ended_at is None else State.ENDED,
        line=Line(number="101"),
        caller=Caller(),
        first_linkedid=linkedid,
        ring_started_at=0,
        ended_at=ended_at,
        end=None if ended_at is None else End(reason=Reason.MISSED),
    )
    return Changed(call=call)


def ids(calls: KnownCalls) -> list[str]:
    return [call.call_id for call in calls.calls()]


def test_a_call_is_forgotten_when_it_ended_too_long_ago_and_not_before() -> None:
    calls = known(changed("late", ended_at=500), changed("live"), changed("early", ended_at=400))
    calls.forget_old(1_400)
    assert ids(calls) == ["late", "live", "early"]
    calls.forget_old(1_401)
    assert ids(calls) == ["late", "live"]
    calls.forget_old(1_501)
    assert ids(calls) == ["live"]
    assert [msgspec.json.decode(payload, type=Record) for payload in calls.payloads()] == calls.records()


def test_a_call_that_ended_later_after_all_is_kept_for_as_long() -> None:
    calls = known(changed("a", ended_at=0), changed("a", ended_at=800, rev=2), changed("b", ended_at=0), changed("b"))
    calls.forget_old(1_500)
    assert ids(calls) == ["a", "b"]
    calls.forget_old(1_801)
    assert ids(calls) == ["b"]


def test_a_call_is_kept_as_long_as_a_leg_of_its_phone_call_is_unresolved() -> None:
    leg = Unresolved(unresolved_id="u", first_linkedid="1.1", number="102", leg=LegRecord(uniqueid="1.2"))
    calls = known(PbxSeen(started="now"), changed("a", ended_at=0), leg, changed("b", ended_at=0, linkedid="1.9"))
    calls.forget_old(5_000)
    assert ids(calls) == ["a"]
    calls.add(Resolved(unresolved_id="u"), b"{}")
    calls.forget_old(5_000)
    assert calls.records() == [PbxSeen(started="now")]
