"""The Call contract: the one shape in which a call travels from the tracker to the browser.

Times are integer milliseconds, Unix UTC, of the PBX host's clock when they leave it (the notifier shifts them to its
own). States are always sent whole; `rev` orders them, so delivery is idempotent and the newest wins.
"""

import time
from enum import StrEnum

import msgspec


class State(StrEnum):
    """Where an episode stands. It only ever moves forward: ringing, talking, ended."""

    RINGING = "ringing"
    TALKING = "talking"
    ENDED = "ended"


class Reason(StrEnum):
    """Why an episode ended, seen from its owner."""

    COMPLETED = "completed"
    MISSED = "missed"
    BUSY = "busy"
    REJECTED = "rejected"
    ANSWERED_ELSEWHERE = "answered_elsewhere"
    TRANSFERRED = "transferred"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Kind(StrEnum):
    """Who calls: a user of the CRM, a dealer, or «Неизвестный»."""

    USER = "user"
    DEALER = "dealer"
    UNKNOWN = "unknown"


class Caller(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who calls.

    `number` is E.164 with `+` where it is one, else as dialled; null if `restricted` or absent. `display` is the name
    that the network sent (hostile text); `name`, `id` and `company` are the CRM's. `matches` counts the records that
    have this number; more than one means that the CRM cannot tell which of them calls.
    """

    number: str | None = None
    display: str | None = None
    name: str | None = None
    kind: Kind = Kind.UNKNOWN
    id: int | None = None
    company: str | None = None
    restricted: bool = False
    matches: int = 0
    url: str | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The owner's number that rings, its `phone_type` in the CRM, and the queue or ring group it came through."""

    number: str
    label: str | None = None
    queue: str | None = None


class AnsweredBy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The colleague who took the call; `user_id` is null if the number that answered has no owner."""

    user_id: int | None
    name: str | None


class End(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How the episode ended; `cause` is the Q.850 cause where one decided it (ITU-T Q.850, Asterisk's causes.h)."""

    reason: Reason
    cause: int | None = None
    answered_by: AnsweredBy | None = None


class Call(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One episode of one owner: from his first leg's ringing until his last leg is gone.

    `call_id` is opaque, random at birth and survives restarts. `first_linkedid` groups the episodes of one phone
    call. `rev` rises with each change, even if the tap's state directory is lost (see `next_rev`).
    """

    call_id: str
    rev: int
    first_linkedid: str
    user_id: int
    state: State
    caller: Caller
    line: Line
    ring_started_at: int
    pbx: str
    direction: str = "in"
    answered_at: int | None = None
    ended_at: int | None = None
    end: End | None = None
    test: bool = False


def next_rev(last: int, *, now_ms: int) -> int:
    """The revision after `last`: above it, and above every earlier run's even if those were forgotten."""
    return max(last + 1, now_ms)


def newer(known: Call | None, offered: Call) -> bool:
    """Whether `offered` replaces `known`: a higher `rev` of the same call, or a call not known yet."""
    return known is None or offered.rev > known.rev


def wall_ms() -> int:
    """Milliseconds since the Unix epoch, UTC."""
    return time.time_ns() // 1_000_000


def encode(value: msgspec.Struct) -> bytes:
    """`value` as UTF-8 JSON."""
    return msgspec.json.encode(value)


def decode_call(data: bytes) -> Call:
    """One `Call` from JSON. Raises `msgspec.ValidationError` or `msgspec.DecodeError` (a `ValueError`)."""
    return msgspec.json.decode(data, type=Call)
