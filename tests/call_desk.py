"""A tracker with a directory and owners' screens around it, for tests: facts in, what each user saw out.

`Desk` answers the tracker's questions as the tap would, keeps every `Call` by its user, and checks on each step what
must hold for every stream, however broken: revisions rise, an ended episode stays ended, none goes back, only owners
are addressed.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import count

from fastagi.facts import (
    AmiUp,
    CallerFound,
    ChannelsListed,
    DirectoryFact,
    Fact,
    LookupFailed,
    Owner,
    OwnersFound,
)
from fastagi.records import AskCaller, AskOwners, Changed, Note, Output, Record
from fastagi.tracker import Tracker
from zvonok.call import Call, Caller, Kind, State

START = 1_700_000_000_000
_ORDER = {State.RINGING: 0, State.TALKING: 1, State.ENDED: 2}


def user(user_id: int, number: str, label: str | None = None) -> Owner:
    """A user who owns `number`; his name is made of his id."""
    return Owner(user_id=user_id, name=f"User {user_id}", number=number, label=label)


class Desk:
    """A tracker, a directory with these owners (by number), and everything that came out."""

    def __init__(
        self,
        owners: Mapping[str, Iterable[Owner]] | None = None,
        *,
        callers: Mapping[str, Caller] | None = None,
        ami_up: bool = True,
        answers: bool = True,
        ring_watchdog_ms: int = 120_000,
    ) -> None:
        self.owners = {number: tuple(found) for number, found in (owners or {}).items()}
        self.callers = dict(callers or {})
        self.answers = answers
        self.available = True
        self.unanswerable: set[str] = set()
        self._ids = count(1)
        self._watchdog = ring_watchdog_ms
        self.now = START
        self.unanswered: list[AskOwners | AskCaller] = []
        self.asked: list[str] = []
        self.calls: list[Call] = []
        self.records: list[Record] = []
        self.notes: list[Note] = []
        self.latest: dict[str, Call] = {}
        self.tracker = self._new_tracker()
        if ami_up:
            self.feed(AmiUp())

    def _new_tracker(self) -> Tracker:
        return Tracker(pbx="test", new_id=lambda: f"id-{next(self._ids)}", ring_watchdog_ms=self._watchdog)

    def restart(self) -> None:
        """Kill the tap and start it again from its journal."""
        self.tracker = self._new_tracker()
        self.tracker.restore(self.records)
        self.feed(AmiUp())

    def feed(self, *facts: Fact) -> None:
        """Feed facts, a millisecond apart, answering what the tracker asks."""
        for fact in facts:
            self.now += 1
            self._take(self.tracker.feed(fact, now=self.now))

    def wait(self, ms: int) -> None:
        """Let time pass, with ticks as the tap gives them (fewer in long waits)."""
        until = self.now + ms
        step = 100 if ms <= 10_000 else 1_000
        while self.now < until:
            self.now = min(until, self.now + step)
            self._take(self.tracker.tick(now=self.now))

    def listed(self, fact: ChannelsListed) -> None:
        """Feed one list."""
        self.feed(fact)

    def answer_all(self) -> None:
        """Answer what was left unanswered."""
        asks, self.unanswered = self.unanswered, []
        for ask in asks:
            self.now += 1
            self._take(self.tracker.feed(self.answer(ask), now=self.now))

    def answer(self, ask: AskOwners | AskCaller) -> DirectoryFact:
        """What the directory says."""
        if not self.available or ask.number in self.unanswerable:
            return LookupFailed(ask_id=ask.ask_id, why="database down")
        if isinstance(ask, AskOwners):
            return OwnersFound(ask_id=ask.ask_id, owners=self.owners.get(ask.number, ()))
        known = self.callers.get(ask.number, Caller(number=ask.number, kind=Kind.UNKNOWN))
        return CallerFound(ask_id=ask.ask_id, caller=known)

    def _take(self, outputs: list[Output]) -> None:
        todo = deque([outputs])
        while todo:
            answers: list[DirectoryFact] = []
            for output in todo.popleft():
                if isinstance(output, AskOwners | AskCaller):
                    self.asked.append(output.number)
                    if self.answers:
                        answers.append(self.answer(output))
                    else:
                        self.unanswered.append(output)
                elif isinstance(output, Note):
                    self.notes.append(output)
                else:
                    self.records.append(output)
                    if isinstance(output, Changed):
                        self._check(output.call)
            todo += [
                self.tracker.feed(answer, now=self.now) for answer in answers
            ]  # after all of this step, as the tap

    def _check(self, call: Call) -> None:
        before = self.latest.get(call.call_id)
        everybody = {owner.user_id for owners in self.owners.values() for owner in owners}
        assert call.user_id in everybody, f"{call} is addressed to somebody who owns nothing"
        if before == call:
            return  # only its legs have changed, which a restart needs
        if before is not None:
            assert call.rev > before.rev, f"rev does not rise: {before} -> {call}"
            assert before.state is not State.ENDED or call.state is State.ENDED, f"ended revives: {before} -> {call}"
            assert _ORDER[call.state] >= _ORDER[before.state], f"goes back: {before} -> {call}"
            assert call.user_id == before.user_id
        self.latest[call.call_id] = call
        self.calls.append(call)

    def story(self, user_id: int, show: Callable[[Call], str] | None = None) -> list[str]:
        """What this user saw: one word a state, without repetitions, e.g. ringing, talking, completed."""
        out: list[str] = []
        last: dict[str, str] = {}
        for call in self.calls:
            word = call.end.reason.value if call.end is not None else call.state.value
            if call.user_id == user_id and last.get(call.call_id) != word:
                last[call.call_id] = word
                out.append(word if show is None else show(call))
        return out

    def episodes(self, user_id: int) -> list[Call]:
        """The user's episodes, each in its latest state, in the order of their birth."""
        return [call for call in self.latest.values() if call.user_id == user_id]

    def only(self, user_id: int) -> Call:
        """The user's one episode."""
        (call,) = self.episodes(user_id)
        return call

    def run_out(self) -> None:
        """Let everything end: beyond the watchdog and the memory of ended channels."""
        self.wait(self._watchdog + 2_000)
        self.wait(62_000)
