"""The browser protocol, version 1: what goes over the WebSocket, both ways. Pure.

JSON text frames, one message a frame. Times are integer milliseconds, Unix UTC, of the notifier's clock. Clients ignore
fields and message types that they do not know, and so does the server with fields; a new meaning gets a new name.
`docs/protocol.md` explains the conversation; `docs/protocol.schema.json` is generated from this file.
"""

from enum import IntEnum, StrEnum
from typing import Annotated, Any, Final, Literal

import msgspec

from zvonok.call import Call

VERSION: Final = 1
MAX_MESSAGE_BYTES: Final = 16 * 1024
MAX_AUTH_BYTES: Final = 4 * 1024

CallId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Close(IntEnum):
    """Why the server closes a socket (RFC 6455 status codes; 4000-4999 are ours)."""

    TOO_BIG = 1009
    RESTARTING = 1012
    BAD_MESSAGE = 4400
    NOT_AUTHENTICATED = 4401
    NOT_ALLOWED = 4403
    TOO_SLOW = 4408
    TOO_MANY = 4409


class ErrorCode(StrEnum):
    """What went wrong with a request of the client; the socket stays open."""

    TEST_CALL_RUNNING = "test_call_running"
    BAD_RENEWAL = "bad_renewal"
    TOO_MANY_DISMISSALS = "too_many_dismissals"


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """One of the user's numbers as the CRM has it, and its `phone_type`."""

    number: str
    label: str | None = None


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Who the token says that the client is; `name` is null while the database cannot be asked."""

    id: int
    name: str | None = None


class ServerMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What every message of the server carries."""

    v: Literal[1] = VERSION
    server_time: int


class Hello(ServerMessage, frozen=True, kw_only=True, tag="hello"):
    """The token was accepted. Comes first, again after each renewal, and when `numbers` becomes known.

    `numbers` is null while the database cannot be asked. `heartbeat_ms`: the server sends a `heartbeat` this often;
    a client that saw none for twice as long reconnects.
    """

    user: User
    numbers: list[Number] | None
    heartbeat_ms: int
    token_expires_at: int


class Snapshot(ServerMessage, frozen=True, kw_only=True, tag="snapshot"):
    """All live and recently ended calls of the user: replaces what the client knows.

    `pbxs` names the PBXs whose state is held in full: a live call of one of these that is missing here is over
    (ended/unknown, until a higher `rev` says otherwise). `dismissed` are those of `calls` that the user has closed:
    they are told on, but not shown. A snapshot comes on each connection, and again when a PBX's state becomes complete.
    """

    calls: list[Call]
    pbxs: list[str]
    dismissed: list[str]


class CallMessage(ServerMessage, frozen=True, kw_only=True, tag="call"):
    """The state of one call, whole. A client drops it unless its `rev` is above the one it has."""

    call: Call


class Dismissed(ServerMessage, frozen=True, kw_only=True, tag="dismissed"):
    """The user closed this call's card, in this tab or another."""

    call_id: str


class Source(ServerMessage, frozen=True, kw_only=True, tag="source"):
    """Whether the PBX `pbx` is heard from. After a connection only those that are down are named."""

    pbx: str
    up: bool


class Heartbeat(ServerMessage, frozen=True, kw_only=True, tag="heartbeat"):
    """The connection lives, and this is the server's clock."""


class Error(ServerMessage, frozen=True, kw_only=True, tag="error"):
    """A request of the client was refused; the socket stays open. `message` is for people (English)."""

    code: ErrorCode
    message: str
    retryable: bool = False
    retry_after_ms: int | None = None


class ClientMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What every message of the client carries."""

    v: Literal[1]


class Auth(ClientMessage, frozen=True, kw_only=True, tag="auth"):
    """The first message, within 5 s; sent again with a fresh token of the same `sub` before the old one expires."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_AUTH_BYTES)]
    tab_id: Annotated[str, msgspec.Meta(max_length=64)] = ""


class Dismiss(ClientMessage, frozen=True, kw_only=True, tag="dismiss"):
    """The user closed this call's card. Sent again after a reconnect; doing it twice is harmless."""

    call_id: CallId


class ClientHeartbeat(ClientMessage, frozen=True, kw_only=True, tag="heartbeat"):
    """The client lives. Optional: the server judges by the pongs that browsers send by themselves."""


class ClientStatus(ClientMessage, frozen=True, kw_only=True, tag="client_status"):
    """Whether this page can ring and be seen; for the operator's metrics. Null: the client does not know."""

    sound: Literal["ready", "blocked", "muted"] | None = None
    notifications: Literal["granted", "denied", "default", "unsupported"] | None = None
    visible: bool | None = None


class TestCall(ClientMessage, frozen=True, kw_only=True, tag="test_call"):
    """Show me a test call: ringing, talking, ended, to all of this user's pages."""

    __test__ = False  # not a test class, whatever pytest thinks of its name


FromServer = Hello | Snapshot | CallMessage | Dismissed | Source | Heartbeat | Error
FromClient = Auth | Dismiss | ClientHeartbeat | ClientStatus | TestCall

_decoder: Final[msgspec.json.Decoder[FromClient]] = msgspec.json.Decoder(FromClient)
_encoder: Final = msgspec.json.Encoder()


def decode(data: str | bytes) -> FromClient:
    """One message of a client. Raises ValueError with a sentence fit for the client's developer."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        raise ValueError(str(exc)) from exc


def encode(message: ServerMessage) -> bytes:
    """The message as UTF-8 JSON."""
    return _encoder.encode(message)


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of both directions: `$defs/FromServer` and `$defs/FromClient`."""
    (server, client), components = msgspec.json.schema_components(
        (FromServer, FromClient), ref_template="#/$defs/{name}"
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Zvonok's browser protocol, version 1",
        "$defs": {**dict(sorted(components.items())), "FromServer": server, "FromClient": client},
    }
