"""AMI on the wire, without a socket: bytes in, messages out; actions to bytes. Pure.

An AMI server greets with one line, then sends blocks of `Header: value` lines, each closed by an empty line. A busy
PBX sends thousands of events a second of which few matter, so an event's name is tested before anything else in it is
looked at. Nothing that Asterisk or a caller's name can put on the wire raises here; only a peer that does not speak
AMI at all does (`NotAmi`).
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from zvonok.errors import ZvonokError

MAX_BLOCK: Final = 256 * 1024
MAX_BANNER: Final = 256
MAX_ACTION_LINE: Final = 1000
"""Asterisk's manager reads lines into 1,025 bytes and refuses longer ones."""

_BANNER: Final = b"Asterisk Call Manager/"
_END: Final = b"\r\n\r\n"
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")


class NotAmi(ZvonokError):  # noqa: N818 - it reads as what it says
    """The peer greeted with something else than AMI's banner."""


class Banner(msgspec.Struct, frozen=True):
    """The greeting. `version` is the protocol's: 5.x is Asterisk 16, 7.x 18, 9.x 20, 11.x 22."""

    version: str


class Message(msgspec.Struct, frozen=True):
    """An event, or the response to an action.

    `event` is the event's name, empty for a response. Headers have Asterisk's spelling; one that is repeated
    (ChanVariable, Variable) has all its values, joined by a line feed. Invalid UTF-8 became U+FFFD.
    """

    event: str
    headers: dict[str, str]

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
        self._wanted = {name.encode(): name for name in wanted}
        self._buffer = bytearray()
        self._greeted = False
        self._skipping = False
        self.events = 0
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
        self._limit()
        wanted = self._wanted
        for block in blocks:
            if self._skipping:
                self._skipping = False
                continue
            if block.startswith(b"Event: "):
                self.events += 1
                end = block.find(b"\r\n")
                name = wanted.get(block[7:end] if end > 0 else block[7:])
                if name is None:
                    self.skipped += 1
                    continue
            else:
                name = ""
            if len(block) > MAX_BLOCK:
                self.oversized += 1
                continue
            headers = _headers(block)
            if headers:
                yield Message(name, headers)
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


def _headers(block: bytes) -> dict[str, str]:
    lines = block.decode("utf-8", "replace").split("\r\n")
    pairs = [line.partition(": ") for line in lines]
    headers = {key: value for key, found, value in pairs if found}
    if len(headers) == len(pairs):
        return headers
    headers = {}
    for line in lines:  # repeated headers, or an empty value whose space is missing ("AccountCode:")
        key, found, value = line.partition(":")
        if not found or not key:
            continue
        value = value.removeprefix(" ")
        headers[key] = f"{headers[key]}\n{value}" if key in headers else value
    return headers


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
