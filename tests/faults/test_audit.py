"""The soak's audit finds what is wrong, and excuses only what nobody could have known."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.faults.audit import Audit, audit
from tests.faults.faults import FAULTS
from tests.faults.pages import Page
from tests.faults.phones import Phone, PhoneCall, Span
from tests.faults.soak import Trouble
from tests.levels import within

BEGAN = 1_000_000
ME, OTHER, BYSTANDER = 1, 2, 3
CALLER = "79050000001"


def phone(*, answered: int | None = BEGAN + 2_000, ended: int = BEGAN + 9_000, reason: str = "completed") -> Phone:
    """My phone, which rang at BEGAN."""
    one = Phone(ME, "101")
    one.rang = Span(BEGAN, BEGAN + 5)
    one.answered = None if answered is None else Span(answered, answered + 1)
    one.end(Span(ended, ended + 1), reason)
    return one


def row(**changes: Any) -> dict[str, Any]:
    """The history of just that call."""
    times = {"rang": BEGAN + 6, "answered": BEGAN + 2_003, "ended": BEGAN + 9_004}
    who = {"user_id": ME, "caller_number": f"+{CALLER}"}
    return {**who, "state": "ended", "reason": "completed", "answered_by": None, **times, **changes}


def card(**changes: Any) -> dict[str, Any]:
    """What my page shows in the end."""
    end = {"reason": "completed"}
    return {"call_id": "c", "user_id": ME, "caller": {"number": f"+{CALLER}"}, "state": "ended", "end": end, **changes}


def trouble(name: str, began: int, over: int) -> Trouble:
    """A fault from `began` to `over`."""
    return Trouble(next(fault for fault in FAULTS if fault.name == name), BEGAN + began, BEGAN + over)


def audited(
    *rows: Mapping[str, Any],
    cards: tuple[dict[str, Any], ...] = (card(),),
    mine: Phone | None = None,
    troubles: tuple[Trouble, ...] = (),
    strangers: tuple[int, ...] = (),
) -> Audit:
    """The audit of one call to me; `strangers` were told of it, too."""
    pages = {user: Page(None, "", user) for user in (ME, OTHER, BYSTANDER)}  # type: ignore[arg-type]
    for number, one in enumerate(cards):
        pages[ME].cards[str(number)] = one
    for user in strangers:
        pages[user].frames += 1
        pages[user].strangers.append(card())
    call = PhoneCall.__new__(PhoneCall)
    call.caller, call.outcome, call.phones = CALLER, "answered", (mine or phone(),)
    return audit([call], rows, pages, [BYSTANDER], list(troubles))


def test_a_call_that_is_told_as_it_was_is_clean() -> None:
    result = audited(row())
    assert result.clean
    assert result.report()[-1] == "soak: 1 calls, 0 lost, 0 doubled, 0 to a wrong user"


def test_a_call_without_a_row_or_without_a_card_is_lost() -> None:
    assert audited().lost
    assert audited(row(), cards=()).lost


def test_two_rows_or_two_cards_are_doubled() -> None:
    assert audited(row(), row()).doubled
    assert audited(row(), cards=(card(), card())).doubled


@pytest.mark.parametrize("who", [OTHER, BYSTANDER])
def test_whoever_else_is_told_or_has_the_row_is_a_wrong_user(who: int) -> None:
    assert audited(row(), strangers=(who,)).wrong_user
    assert audited(row(), row(user_id=who)).wrong_user


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": "missed"},
        {"reason": "unknown"},
        {"state": "talking", "reason": None, "ended": None},
        {"answered": None},
        {"rang": BEGAN - 100},
        {"ended": BEGAN + 9_001 + int(within(2_000)) + 100},
    ],
    ids=str,
)
def test_a_wrong_state_reason_or_time_is_wrong_while_nothing_is_broken(changes: dict[str, Any]) -> None:
    reason = changes.get("reason", "completed")
    assert audited(row(**changes), cards=(card(end={"reason": reason}),)).wrong


def test_a_page_that_says_something_else_than_the_row_is_wrong() -> None:
    assert audited(row(), cards=(card(state="talking", end=None),)).wrong
    assert audited(row(), cards=(card(end={"reason": "missed"}),)).wrong


UNKNOWN = {"reason": "unknown", "ended": BEGAN + 9_400}


def unknown(*troubles: Trouble, **changes: Any) -> Audit:
    return audited(row(**{**UNKNOWN, **changes}), cards=(card(end={"reason": "unknown"}),), troubles=troubles)


def test_an_end_that_nobody_heard_may_be_unknown_until_two_seconds_after_the_fault() -> None:
    assert unknown(trouble("AMI cut", 8_000, 10_000)).clean
    assert unknown(trouble("AMI cut", 8_000, 10_000), ended=BEGAN + 12_600 + int(within(2_000))).wrong
    assert unknown(trouble("AMI cut", 2_500, 5_000)).wrong, "it was over long before"
    assert unknown(trouble("intake cut", 8_000, 10_000)).wrong, "the tap heard it"
    assert unknown(trouble("tap frozen", 8_000, 10_000)).wrong, "it heard it afterwards"


def group(*troubles: Trouble) -> Audit:
    """A ring group's call that nobody was told of."""
    pages = {ME: Page(None, "", ME)}  # type: ignore[arg-type]
    call = PhoneCall.__new__(PhoneCall)
    call.caller, call.outcome, call.phones = CALLER, "group", (phone(),)
    return audit([call], [], pages, [], list(troubles))


def test_a_groups_call_is_unseen_only_if_the_tap_heard_nothing_of_the_pbx_all_the_while() -> None:
    assert group(trouble("tap restarted", -10, 9_500)).unseen
    assert group(trouble("AMI cut", -10, 4_000), trouble("tap killed", 3_900, 9_500)).unseen
    assert group(trouble("tap restarted", 1_000, 9_500)).lost
    assert group(trouble("database away, tap killed", -100, 9_500)).lost, "the tap was there when it rang"
    assert group(trouble("database away, tap killed", -600, 9_500)).unseen
    assert group(trouble("tap restarted", -10, 8_000)).lost
    assert group(trouble("AMI cut", -10, 4_000), trouble("tap killed", 4_100, 9_500)).lost
    assert group(trouble("intake cut", -10, 9_500)).lost
    assert group().lost


def test_only_a_fault_of_which_nothing_is_told_may_still_be_felt_for_two_seconds() -> None:
    until = int(within(2_000))
    assert unknown(trouble("AMI swallowed", 5_000, 9_000 - until)).clean
    assert unknown(trouble("AMI swallowed", 5_000, 8_900 - until)).wrong
    assert unknown(trouble("AMI cut", 5_000, 8_900)).wrong


def test_a_fault_in_anothers_recovery_puts_it_off_if_it_stops_the_tap() -> None:
    swallowed = trouble("AMI swallowed", 2_000, 6_000 - int(within(2_000)))
    assert unknown(swallowed, trouble("tap frozen", 5_900, 8_500)).clean
    assert unknown(swallowed, trouble("notifier frozen", 5_900, 8_500)).wrong
    assert unknown(swallowed, trouble("tap frozen", 6_100, 8_500)).wrong
