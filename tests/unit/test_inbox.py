"""The inbox: what is kept, for how long, and what is news."""

import tracemalloc

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from notifier.inbox import MAX_CALLS_PER_USER, MAX_EARLY_DISMISSALS, Inbox
from tests.notifier_server import a_call
from zvonok.call import Call, End, Reason, State

TTL = 600_000
NOW = 1_800_000_000_000


def inbox() -> Inbox:
    return Inbox(recent_ttl_ms=TTL)


def call(call_id: str = "c", rev: int = 1, **changes: object) -> Call:
    return a_call(call_id, rev=rev, ring_started_at=NOW, **changes)


def over(known: Call, at: int = NOW, rev: int = 5) -> Call:
    return msgspec.structs.replace(known, rev=rev, state=State.ENDED, ended_at=at, end=End(reason=Reason.COMPLETED))


def test_a_new_state_is_news_and_the_same_or_an_older_one_is_not() -> None:
    box = inbox()
    assert box.offer(call(rev=2), now=NOW)
    assert box.offer(call(rev=2), now=NOW) is None
    assert box.offer(call(rev=1), now=NOW) is None
    assert box.offer(call(rev=3), now=NOW)
    assert [c.rev for c in box.of_user(1)[0]] == [3]


def test_an_ended_call_stays_for_the_time_of_recent_calls_and_a_live_one_for_ever() -> None:
    box = inbox()
    box.offer(call("live"), now=NOW)
    box.offer(call("over"), now=NOW)
    box.offer(over(call("over")), now=NOW)
    assert box.expire(now=NOW + TTL - 1) == 0
    assert box.expire(now=NOW + TTL) == 1
    box.expire(now=NOW + 100 * TTL)
    assert [c.call_id for c in box.of_user(1)[0]] == ["live"]


def test_a_call_that_ended_too_long_ago_opens_no_card_but_closes_one_that_was_shown() -> None:
    box = inbox()
    assert box.offer(over(call("old"), at=NOW - TTL), now=NOW) is None
    box.offer(call("shown"), now=NOW - 2 * TTL)
    assert box.offer(over(call("shown"), at=NOW - TTL), now=NOW)
    assert len(box) == 1
    assert box.expire(now=NOW + 60_000) == 1


def test_what_a_pbx_no_longer_has_ends_as_unknown_until_a_higher_rev_says_otherwise() -> None:
    box = inbox()
    box.offer(call("gone", rev=10), now=NOW)
    box.offer(call("there"), now=NOW)
    box.offer(call("elsewhere", pbx="other"), now=NOW)
    (ended,) = box.end_missing("main", {"there"}, now=NOW, ended_at=NOW)
    assert (ended.call.call_id, ended.call.rev, ended.call.end) == ("gone", 11, End(reason=Reason.UNKNOWN))
    assert box.end_missing("main", {"there"}, now=NOW, ended_at=NOW) == []
    assert box.offer(call("gone", rev=12), now=NOW)
    assert box.expire(now=NOW + TTL) == 0
    assert {c.call_id: c.state for c in box.of_user(1)[0]}["gone"] is State.RINGING


def test_a_call_that_was_ended_for_want_of_news_lives_again_when_the_pbx_names_it_and_no_other_does() -> None:
    box = inbox()
    for name in ("lost", "over"):
        box.offer(call(name, rev=10), now=NOW)
    box.end_missing("main", (), now=NOW, ended_at=NOW)
    box.offer(over(call("over"), rev=20), now=NOW)
    (revived,) = box.revive(["lost", "over", "never seen"], now=NOW)
    assert (revived.call.call_id, revived.call.state, revived.call.rev) == ("lost", State.RINGING, 12)
    assert box.revive(["lost", "over"], now=NOW) == []
    assert box.expire(now=NOW + TTL) == 1


