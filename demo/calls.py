"""Recorded calls of a real Asterisk for the stand-in PBX, and their replay with other people.

A file in `demo/recorded/` is a recording of `tests/data` after one line that says which, and who is in it. Nothing in
it is written by hand; what a replay changes are ids, numbers and the pace.
"""

import itertools
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

DIRECTORY: Final = Path(__file__).parent / "recorded"
PACE: Final = 12.0
"""How much slower than recorded: the test lab's phones ring for 0.3 s."""

_UNIQUEID: Final = re.compile(r"(?<![\d.])\d{9,11}\.\d+(?![\d.])")
_SERIAL: Final = re.compile(r"(?<=-)[0-9a-f]{8}(?=[;\s]|$)")
_BRIDGE: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_serials = itertools.count(1)


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a file: where it was recorded, the caller's number, and the numbers that ring, in order."""

    recording: str
    asterisk: str
    title: str
    caller: str
    people: tuple[str, ...]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a tap gets to know, `t` seconds after the start: an event's lines, or an announcement's fields."""

    t: float
    ami: tuple[str, ...] | None = None
    announced: dict[str, str | bool | None] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The event's headers."""
        return dict(line.partition(": ")[::2] for line in self.ami or ())


class RecordedCall(msgspec.Struct, frozen=True, kw_only=True):
    """One file."""

    head: Head
    text: tuple[str, ...]

    def replay(self, caller: str, people: Sequence[str]) -> Iterator[Line]:
        """The call with new ids, from `caller` to the first of `people`; whom it lacks keeps the recorded number.

        `t` is at the demonstration's pace.
        """
        numbers = dict(zip(self.head.people, people, strict=False)) | {self.head.caller: caller}
        rename = _Rename(numbers)
        for text in self.text:
            line = msgspec.json.decode(rename(text), type=Line)
            yield Line(t=line.t * PACE, ami=line.ami, announced=line.announced)


def recorded_calls() -> list[RecordedCall]:
    """All files, in the order of their names."""
    calls = []
    for path in sorted(DIRECTORY.glob("*.jsonl")):
        first, *rest = path.read_text(encoding="utf-8").splitlines()
        calls.append(RecordedCall(head=msgspec.json.decode(first, type=Head), text=tuple(rest)))
    return calls


class _Rename:
    """Gives ids of its own to one replay, and the same ones to each of its lines."""

    def __init__(self, numbers: Mapping[str, str]) -> None:
        self._numbers = numbers
        self._pattern = re.compile(rf"(?<![\d.])(?:{'|'.join(map(re.escape, numbers))})(?!\d)")
        self._started = int(time.time())
        self._known: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        text = _UNIQUEID.sub(lambda m: self._own(m[0], lambda n: f"{self._started}.{n}"), text)
        text = _BRIDGE.sub(lambda m: self._own(m[0], lambda n: f"5e0f0000-0000-4000-8000-{n:012x}"), text)
        text = _SERIAL.sub(lambda m: self._own(m[0], lambda n: f"{n:08x}"), text)
        return self._pattern.sub(lambda m: self._numbers[m[0]], text)

    def _own(self, old: str, make: Callable[[int], str]) -> str:
        if old not in self._known:
            self._known[old] = make(next(_serials))
        return self._known[old]
