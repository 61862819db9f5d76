"""The trace: what was seen, asked, decided, sent and delivered of the last phone calls, for `zvonok why`. Pure.

Phone calls are grouped by the uniqueids and linkedids that met in a fact, so a transfer stays with the call it came
from. It holds full numbers: it is for the administrator, never for logs.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Final

import msgspec

from fastagi import facts
from fastagi.facts import Channel, Fact
from fastagi.records import AskCaller, AskOwners, Changed, Note, Output, Unresolved
from zvonok.call import Call, State

MAX_CALLS: Final = 300
MAX_LINES: Final = 400
OTHERS: Final = 50


class TraceLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened: `at` in ms, Unix; `kind` is fact, lookup, decision, state or delivery."""

    at: int
    kind: str
    text: str


class TracedCard(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One owner's card of a phone call: its states in order, and the most sockets that one of them reached.

    `sockets` is None where nobody tells us (a cluster's notifiers).
    """

    call_id: str
    user_id: int
    line: str
    rev: int = 0
    states: list[str] = []
    sockets: int | None = 0


class TracedCall(msgspec.Struct, kw_only=True, omit_defaults=True):
    """All that is known of one phone call. `dropped` counts the lines beyond MAX_LINES."""

    linkedid: str
    began_at: int
    caller: str | None = None
    called: str | None = None
    cards: dict[str, TracedCard] = {}
    tried: dict[str, str] = {}
    dialled: bool = False
    announced: bool = False
    lines: list[TraceLine] = []
    dropped: int = 0

    def add(self, at: int, kind: str, text: str) -> None:
        """One more line, unless there are too many."""
        if len(self.lines) < MAX_LINES:
            self.lines.append(TraceLine(at=at, kind=kind, text=text))
        else:
            self.dropped += 1


class Trace:
    """The last MAX_CALLS phone calls. `receipts`: we shall be told how many sockets a state reached."""

    def __init__(self, *, receipts: bool = True) -> None:
        self._receipts = receipts
        self._calls: OrderedDict[str, TracedCall] = OrderedDict()
        self._by_id: dict[str, str] = {}  # a uniqueid, linkedid, ask_id or call_id -> the linkedid that names the call
        self._ids: dict[str, set[str]] = {}  # and back, to forget them with the call
        self._current: TracedCall | None = None

    def saw(self, fact: Fact, at: int) -> None:
        """`fact` is about to be given to the tracker."""
        self._current = None
        ids = list(_ids(fact))
        if not ids:
            return
        traced = self._find(ids, at)
        self._current = traced
        if isinstance(fact, facts.Announced):
            traced.caller, traced.called, traced.announced = fact.caller_number, fact.number, True
        elif isinstance(fact, facts.ChannelNew) and fact.channel.exten and not traced.called:
            traced.caller, traced.called = fact.channel.caller_number, fact.channel.exten
        elif isinstance(fact, facts.DialBegan):
            traced.dialled = True
        text = describe(fact)
        if text is not None:
            traced.add(at, "fact", text)

    def decided(self, output: Output, at: int) -> None:
        """The tracker said `output`, because of the fact seen last or of time."""
        match output:
            case AskOwners(ask_id=ask_id) | AskCaller(ask_id=ask_id):
                if self._current is not None:
                    self._name(ask_id, self._current.linkedid)
            case Note(linkedid=linkedid, text=text):
                self._find([linkedid], at).add(at, "decision", text)
            case Changed(call=call):
                self._state(call, at)
            case Unresolved(first_linkedid=linkedid, number=number):
                self._find([linkedid], at).add(at, "decision", f"the owners of {number} are still asked for")
            case _:
                pass

    def looked_up(self, ask: AskOwners | AskCaller, answer: str, at: int) -> None:
        """The directory answered `ask`, in words."""
        name = self._by_id.get(ask.ask_id)
        traced = self._calls.get(name) if name is not None else None
        if traced is None:
            return
        question = "who owns" if isinstance(ask, AskOwners) else "who calls from"
        if isinstance(ask, AskOwners):
            traced.tried[ask.number] = answer
        traced.add(at, "lookup", f"{question} {ask.number}? {answer}")

    def delivered(self, sockets: dict[str, int], at: int) -> None:
        """The notifier delivered the newest states of these calls to so many browser windows."""
        for call_id, count in sockets.items():
            traced = self._calls.get(self._by_id.get(call_id, ""))
            card = traced.cards.get(call_id) if traced is not None else None
            if traced is None or card is None:
                continue
            card.sockets = max(card.sockets or 0, count)
            where = f"{count} browser windows of" if count else "no open page of"
            traced.add(at, "delivery", f"{card.states[-1]}: delivered to {where} user {card.user_id}")

    def last(self, count: int = 10, *, wanted: str | None = None) -> list[TracedCall]:
        """The newest `count` calls, oldest first; `wanted` is a call_id, linkedid, uniqueid, or part of a number."""
        found = list(self._calls.values())
        if wanted:
            named = self._by_id.get(wanted)
            digits = "".join(filter(str.isdigit, wanted))[-10:]
            found = [c for c in found if c.linkedid == named or (digits and _has_number(c, digits))]
        return found[-count:] if count > 0 else []

    def announced(self) -> tuple[int, dict[str, int]]:
        """Of the calls that showed a card: how many the dialplan announced, and what the others dialled, how often."""
        announced, others = 0, Counter[str]()
        for call in self._calls.values():
            if call.announced and call.cards:
                announced += 1
            elif call.dialled and call.cards:  # a card without a dial is older than this tap
                others[call.called or "?"] += 1
        return announced, dict(others.most_common(OTHERS))

    def _state(self, call: Call, at: int) -> None:
        traced = self._find([call.first_linkedid], at)
        self._name(call.call_id, traced.linkedid, anew=True)  # two phone calls may have turned out to be one
        card = traced.cards.setdefault(
            call.call_id,
            TracedCard(
                call_id=call.call_id, user_id=call.user_id, line=call.line.number, sockets=0 if self._receipts else None
            ),
        )
        if call.rev <= card.rev:
            return  # only its legs have changed
        card.rev = call.rev
        state = f"ended ({call.end.reason})" if call.state is State.ENDED and call.end else str(call.state)
        if not card.states or card.states[-1] != state:
            card.states.append(state)
        who = call.caller.name or call.caller.number or ("hidden number" if call.caller.restricted else "unknown")
        traced.add(at, "state", f"card of user {call.user_id}: {state}, from {who}, on {call.line.number}")

    def _find(self, ids: list[str], at: int) -> TracedCall:
        name = next((self._by_id[i] for i in ids if i in self._by_id), None)
        traced = self._calls.get(name) if name is not None else None
        if traced is None:
            traced = TracedCall(linkedid=ids[-1], began_at=at)
            self._calls[traced.linkedid] = traced
            if len(self._calls) > MAX_CALLS:
                gone, _ = self._calls.popitem(last=False)
                for identifier in self._ids.pop(gone, ()):
                    del self._by_id[identifier]
        for identifier in ids:
            self._name(identifier, traced.linkedid)
        return traced

    def _name(self, identifier: str, linkedid: str, *, anew: bool = False) -> None:
        """From now on `identifier` stands for this call, if it stood for none (`anew`: for whichever)."""
        before = self._by_id.get(identifier)
        if anew and before is not None and before != linkedid:
            del self._by_id[identifier]
            self._ids[before].discard(identifier)
        if self._by_id.setdefault(identifier, linkedid) == linkedid:
            self._ids.setdefault(linkedid, set()).add(identifier)


def describe(fact: Fact) -> str | None:
    """What `fact` says, for somebody who knows Asterisk; None for what tells nothing new."""
    match fact:
        case facts.Announced():
            return f"the dialplan announced {fact.channel} -> {fact.number}, from {fact.caller_number or 'hidden'}"
        case facts.ChannelNew(channel=channel):
            return f"new channel {channel.name}" + (f", dials {channel.exten}" if channel.exten else "")
        case facts.DialBegan():
            source = fact.source.name if fact.source else "the PBX itself (Originate)"
            return f"{source} dials {fact.dest.name}" + (f" as {fact.dial_string}" if fact.dial_string else "")
        case facts.DialEnded():
            target = fact.dest.name if fact.dest else "its target"
            return f"the dial to {target} ended: {fact.status}" + (
                f", forwarded to {fact.forward}" if fact.forward else ""
            )
        case facts.BridgeEntered():
            return f"{fact.channel.name} entered bridge {fact.bridge_id[:8]}" + (" (on hold)" if fact.holding else "")
        case facts.BridgeLeft():
            return f"{fact.channel.name} left bridge {fact.bridge_id[:8]}"
        case facts.HungUp():
            return f"{fact.channel.name} hung up" + (f" (cause {fact.cause})" if fact.cause is not None else "")
        case facts.BlindTransferred():
            return f"{fact.transferer.name} transferred the caller to {fact.extension}"
        case facts.AttendedTransferred():
            return f"{fact.first.name} transferred the call it had ({fact.dest_type})"
        case facts.PickedUp():
            return f"{fact.picker.name} picked up the call that rang at {fact.target.name}"
        case facts.Parked():
            return f"{fact.parkee.name} was parked"
        case facts.Unparked():
            return f"{fact.retriever.name} took the parked {fact.parkee.name}"
        case facts.QueueJoined():
            return f"{fact.channel.name} joined queue {fact.queue}"
        case facts.QueueLeft():
            return f"{fact.channel.name} left queue {fact.queue}"
        case _:
            return None


def _ids(fact: Fact) -> Iterator[str]:
    """The uniqueids and linkedids in `fact`, a linkedid last."""
    if isinstance(fact, facts.Announced):
        yield from (fact.uniqueid, fact.linkedid)
        return
    channels = [value for name in fact.__struct_fields__ if isinstance(value := getattr(fact, name), Channel)]
    yield from (channel.uniqueid for channel in channels)
    yield from (channel.linkedid for channel in channels if channel.linkedid)


def _has_number(call: TracedCall, digits: str) -> bool:
    numbers = [call.caller, call.called, *call.tried, *(card.line for card in call.cards.values())]
    return any("".join(filter(str.isdigit, number or "")).endswith(digits) for number in numbers)
