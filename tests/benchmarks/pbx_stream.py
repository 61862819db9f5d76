"""A PBX's AMI stream of any length: recordings of a real Asterisk with fresh ids; and a tap to follow it.

Calls come one after another: what overlaps in a recording overlaps here.
"""

import re
from collections import deque
from collections.abc import Iterator
from itertools import count, cycle

from fastagi.facts import AmiUp, CallerFound, Fact, Owner, OwnersFound
from fastagi.records import AskCaller, AskOwners, Changed
from fastagi.tracker import Tracker
from tests.recordings import recordings
from zvonok.call import Caller, Kind

_UNIQUEID = re.compile(rb"\b\d{10}(?=\.\d+\b)")
_CHANNEL = re.compile(rb"-([0-9a-f]{8})(?![0-9a-f-])")
_BRIDGE = re.compile(rb"\b[0-9a-f]{8}(?=-[0-9a-f]{4}-[0-9a-f]{4}-)")
END = b"Event: Hangup\r\nChannel: end\r\nUniqueid: end\r\nLinkedid: end\r\nCause: 16\r\n\r\n"
"""What a benchmark's client stops at."""


def calls() -> Iterator[bytes]:
    """Calls for ever, each with all its AMI events, from the recordings of Asterisk 22 in turn."""
    recorded = [
        b"".join(line.raw for line in recording.lines if line.ami is not None)
        for recording in recordings("*.alone")
        if recording.version == "22" and all(line.connection is None for line in recording.lines)
    ]
    for number, words in enumerate(cycle(recorded)):
        yield _fresh(words, number)


def _fresh(words: bytes, number: int) -> bytes:
    """The same events with ids of this call's own."""
    words = _UNIQUEID.sub(b"%d" % (1_800_000_000 + number), words)
    words = _CHANNEL.sub(lambda found: b"-%08x" % ((number * 64 + int(found[1], 16)) & 0xFFFFFFFF), words)
    return _BRIDGE.sub(b"%08x" % (number & 0xFFFFFFFF), words)


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
