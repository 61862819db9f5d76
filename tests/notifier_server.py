"""A real notifier within the test's own event loop, and what talks to it: a browser's socket and a tap's POSTs.

For tests that look inside it or set its limits; as a process of its own it is in tests/notifiers.py.
"""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec

from notifier.app import Notifier
from notifier.limits import Limits
from tests.levels import within
from tests.notifiers import AUTH_SECRET, INTAKE_SECRET, token
from zvonok.address import Address
from zvonok.call import Call, Caller, End, Line, Reason, State, wall_ms
from zvonok.settings import Settings

__all__ = ["AUTH_SECRET", "INTAKE_SECRET", "Browser", "Server", "a_call", "ended", "running", "settings", "token"]


def settings(**changes: Any) -> Settings:
    """Settings of a notifier on free ports, without a database."""
    values: dict[str, Any] = {
        "http_listen": Address("127.0.0.1", 0),
        "intake_listen": Address("127.0.0.1", 0),
        "intake_secret": INTAKE_SECRET,
        "auth_secret": AUTH_SECRET,
    }
    return Settings(**values | changes)


def a_call(call_id: str = "c1", **changes: Any) -> Call:
    """A ringing call of user 1 on PBX "main"; whatever matters is given."""
    now = wall_ms()
    values: dict[str, Any] = {
        "call_id": call_id,
        "rev": now,
        "first_linkedid": "1700000000.1",
        "user_id": 1,
        "state": State.RINGING,
        "caller": Caller(number="+79271390907", name="Иванов"),
        "line": Line(number="101"),
        "ring_started_at": now,
        "pbx": "main",
    }
    return Call(**values | changes)


def ended(call: Call, reason: Reason = Reason.COMPLETED) -> Call:
    """The call, over."""
    return msgspec.structs.replace(
        call, rev=call.rev + 10, state=State.ENDED, ended_at=wall_ms(), end=End(reason=reason)
    )


class Browser:
    """One page's socket. Heartbeats are set aside."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws

    async def send(self, **message: Any) -> None:
        """Send a message of the protocol."""
        await self.ws.send_str(json.dumps({"v": 1, **message}))

    async def receive(self, wanted: str | None = None, *, seconds: float = 3) -> dict[str, Any]:
        """The next message but heartbeats; it must be of the wanted type."""
        async with asyncio.timeout(within(seconds)):
            while True:
                message = await self.ws.receive()
                assert message.type is aiohttp.WSMsgType.TEXT, (message, self.ws.close_code)
                decoded = json.loads(message.data)
                assert decoded["v"] == 1
                assert abs(decoded["server_time"] - wall_ms()) < 60_000
                if decoded["type"] != "heartbeat":
                    assert wanted in (None, decoded["type"]), decoded
                    return decoded

    async def nothing_comes(self, seconds: float = 0.2) -> None:
        """For so long there is no message but heartbeats."""
        try:
            message = await self.receive(seconds=seconds)
        except TimeoutError:
            return
        raise AssertionError(f"unexpected: {message}")

    async def close_code(self, *, seconds: float = 3) -> int | None:
        """Read until the server closes; its code."""
        async with asyncio.timeout(within(seconds)):
            while (message := await self.ws.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        # aiohttp's client forgets the code if the connection is gone before it can answer.
        return message.data if message.type is aiohttp.WSMsgType.CLOSE else self.ws.close_code


class Server:
    """A running notifier."""

    def __init__(self, notifier: Notifier, session: aiohttp.ClientSession) -> None:
        self.notifier = notifier
        self.http = session
        self.users = f"http://{notifier.addresses['users']}"
        self.intake = f"http://{notifier.addresses['intake']}"
        self._seq = itertools.count(1)
        self.run = wall_ms()

    @contextlib.asynccontextmanager
    async def socket(self, **arguments: Any) -> AsyncIterator[Browser]:
        """A socket that has said nothing yet."""
        async with self.http.ws_connect(self.users + "/ws", max_msg_size=0, **arguments) as ws:
            yield Browser(ws)

    @contextlib.asynccontextmanager
    async def browser(self, user_id: int = 1, **arguments: Any) -> AsyncIterator[Browser]:
        """A page that is logged in and has its snapshot."""
        async with self.socket(**arguments) as browser:
            await browser.send(type="auth", token=token(user_id), tab_id="t")
            await browser.receive("hello")
            await browser.receive("snapshot")
            yield browser

    async def post(
        self, *calls: Call, live: list[str] | None = None, status: int = 200, **changes: Any
    ) -> dict[str, Any]:
        """A batch of the tap of PBX "main"; the answer."""
        body: dict[str, Any] = {
            "pbx": "main", "run": self.run, "seq": next(self._seq), "now": wall_ms(),
            "calls": [msgspec.to_builtins(call) for call in calls], "live": live,
        }  # fmt: skip
        return await self.post_raw(json.dumps(body | changes).encode(), status=status)

    async def post_raw(self, body: bytes, *, status: int = 200, secret: str = INTAKE_SECRET) -> dict[str, Any]:
        """Any body; the answer."""
        headers = {"Authorization": f"Bearer {secret}"}
        async with self.http.post(self.intake + "/intake/v1", data=body, headers=headers) as response:
            assert response.status == status, await response.text()
            answer: dict[str, Any] = await response.json()
            return answer


@contextlib.asynccontextmanager
async def running(limits: Limits | None = None, **changes: Any) -> AsyncIterator[Server]:
    """A notifier of these settings for as long as the block runs."""
    notifier = Notifier(settings(**changes), limits=limits)
    async with aiohttp.ClientSession() as session, notifier.serving():
        yield Server(notifier, session)
