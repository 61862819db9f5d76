"""JetStream's API as far as we ask it: requests, and what its answers mean. Pure.

Plain requests over the core client, because nats-py's own JetStream layer brings consumers that need 13 s to notice a
restart; see ARCHITECTURE.md.
"""

from typing import Any, Final

import msgspec

from zvonok.cluster.keys import CALLS, DISMISSALS
from zvonok.cluster.values import MAX_VALUE_BYTES

API: Final = "$JS.API"
MAX_BATCH: Final = 500
WRONG_LAST_SEQUENCE: Final = frozenset({10071, 10164})
NO_STREAM: Final = 10059
_EXISTS: Final = frozenset({10058})  # with other settings than ours
_DISMISSAL_BYTES: Final = 16


class ApiError(msgspec.Struct, frozen=True):
    """What JetStream refuses, and why."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class Ack(msgspec.Struct, frozen=True):
    """The answer to a put: the place it has in the bucket, or the error."""

    seq: int = 0
    error: ApiError | None = None


class _Config(msgspec.Struct, frozen=True):
    max_age: int = 0
    num_replicas: int = 1
    allow_direct: bool = False


class _State(msgspec.Struct, frozen=True):
    messages: int = 0
    bytes: int = 0
    last_seq: int = 0


class Info(msgspec.Struct, frozen=True):
    """How a bucket stands."""

    config: _Config = _Config()
    state: _State = _State()
    error: ApiError | None = None

    @property
    def there(self) -> bool:
        """Whether the bucket is there; that it exists with other settings is no error for whoever creates it."""
        return self.error is None or self.error.err_code in _EXISTS


def stream(bucket: str) -> str:
    """The stream of a bucket."""
    return f"KV_{bucket}"


def create(bucket: str, *, max_age_s: float, replicas: int) -> tuple[str, bytes]:
    """Subject and body of the request that makes a bucket: what is older than `max_age_s` is forgotten."""
    config: dict[str, Any] = {
        "name": stream(bucket),
        "subjects": [f"$KV.{bucket}.>"],
        "max_msgs_per_subject": 1,
        "max_age": int(max_age_s * 1e9),
        "max_msg_size": {CALLS: MAX_VALUE_BYTES, DISMISSALS: _DISMISSAL_BYTES}[bucket],
        "retention": "limits",
        "discard": "new",
        "storage": "file",
        "num_replicas": replicas,
        "allow_direct": True,
        "deny_delete": True,
        "deny_purge": True,
    }
    return f"{API}.STREAM.CREATE.{stream(bucket)}", msgspec.json.encode(config)


def info(bucket: str) -> str:
    """The subject that asks how a bucket stands."""
    return f"{API}.STREAM.INFO.{stream(bucket)}"


def read(bucket: str, *, after: int) -> tuple[str, bytes]:
    """Subject and body of the request for what came after the sequence `after`: the newest value of each key."""
    body = {"seq": after + 1, "next_by_subj": f"$KV.{bucket}.>", "batch": MAX_BATCH}
    return f"{API}.DIRECT.GET.{stream(bucket)}", msgspec.json.encode(body)


def ack(data: bytes) -> Ack:
    """The answer to a put. Raises ValueError."""
    return msgspec.json.decode(data, type=Ack)


def info_answer(data: bytes) -> Info:
    """The answer to `info` and `create`. Raises ValueError."""
    return msgspec.json.decode(data, type=Info)


def last_sequence(error: ApiError) -> int | None:
    """Where the key stood when a put with another expectation was refused, as far as JetStream says so."""
    number = error.description.rpartition(": ")[2]
    return int(number) if number.isascii() and number.isdigit() else None


def replicas(servers: int) -> int:
    """How many copies of a bucket: three where three servers are named, since two cannot outvote anybody."""
    return 3 if servers >= 3 else 1
