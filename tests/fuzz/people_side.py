"""Targets on the people's side: the intake, both HTTP ports, the WebSocket, and the settings. A fresh notifier each."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from notifier.intake import Batch
from notifier.limits import Limits
from notifier.messages import FromClient, FromServer
from tests.fuzz.inputs import TEXTS, damaged, of_type
from tests.fuzz.target import Target
from tests.notifier_server import INTAKE_SECRET, Browser, Server, a_call, running, token
from zvonok.call import State

# Nothing here waits for these: every client says when it is done.
PATIENT = Limits(auth_timeout=30, close_timeout=1, silent_connection=30, failures_per_address=1e9, messages=1e6)
FRAMES = msgspec.json.Decoder(FromServer)


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[tuple[Server, Browser]]:
    """A notifier, and a page of user 2 that must get his call whatever was done meanwhile."""
    async with running(PATIENT) as server, server.browser(2) as page:
        yield server, page
        answer = await server.post(a_call("after", user_id=2, pbx="watch"), pbx="watch", run=2**53, seq=1)
        assert answer["delivered"] == {"after": 1}
        async with asyncio.timeout(10):
            while True:
                message = FRAMES.decode((await page.ws.receive()).data)
                if getattr(message, "call", None) is not None and message.call.call_id == "after":
                    return


# --- the intake


def attack_intake(bodies: list[bytes]) -> None:
    """Each body is taken whole or refused with a word; what is taken can be shown, and the next batch is taken."""

    async def attack() -> None:
        async with watched() as (server, _):
            for body in bodies:
                headers = {"Authorization": f"Bearer {INTAKE_SECRET}"}
                async with server.http.post(server.intake + "/intake/v1", data=body, headers=headers) as response:
                    said = json.loads(await response.read())
                    assert response.status in (200, 400, 413), said
                    assert said.keys() <= {"boot", "delivered", "stale", "error", "index"}
            async with server.socket() as late:
                await late.send(type="auth", token=token(1), tab_id="")
                for _ in range(2):
                    message = FRAMES.decode((await late.ws.receive()).data)
                for call in getattr(message, "calls", []):
                    assert call.user_id == 1
                    assert abs(call.ring_started_at) < 2**54

    asyncio.run(attack())


def _batches() -> list[bytes]:
    talking = a_call("c1", state=State.TALKING, answered_at=1)
    made = []
    for calls in ([], [a_call()], [talking, a_call("c2", user_id=2)]):
        batch = {"pbx": "main", "run": 1, "seq": 1, "now": 1, "calls": [msgspec.to_builtins(call) for call in calls]}
        made += [json.dumps(batch | {"live": live}).encode() for live in (None, ["c1"], [])]
    return made


@st.composite
def bodies(draw: DrawFn) -> bytes:
    if draw(st.booleans()):
        return draw(damaged([*_batches(), b"[" * 3000, b'{"pbx":' + b"[" * 3000], most=1))
    batch: Batch = draw(of_type(Batch, BATCH_FIELDS))
    return msgspec.json.encode(batch)


BATCH_FIELDS: dict[str, Any] = {
    "call_id": st.sampled_from(["c1", "c2", "", "a/b", "x" * 65, "\x00"]),
    "user_id": st.one_of(st.integers(1, 3), st.sampled_from([0, -1, 2**63, 2**70])),
    "pbx": st.sampled_from(["main", "other", "x" * 33]),
    "live": st.one_of(st.none(), st.lists(st.sampled_from(["c1", "c2", "after"]), max_size=3)),
}


# --- HTTP


class Asked(msgspec.Struct, frozen=True):
    """What is sent to the users' port, or to the intake's."""

    intake: bool
    data: bytes


def attack_http(asked: list[Asked]) -> None:
    """Whatever comes instead of HTTP, both ports go on, and no answer is a 500."""

    async def attack() -> None:
        async with watched() as (server, _):
            for one in asked:
                address = server.notifier.addresses["intake" if one.intake else "users"]
                reader, writer = await asyncio.open_connection(address.host, address.port)
                with contextlib.suppress(ConnectionError):
                    writer.write(one.data)
                    writer.write_eof()
                    async with asyncio.timeout(10):
                        said = await reader.read()
                    assert b" 500 " not in said.split(b"\r\n")[0], said[:200]
                writer.close()

    asyncio.run(attack())


REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /client/index.js HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"x\"\r\nAccept-Encoding: gzip\r\n\r\n",
    b"GET /api/calls?limit=5&before=1~a&number=%2B7&since=1&reason=missed HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "
    + token(1, lifetime_s=10**9).encode() + b"\r\nOrigin: http://a\r\n\r\n",
    b"OPTIONS /api/calls HTTP/1.1\r\nHost: a\r\nOrigin: http://a:80\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: [::1]:80\r\nX-Forwarded-For: 1.2.3.4, ::1\r\nAuthorization: Bearer x\r\n\r\n",
    b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    b"POST /intake/v1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + INTAKE_SECRET.encode()
    + b"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"pbx\r\n0\r\n\r\n",
    b"POST /intake/v1/test-call HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + INTAKE_SECRET.encode()
    + b"\r\nContent-Length: 45\r\n\r\n{\"user_id\": 1, \"ring\": 0, \"talk\": 0, \"x\": [1]}",
]  # fmt: skip


# --- the WebSocket


class Frame(msgspec.Struct, frozen=True):
    """One frame of a client, right or wrong."""

    first: int
    payload: bytes
    masked: bool = True
    length: int | None = None


class Visit(msgspec.Struct, frozen=True):
    """A client that logs in or does not, and then sends these frames, or just bytes."""

    login: bool
    frames: list[Frame]
    rest: bytes


def attack_socket(visit: Visit) -> None:
    """Whatever a client sends, it gets well-formed messages and a close code, and nobody else notices."""

    async def attack() -> None:
        async with watched() as (server, _):
            before = server.notifier.hub.count
            address = server.notifier.addresses["users"]
            reader, writer = await asyncio.open_connection(address.host, address.port)
            key = base64.b64encode(b"0123456789abcdef").decode()
            writer.write(
                f"GET /ws HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
            )
            await reader.readuntil(b"\r\n\r\n")
            said = b""
            with contextlib.suppress(ConnectionError):
                if visit.login:
                    hello = json.dumps({"v": 1, "type": "auth", "token": token(1), "tab_id": "t"}).encode()
                    writer.write(_wire(Frame(0x81, hello)))
                for frame in visit.frames:
                    writer.write(_wire(frame))
                writer.write(visit.rest)
                writer.write_eof()
                async with asyncio.timeout(10):
                    while data := await reader.read(65_536):
                        said += data
            writer.close()
            for code, payload in _frames(said):
                if code == 0x81:
                    FRAMES.decode(payload)
                else:
                    assert code in (0x88, 0x89, 0x8A), code
                if code == 0x88 and payload:
                    number = int.from_bytes(payload[:2], "big")
                    assert 1000 <= number < 5000, number
                    assert number not in (1004, 1005, 1006, 1015)
                    payload[2:].decode()
            async with asyncio.timeout(10):
                while server.notifier.hub.count != before or len(server.notifier._sessions) != before:
                    await asyncio.sleep(0.001)

    asyncio.run(attack())


def _wire(frame: Frame) -> bytes:
    size = len(frame.payload) if frame.length is None else frame.length
    mask = 0x80 if frame.masked else 0
    head = bytes([frame.first])
    if size < 126:
        head += bytes([mask | size])
    elif size < 65_536:
        head += bytes([mask | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([mask | 127]) + size.to_bytes(8, "big")
    return head + (b"\0\0\0\0" if frame.masked else b"") + frame.payload


def _frames(data: bytes) -> list[tuple[int, bytes]]:
    """The frames that a server sent; the last one may be cut off by the end of the connection."""
    found = []
    while len(data) >= 2:
        code, size, at = data[0], data[1], 2
        assert size < 128, "a server's frame is masked"
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(data[2:10], "big"), 10
        if len(data) < at + size:
            break
        found.append((code, data[at : at + size]))
        data = data[at + size :]
    return found


MESSAGES = of_type(FromClient, {"call_id": st.one_of(TEXTS, st.sampled_from(["c1", "after"]))}).map(msgspec.json.encode)
DISMISS = b'{"v":1,"type":"dismiss","call_id":"c1"}'
FRAMES_IN = st.builds(
    Frame,
    st.sampled_from([0x81, 0x81, 0x81, 0x01, 0x80, 0x00, 0x82, 0x88, 0x89, 0x8A, 0x09, 0xC1, 0x83, 0xFF]),
    st.one_of(MESSAGES, MESSAGES, st.binary(max_size=130), damaged([DISMISS], most=2),
              st.sampled_from([b"[" * 3000, b"\x03\xe8", b"\x03\xedx", b"\x0f\xa0bye", b"\xff" * 125, b'{"v":1e400}'])),
    st.sampled_from([True] * 9 + [False]),
    st.one_of(st.none(), st.none(), st.none(), st.sampled_from([0, 1, 125, 126, 16_384, 16_385, 2**31, 2**63])),
)  # fmt: skip
VISITS = st.builds(Visit, st.booleans(), st.lists(FRAMES_IN, max_size=8), st.binary(max_size=10))


TARGETS: list[Target[Any]] = [
    Target("intake", st.lists(bodies(), min_size=1, max_size=4), attack_intake, codec=list[bytes], quick=25),
    Target("http", st.lists(st.builds(Asked, st.booleans(), damaged(REQUESTS, most=2)), min_size=1, max_size=3),
           attack_http, codec=list[Asked], quick=15),
    Target("socket", VISITS, attack_socket, codec=Visit, quick=25),
]  # fmt: skip
