"""AMI on the wire, without a socket: bytes in, messages out; actions to bytes. Pure.

An AMI server greets with one line, then sends blocks of `Header: value` lines, each closed by an empty line. A busy
PBX sends thousands of events a second of which few matter, so an event's name is tested before anything else in it is
looked at. Nothing that Asterisk or a caller's name can put on the wire raises here; only a peer that does not speak
AMI at all does (`NotAmi`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeVar, overload

import msgspec

from zvonok.errors import ZvonokError

MAX_BLOCK: Final = 256 * 1024
MAX_BANNER: Final = 256
MAX_ACTION_LINE: Final = 1000
"""Asterisk's manager reads lines into 1,025 bytes and refuses longer ones."""

_BANNER: Final = b"Asterisk Call Manager/"
_END: Final = b"\r\n\r\n"
_EVENT: Final = b"Event: "
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_HEADER_LINE: Final = re.compile(rb"(?:\A|\r\n)(?:(?!\r\n)[^:])+:")


class NotAmi(ZvonokError):  # noqa: N818 - it reads as what it says
    """The peer greeted with something else than AMI's banner."""


class Banner(msgspec.Struct, frozen=True):
    """The greeting. `version` is the protocol's: 5.x is Asterisk 16, 7.x 18, 9.x 20, 11.x 22."""

    version: str


T = TypeVar("T")


class Headers(Mapping[str, str]):
    """A block's headers, looked up in its text: few of an event's thirty are asked for, so no dict is made of them.

    Keys have Asterisk's spelling; of a header that is repeated (ChanVariable, Variable) this is the first, and
    `every_value` has them all.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    @overload
    def get(self, key: str, /) -> str | None: ...
    @overload
    def get(self, key: str, /, default: str | T) -> str | T: ...
    def get(self, key: str, /, default: object = None) -> object:
        """The header's value."""
        text = self.text
        at = text.find(f"\r\n{key}:")
        if at < 0:
            if not key or not text.startswith(f"{key}:"):
                return default
            at = -2
        at += len(key) + 3  # behind the colon
        end = text.find("\r\n", at)
        return text[at : end if end >= 0 else None].removeprefix(" ")

    def __getitem__(self, key: str) -> str:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[str]:
        keys = (line.partition(":") for line in self.text.split("\r\n"))
        return iter(dict.fromkeys(key for key, colon, _ in keys if key and colon))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return repr(dict(self))


def every_value(headers: Mapping[str, str], key: str) -> list[str]:
    """All values of a header that may be repeated; in a plain mapping a line feed is between them."""
    if not isinstance(headers, Headers):
        return headers.get(key, "").split("\n")
    lines = (line.partition(":") for line in headers.text.split("\r\n"))
    return [value.removeprefix(" ") for name, colon, value in lines if name == key and colon]


class Message(msgspec.Struct, frozen=True, gc=False):
    """An event, or the response to an action.

    `event` is the event's name, empty for a response. Invalid UTF-8 became U+FFFD.
    """

    event: str
    headers: Mapping[str, str]

    @property
    def action_id(self) -> str | None:
        """The ActionID of the action that this message belongs to, if it belongs to one."""
        return self.headers.get("ActionID")

    @property
    def succeeded(self) -> bool:
        """Whether this is a response that says Success (a list's start says so too)."""
        return self.headers.get("Response") == "Success"

    @property
    def ends_list(self) -> bool:
        """Whether this is the last event of a list."""
        return self.headers.get("EventList", "").lower() in ("complete", "cancelled")


class AmiParser:
    """Parses one connection's bytes. `wanted` are the events' names to parse; the others are only counted.

    `skipped` counts unwanted events, `oversized` blocks above MAX_BLOCK (dropped whole), `malformed` blocks without a
    single usable header.
    """

    def __init__(self, wanted: Iterable[str]) -> None:
        self._wanted = {_EVENT + name.encode(): name for name in wanted}
        self._buffer = bytearray()
        self._greeted = False
        self._skipping = False
        self.skipped = 0
        self.oversized = 0
        self.malformed = 0

    def receive(self, data: bytes) -> Iterator[Banner | Message]:
        """What `data` completes, in order. To be exhausted before the next call. Raises `NotAmi`."""
        buffer = self._buffer
        if not self._greeted:
            buffer += data
            end = buffer.find(b"\r\n", 0, MAX_BANNER)
            if end < 0:
                if len(buffer) >= MAX_BANNER or not _BANNER.startswith(bytes(buffer[: len(_BANNER)])):
                    raise NotAmi(_not_ami(bytes(buffer)))
                return
            if not buffer.startswith(_BANNER):
                raise NotAmi(_not_ami(bytes(buffer)))
            self._greeted = True
            yield Banner(buffer[len(_BANNER) : end].decode("ascii", "replace").strip())
            data = bytes(buffer[end + 2 :])
            buffer.clear()
        if buffer:
            scanned = max(0, len(buffer) - 3)
            buffer += data
            if buffer.find(_END, scanned) < 0:
                self._limit()
                return
            data = bytes(buffer)
            buffer.clear()
        blocks = data.split(_END)
        buffer += blocks.pop()
        if self._skipping and blocks:
            self._skipping = False
            del blocks[0]
        self._limit()
        wanted = self._wanted
        for block in blocks:
            end = block.find(b"\r\n")
            name = wanted.get(block[:end] if end > 0 else block)
            if name is None:
                if block.startswith(_EVENT):
                    self.skipped += 1
                    continue
                name = ""
            if len(block) > MAX_BLOCK:
                self.oversized += 1
            elif name or _HEADER_LINE.search(block):
                yield Message(name, Headers(block.decode("utf-8", "replace")))
            else:
                self.malformed += 1

    def _limit(self) -> None:
        """Give up a block that is too long: keep only what may be the start of its end."""
        if len(self._buffer) <= MAX_BLOCK:
            return
        if not self._skipping:
            self._skipping = True
            self.oversized += 1
        del self._buffer[:-3]


def _not_ami(start: bytes) -> str:
    shown = start[:40].decode("ascii", "replace")
    return (
        f"the peer greeted with {shown!r}, which is not Asterisk's manager interface; set ZVONOK_AMI_HOST and "
        "ZVONOK_AMI_PORT to the bindaddr and port of manager.conf (without TLS)"
    )


def encode_action(name: str, action_id: str, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """An action's bytes. Raises ValueError where a value would become another line, or Asterisk would refuse it."""
    lines = [("Action", name), ("ActionID", action_id), *headers]
    out = []
    for key, value in lines:
        if not _HEADER.fullmatch(key):
            raise ValueError(f"an AMI header is letters, digits and dashes, not {key[:40]!r}")
        if any(char in value for char in "\r\n\0"):
            raise ValueError(f"the AMI header {key} must not have a line break or NUL in its value")
        line = f"{key}: {value}\r\n".encode()
        if len(line) > MAX_ACTION_LINE:
            raise ValueError(f"the AMI header {key} is longer than the {MAX_ACTION_LINE} bytes that Asterisk reads")
        out.append(line)
    return b"".join(out) + b"\r\n"
