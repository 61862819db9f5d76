"""What the phones did, against what every page was told and what the history says."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from tests.faults.faults import RIGHT_WITHIN, TAP_KILLED_AFTER_MS, Fault
from tests.faults.pages import Page
from tests.faults.phones import Phone, PhoneCall, Span
from tests.levels import within

PROMPT_MS: Final = 2_000
"""How late the history may say that it happened, where nothing is wrong; the report says how late it was."""
_RIGHT_MS: Final = within(1_000 * RIGHT_WITHIN)
_IN_FLIGHT_MS: Final = 50
_MARGIN_MS: Final = 500
"""`over` is found out by asking now and then, so it may be early or late by so much."""


class Trouble(Protocol):
    """A fault that was, until all was in step again."""

    @property
    def fault(self) -> Fault: ...
    @property
    def began(self) -> int: ...
    @property
    def over(self) -> int: ...


class Audit:
    """The result of a soak; each list has a sentence for each finding."""

    def __init__(self) -> None:
        self.calls = 0
        self.phones = 0
        self.faults: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.lost: list[str] = []
        self.doubled: list[str] = []
        self.wrong_user: list[str] = []
        self.wrong: list[str] = []
        self.unseen: list[str] = []
        self.late: list[int] = []

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled, told to somebody else, or told wrongly."""
        return not (self.lost or self.doubled or self.wrong_user or self.wrong)

    def report(self, *, shown: int = 20) -> list[str]:
        """For people, at most `shown` findings of a kind; the last line is the verdict."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.reasons.most_common())
        faults = ", ".join(f"{count}x {name}" for name, count in self.faults.most_common())
        lines = [f"{self.faults.total()} faults: {faults}", f"{self.phones} phones rang; the history has: {reasons}"]
        for what, found in (
            ("lost", self.lost),
            ("doubled", self.doubled),
            ("to a wrong user", self.wrong_user),
            ("wrong state, reason or time", self.wrong),
            ("began and ended while no tap was there, and nobody but the PBX knew whose phones rang", self.unseen),
        ):
            lines += [f"{what}: {text}" for text in found[:shown]]
            if len(found) > shown:
                lines.append(f"{what}: and {len(found) - shown} more")
        late = sorted(self.late) or [0]
        lines.append(
            f"the history's times, faults aside, are late by {late[len(late) // 2]} ms (median), "
            f"{late[len(late) * 99 // 100]} ms (99 %), {late[-1]} ms (worst)"
        )
        lines.append(
            f"states, reasons and times: {len(self.wrong)} wrong; unseen by anybody but the PBX: {len(self.unseen)}"
        )
        lines.append(
            f"soak: {self.calls} calls, {len(self.lost)} lost, {len(self.doubled)} doubled, "
            f"{len(self.wrong_user)} to a wrong user"
        )
        return lines


def audit(
    diary: Sequence[PhoneCall],
    rows: Iterable[Mapping[str, Any]],
    pages: Mapping[int, Page],
    bystanders: Iterable[int],
    troubles: Sequence[Trouble],
) -> Audit:
    """Compare. A call is known by its caller's number, which no other call has."""
    result = Audit()
    result.calls = len(diary)
    result.faults.update(trouble.fault.name for trouble in troubles)
    found: dict[tuple[str, int], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        found[_digits(row["caller_number"]), row["user_id"]].append(row)
        result.reasons[row["reason"] or row["state"]] += 1
    shown: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for user, page in pages.items():
        for card in page.cards.values():
            shown[_digits(card["caller"]["number"]), user].append(card)
        result.wrong_user += [f"user {user} was told of a call of user {call['user_id']}" for call in page.strangers]
        if user in bystanders and page.frames:
            result.wrong_user.append(f"user {user} is never called, and was told of {page.frames} states")
    for call in diary:
        for phone in call.phones:
            result.phones += 1
            key = (call.caller, phone.user_id)
            _phone(result, call, phone, found.pop(key, []), shown.pop(key, []), troubles)
    for (caller, user), strangers in [*found.items(), *shown.items()]:
        result.wrong_user += [
            f"user {user} has a call from {caller} that did not ring there: {row}" for row in strangers
        ]
    return result


def _phone(
    result: Audit,
    call: PhoneCall,
    phone: Phone,
    rows: Sequence[Mapping[str, Any]],
    cards: Sequence[Mapping[str, Any]],
    troubles: Sequence[Trouble],
) -> None:
    assert phone.rang is not None
    assert phone.ended is not None
    what = f"{call.outcome} from {call.caller}, rang {phone.rang.done}, ended {phone.ended.done} ({phone.reason})"
    around = [
        t for t in troubles if t.began - 500 <= phone.ended.done and phone.rang.began <= t.over + _RIGHT_MS + _MARGIN_MS
    ]
    what += f", during {', '.join(f'{t.fault.name} ({t.began} to {t.over})' for t in around) or 'no fault'}"
    if not rows or not cards:
        if not rows and not cards and call.outcome == "group" and _unheard(phone.rang, phone.ended, troubles):
            result.unseen.append(what)
        else:
            result.lost.append(f"{what}: {len(rows)} rows, {len(cards)} cards")
        return
    if len(rows) > 1 or len(cards) > 1:
        result.doubled.append(f"{what}: {len(rows)} rows, {len(cards)} cards: {[*map(dict, rows)]}")
        return
    (row,), (card,) = rows, cards
    reasons = {phone.reason, *(["unknown"] if _near(phone.ended, troubles, deaf=True) else [])}
    if row["state"] != "ended" or row["reason"] not in reasons:
        result.wrong.append(f"{what}, answered {phone.answered}: the row says {dict(row)}")
    if card["state"] != "ended" or card["end"]["reason"] != row["reason"]:
        result.wrong.append(f"{what}: the page says {card['state']} {card['end']}, the row {row['reason']}")
    for name, span in (("rang", phone.rang), ("answered", phone.answered), ("ended", phone.ended)):
        if span is not None and row[name] is not None:
            first, last = _bounds(span, troubles)
            if not _near(span, troubles):
                result.late.append(row[name] - span.done)
            if not first <= row[name] <= last:
                result.wrong.append(f"{what}: {name} {span}, the row says {row[name] - span.done:+} ms")
        elif (span is None) != (row[name] is None) and not (span and _near(span, troubles, deaf=True)):
            result.wrong.append(f"{what}: {name} {span}, the row says {row[name]}")


def _near(when: Span, troubles: Sequence[Trouble], *, deaf: bool = False) -> list[Trouble]:
    """The troubles in which the tap heard of `when` late, or (`deaf`) not at all."""
    return [
        trouble
        for trouble in troubles
        if (trouble.fault.deaf or trouble.fault.tap_away or (not deaf and _late(trouble)))
        and trouble.began - 500 <= when.done
        and when.began <= _hears_again(trouble, troubles)
    ]


def _unheard(rang: Span, ended: Span, troubles: Sequence[Trouble]) -> bool:
    """Whether the tap heard nothing of the PBX from `rang` to `ended`: within one trouble, or several without a gap."""
    since = None
    until = 0.0
    for trouble in troubles:
        if not (trouble.fault.deaf or trouble.fault.tap_away):
            continue
        if since is None or trouble.began > until:
            since = trouble.began + (TAP_KILLED_AFTER_MS if trouble.fault.tap_away else 0)
        until = max(until, _hears_again(trouble, troubles))
        # What happened in the milliseconds before a tap was told to stop, it may not have handled any more.
        if since - _IN_FLIGHT_MS <= rang.done and ended.began <= until:
            return True
    return False


def _late(trouble: Trouble) -> bool:
    return trouble.fault.late or trouble.fault.name == "fastagi frozen"


def _hears_again(trouble: Trouble, troubles: Iterable[Trouble]) -> float:
    """When the tap is owed to hear all that happens from then on."""
    return _put_off(trouble.over + _RIGHT_MS, troubles) if trouble.fault.hidden else trouble.over


def _put_off(until: float, troubles: Iterable[Trouble]) -> float:
    """What is owed at `until` is owed later if the tap is taken away or stopped, or cut off, before that."""
    for trouble in troubles:  # in the order in which they began
        if trouble.began <= until and (trouble.fault.deaf or trouble.fault.tap_away or trouble.fault.late):
            until = max(until, trouble.over + _RIGHT_MS)
    return until


def _bounds(when: Span, troubles: Sequence[Trouble]) -> tuple[float, float]:
    near = _near(when, troubles)
    prompt = when.done + within(PROMPT_MS)  # what lasts beyond a trouble's end is owed no earlier than without it
    if not near:
        return when.began - 1, prompt
    late = _put_off(max(trouble.over for trouble in near) + _RIGHT_MS + _MARGIN_MS, troubles)
    return when.began - 1_001, max(late, prompt)


def _digits(number: str | None) -> str:
    return (number or "").lstrip("+")