def test_a_dismissal_lasts_as_long_as_its_call() -> None:
    box = inbox()
    box.offer(call("c"), now=NOW)
    assert box.dismiss(1, "c", now=NOW)
    assert not box.dismiss(1, "c", now=NOW)
    box.offer(over(call("c")), now=NOW)
    assert box.of_user(1)[1] == ["c"]
    box.expire(now=NOW + TTL)
    assert box.of_user(1) == ([], [])
    assert box.dismiss(1, "c", now=NOW + TTL)


def test_a_dismissal_that_comes_before_its_call_holds_and_is_forgotten_if_the_call_never_comes() -> None:
    box = inbox()
    box.dismiss(1, "early", now=NOW)
    box.dismiss(1, "never", now=NOW)
    box.offer(call("early"), now=NOW)
    assert box.of_user(1)[1] == ["early"]
    box.expire(now=NOW + TTL)
    assert box.of_user(1)[1] == ["early"]
    assert box.dismiss(1, "never", now=NOW + TTL)


def test_a_dismissal_is_the_users_own() -> None:
    box = inbox()
    box.offer(call("c"), now=NOW)
    box.dismiss(2, "c", now=NOW)
    assert box.of_user(1)[1] == []


def test_a_user_who_dismisses_without_end_costs_a_bounded_amount_of_memory() -> None:
    box = inbox()
    for number in range(100_000):
        box.dismiss(1, f"never-{number}", now=NOW + number)
    tracemalloc.start()
    for number in range(100_000):
        box.dismiss(1, f"again-{number}", now=NOW + 100_000)
    assert tracemalloc.get_traced_memory()[0] < 64 * 1024
    tracemalloc.stop()
    box.expire(now=NOW + 100_000 + 2 * TTL)
    box.expire(now=NOW + 100_000 + 4 * TTL)
    assert box.dismiss(1, "again-99999", now=NOW + 100_000 + 4 * TTL)  # it was forgotten


def test_nobody_fills_the_memory_with_dismissals_or_calls() -> None:
    box = inbox()
    for number in range(1000):
        box.dismiss(1, f"d{number}", now=NOW)
        box.offer(over(call(f"c{number}", user_id=2)), now=NOW)
    assert len(box._boxes[1].dismissed) == MAX_EARLY_DISMISSALS
    assert len(box.of_user(2)[0]) == MAX_CALLS_PER_USER
    assert box.of_user(2)[0][-1].call_id == "c999"
    box.expire(now=NOW + TTL)
    assert (len(box), box._boxes, box._expiries, box._live) == (0, {}, [], {})


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["offer", "end", "dismiss", "missing", "expire"]),
            st.sampled_from(["a", "b", "c"]),
            st.integers(1, 3),
            st.integers(0, 900_000),
        )
    )
)
def test_revs_only_rise_and_everything_is_forgotten_once_ended(steps: list[tuple[str, str, int, int]]) -> None:
    box, now, revs = inbox(), NOW, dict[str, int]()
    owners = {"a": 1, "b": 1, "c": 2}
    for step, call_id, rise, wait in steps:
        now += wait
        rev = revs.get(call_id, 0) + rise - 2
        one = call(call_id, rev=rev, user_id=owners[call_id])
        match step:
            case "offer" | "end":
                entry = box.offer(one if step == "offer" else over(one, at=now, rev=rev), now=now)
                if entry is not None and (known := revs.get(call_id)) is not None and box.get(call_id) is entry:
                    assert entry.call.rev > known
            case "dismiss":
                box.dismiss(owners[call_id], call_id, now=now)
            case "missing":
                box.end_missing("main", (), now=now, ended_at=now)
            case "expire":
                box.expire(now=now)
        revs = {}  # a call that was forgotten may come again, whatever its rev
        for user in (1, 2):
            for known_call in box.of_user(user)[0]:
                assert known_call.user_id == user
                revs[known_call.call_id] = known_call.rev
    box.end_missing("main", (), now=now, ended_at=now)
    box.expire(now=now + TTL + 1)
    assert (len(box), box._boxes, box._expiries, box._live) == (0, {}, [], {})
