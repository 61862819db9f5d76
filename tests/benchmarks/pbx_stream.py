"""A PBX's AMI stream of any length: recordings of a real Asterisk with fresh ids; and a tap to follow it.

Calls come one after another: what overlaps in a recording overlaps here. Two streams: what our AMI user is sent (the
classes call and agent), and what a user with `read = all` is sent: `data/everything.ami`, a call of the lab's
Asterisk 22 with dialplan hook, ringing and six seconds of talk, whose events are mostly VarSet.
"""

import re
from collections import deque
from collections.abc import Iterator
from itertools import count, cycle
from pathlib import Path

from fastagi.facts import AmiUp, CallerFound, Fact, Owner, OwnersFound
from fastagi.records import AskCaller, AskOwners, Changed
from fastagi.tracker import Tracker
from tests.recordings import recordings
from zvonok.call import Caller, Kind

_IDS = re.compile(
    rb"\b(?P<time>\d{10})(?=\.\d+\b)"  # the first half of a uniqueid
    rb"|(?<=-)(?P<channel>[0-9a-f]{8})(?![0-9a-f-])"  # PJSIP/101-0000002a
    rb"|\b(?P<bridge>[0-9a-f]{8})(?=-[0-9a-f]{4}-[0-9a-f]{4}-)"
)
_BORN, _GONE = re.compile(rb"Event: Newchannel\r\n"), re.compile(rb"Event: Hangup\r\n")
END = b"Event: Hangup\r\nChannel: end\r\nUniqueid: end\r\nLinkedid: end\r\nCause: 16\r\n\r\n"
"""What a benchmark's client stops at."""


class _Template:
    """A recorded call with holes for its ids."""

    def __init__(self, words: bytes) -> None:
        self._pieces: list[bytes] = []
        self._holes: list[tuple[int, str, int]] = []
        at = 0
        for found in _IDS.finditer(words):
            self._pieces += [words[at : found.start()], b""]
            kind = str(found.lastgroup)
            self._holes.append((len(self._pieces) - 1, kind, int(found[0], 16) if kind == "channel" else 0))
            at = found.end()
        self._pieces.append(words[at:])

    def call(self, number: int) -> bytes:
        """The same events with ids of this call's own."""
        pieces = self._pieces.copy()
        fresh = {"time": b"%d" % (1_800_000_000 + number), "bridge": b"%08x" % (number & 0xFFFFFFFF)}
        for place, kind, channel in self._holes:
            pieces[place] = fresh.get(kind) or b"%08x" % ((number * 64 + channel) & 0xFFFFFFFF)
        return b"".join(pieces)


def calls() -> Iterator[bytes]:
    """Calls for ever, each with all its AMI events, from the recordings of Asterisk 22 in turn.

    Only those that are whole: where the AMI connection broke, or a Hangup was lost, Asterisk's list of channels would
    put the tracker right, and there is none here.
    """
    recorded = [
        b"".join(line.raw for line in recording.lines if line.ami is not None)
        for recording in recordings("*.alone")
        if recording.version == "22" and all(line.connection is None for line in recording.lines)
    ]
    return _endless([words for words in recorded if len(_BORN.findall(words)) == len(_GONE.findall(words))])


def calls_with_everything() -> Iterator[bytes]:
    """The same for a user with `read = all`."""
    return _endless([(Path(__file__).parent / "data" / "everything.ami").read_bytes()])


def _endless(recorded: list[bytes]) -> Iterator[bytes]:
    templates = [_Template(words) for words in recorded]
    for number, template in enumerate(cycle(templates)):
        yield template.call(number)


class Follower:
    """The tracker with a directory that answers at once, and knows whose numbers the recordings' are.

    `states` counts the states that owners were to see. Each fact comes 10 ms after the one before.
    """

    def __init__(self) -> None:
        ids = count(1)
        self.tracker = Tracker(pbx="bench", new_id=lambda: f"id-{next(ids)}")
        self.now = 1_800_000_000_000
        self._owners = {
            number: Owner(user_id=user, number=number)
            for recording in recordings("*.alone")
            for user, numbers in recording.people.items()
            for number in numbers
        }
        self.facts = 0
        self.states = 0
        self._ticked = self.now
        self.feed(AmiUp())

    def feed(self, fact: Fact) -> None:
        """One fact, and the answers to what the tracker asks on account of it."""
        self.now += 10
        waiting = deque([fact])
        while waiting:
            self.facts += 1
            for output in self.tracker.feed(waiting.popleft(), now=self.now):
                if isinstance(output, AskOwners):
                    owner = self._owners.get(output.number)
                    waiting.append(OwnersFound(ask_id=output.ask_id, owners=(owner,) if owner else ()))
                elif isinstance(output, AskCaller):
                    caller = Caller(number=output.number, kind=Kind.UNKNOWN)
                    waiting.append(CallerFound(ask_id=output.ask_id, caller=caller))
                elif isinstance(output, Changed):
                    self.states += 1
        if self.now >= self._ticked + 100:
            self._ticked = self.now
            for output in self.tracker.tick(now=self.now):
                self.states += isinstance(output, Changed)
