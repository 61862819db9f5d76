"""A plain AMI client, written apart from fastagi's: the lab's recorder and its hand on Asterisk.

It keeps every message as the lines that Asterisk sent, in order, with the time of receipt.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Self

import msgspec

from tests.levels import within


class Message(msgspec.Struct, frozen=True):
    """One AMI message: `at` is `time.monotonic()` at its receipt, `lines` its `Header: value` lines in order."""

    at: float
    lines: tuple[str, ...]

    def __getitem__(self, header: str) -> str:
        """The first value of `header`; "" if it is absent."""
        wanted = header.lower() + ":"
        return next((line[len(wanted) :].strip() for line in self.lines if line.lower().startswith(wanted)), "")


class AmiProbe:
    """One logged-in connection. `events` has all of them; `listen(callback)` is told of each as it comes."""

    def __init__(self, port: int, user: str, secret: str) -> None:
        self._port, self._user, self._secret = port, user, secret
        self.events: list[Message] = []
        self._listeners: list[Callable[[Message], None]] = []
        self._replies: dict[str, asyncio.Future[Message]] = {}
        self._lists: dict[str, list[Message]] = {}
        self._news = asyncio.Event()
        self._next_id = 0

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**20)
        banner = await asyncio.wait_for(self._reader.readline(), within(5))
        if not banner:
            raise ConnectionError("AMI closed the connection before its banner")
        self._task = asyncio.create_task(self._read())
        reply = await self.action("Login", Username=self._user, Secret=self._secret)
        if reply["Response"] != "Success":
            raise PermissionError(f"AMI refused the user {self._user}: {reply['Message']}")
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await self._task
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    def listen(self, callback: Callable[[Message], None]) -> None:
        """Call `callback` with each event from now on."""
        self._listeners.append(callback)

    async def action(self, action: str, **headers: str) -> Message:
        """Send an action, give its response (`Variable` may hold several lines)."""
        self._next_id += 1
        action_id = f"probe-{self._next_id}"
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._replies[action_id] = future
        lines = [f"Action: {action}", f"ActionID: {action_id}", *(f"{k}: {v}" for k, v in headers.items())]
        self._writer.write("\r\n".join([*lines, "", ""]).encode())
        return await asyncio.wait_for(future, within(10))

    async def rows(self, action: str, **headers: str) -> list[Message]:
        """The events of a list action such as CoreShowChannels, without the one that ends it."""
        self._next_id += 1
        action_id = f"probe-{self._next_id}"
        rows: list[Message] = []
        self._lists[action_id] = rows
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._replies[action_id] = future
        lines = [f"Action: {action}", f"ActionID: {action_id}", *(f"{k}: {v}" for k, v in headers.items())]
        self._writer.write("\r\n".join([*lines, "", ""]).encode())
        reply = await asyncio.wait_for(future, within(10))
        if reply["Response"] != "Success":
            raise PermissionError(f"AMI refused {action}: {reply['Message']}")
        async with asyncio.timeout(within(10)):
            while not (rows and rows[-1]["EventList"].lower() == "complete"):
                self._news.clear()
                await self._news.wait()
        del self._lists[action_id]
        return rows[:-1]

    async def wait_for(self, event: str, *, timeout: float = 10, **headers: str) -> Message:
        """The first event of that name and with those header values, past or to come."""
        async with asyncio.timeout(within(timeout)):
            seen = 0
            while True:
                for message in self.events[seen:]:
                    if message["Event"] == event and all(message[k] == v for k, v in headers.items()):
                        return message
                seen = len(self.events)
                self._news.clear()
                await self._news.wait()

    async def quiet(self, seconds: float = 0.3, *, timeout: float = 20) -> None:
        """Wait until Asterisk has no channel left and has said nothing for `seconds`."""
        async with asyncio.timeout(within(timeout)):
            while True:
                before = len(self.events)
                await asyncio.sleep(seconds)
                if len(self.events) == before and not await self.rows("CoreShowChannels"):
                    return

    async def _read(self) -> None:
        try:
            while block := await self._reader.readuntil(b"\r\n\r\n"):
                text = block.decode(errors="surrogateescape")
                message = Message(time.monotonic(), tuple(text[:-4].split("\r\n")))
                self._take(message)
        except asyncio.IncompleteReadError:
            pass
        finally:
            for future in self._replies.values():
                if not future.done():
                    future.set_exception(ConnectionError("AMI closed the connection"))

    def _take(self, message: Message) -> None:
        action_id = message["ActionID"]
        if message["Event"] == "":
            if (future := self._replies.pop(action_id, None)) and not future.done():
                future.set_result(message)
        elif action_id in self._lists:
            self._lists[action_id].append(message)
        else:
            self.events.append(message)
            for listener in self._listeners:
                listener(message)
        self._news.set()
