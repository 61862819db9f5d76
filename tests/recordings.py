"""Loads what tests/asterisk/record.py recorded: real Asterisk's words for a scenario, and what owners must see of it.

`python -m tests.asterisk.record` makes the files in tests/data/; nothing in them is written by hand.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from fastagi.facts import Announced

DATA = Path(__file__).parent / "data"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a tap gets to know, `t` seconds after the start. Exactly one of the others is set.

    `ami`: an event's `Header: value` lines in order. `announced`: what Asterisk passed to FastAGI. `connection`: AMI
    is lost, or up again. `core_status`: the lines of CoreStatus's response. `channels_asked`: CoreShowChannels was
    sent. `channels`: its complete answer, the lines of each row.
    """

    t: float
    ami: tuple[str, ...] | None = None
    announced: Announced | None = None
    connection: Literal["lost", "up"] | None = None
    core_status: tuple[str, ...] | None = None
    channels_asked: bool = False
    channels: tuple[tuple[str, ...], ...] | None = None

    @property
    def raw(self) -> bytes:
        """The event as it was on the wire; only where `ami` is set."""
        return ("\r\n".join(self.ami or ()) + "\r\n\r\n").encode(errors="surrogateescape")


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """One card that an owner must see: (state, caller's number as the PBX has it) step by step, and how it ended.

    Equal steps that follow each other count once. `answered_by` is a user id.
    """

    line: str
    steps: tuple[tuple[str, str | None], ...]
    end: str
    queue: str | None = None
    answered_by: int | None = None


class _Sidecar(msgspec.Struct, frozen=True, kw_only=True):
    scenario: int
    variant: int
    title: str
    mode: Literal["announced", "alone"]
    asterisk: str
    people: dict[int, tuple[str, ...]]
    phones: tuple[str, ...]
    expected: dict[int, tuple[Episode, ...]]


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One play of one scenario.

    `name` is unique (`22/08-1.announced`). `people`: user id -> his numbers, as user_phones has them. `expected`: what
    each of them must see; who is not in it must see nothing. `phones`: the diary of the phones, for people to read.
    """

    name: str
    version: str
    scenario: int
    variant: int
    title: str
    mode: Literal["announced", "alone"]
    asterisk: str
    people: dict[int, tuple[str, ...]]
    phones: tuple[str, ...]
    expected: dict[int, tuple[Episode, ...]]
    lines: tuple[Line, ...]

    def owners(self, number: str) -> list[int]:
        """Whose `number` is, in the order of user ids."""
        return sorted(user for user, numbers in self.people.items() if number in numbers)


def load(path: Path) -> Recording:
    """The recording in `path`, a .jsonl file with its .json sidecar beside it."""
    sidecar = msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=_Sidecar)
    decoder = msgspec.json.Decoder(Line)
    lines = tuple(decoder.decode(line) for line in path.read_bytes().splitlines())
    version = path.parent.name.removeprefix("asterisk-")
    fields = {name: getattr(sidecar, name) for name in sidecar.__struct_fields__}
    return Recording(name=f"{version}/{path.stem}", version=version, lines=lines, **fields)


def recordings(pattern: str = "*") -> Iterator[Recording]:
    """All recordings whose file's name matches the glob `pattern`, as `08-*.alone`, in the order of their names."""
    for path in sorted(DATA.glob(f"asterisk-*/{pattern}.jsonl")):
        yield load(path)
