"""A user's page as far as its socket goes: everything that he is told about calls, as it comes."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp

from notifier.auth import issue
from tests.levels import within
from tests.notifiers import AUTH_SECRET


class Watcher:
    """What one user has been told: `calls` has each call's states in order, `newest` the newest of each call."""

    def __init__(self) -> None:
        self.calls: dict[str, list[dict[str, Any]]] = {}
        self._news = asyncio.Event()

    @property
    def newest(self) -> list[dict[str, Any]]:
        """The newest state of each call, in the order of their first appearance."""
        return [states[-1] for states in self.calls.values()]

    def states(self) -> list[list[str]]:
        """The states of each call, such as [["ringing", "talking", "ended"]]."""
        return [[call["state"] for call in states] for states in self.calls.values()]

    async def until(self, condition: Callable[["Watcher"], bool], *, seconds: float = 5) -> None:
        """Wait for the news that make `condition` true."""
        try:
            async with asyncio.timeout(within(seconds)):
                while not condition(self):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"not within {seconds} s; seen: {self.states()}") from None

    def tell(self, call: dict[str, Any]) -> None:
        """One more state, unless it is known."""
        states = self.calls.setdefault(call["call_id"], [])
        if not states or call["rev"] > states[-1]["rev"]:
            states.append(call)
            self._news.set()


@contextlib.asynccontextmanager
async def watching(url: str, user_id: int, *, secret: str = AUTH_SECRET) -> AsyncIterator[Watcher]:
    """A logged-in page of the user at the notifier's `url`; it comes back when the connection is lost."""
    watcher, ready = Watcher(), asyncio.Event()

    async def follow(session: aiohttp.ClientSession) -> None:
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with session.ws_connect(f"{url}/ws") as ws:
                    token = issue(secret, user_id, lifetime_s=3600)
                    await ws.send_json({"v": 1, "type": "auth", "token": token, "tab_id": "test"})
                    async for message in ws:
                        news = json.loads(message.data)
                        for call in news["calls"] if news["type"] == "snapshot" else [news.get("call")]:
                            if call is not None:
                                watcher.tell(call)
                        if news["type"] == "snapshot":
                            ready.set()
            await asyncio.sleep(0.1)

    async with aiohttp.ClientSession() as session:
        task = asyncio.create_task(follow(session))
        try:
            async with asyncio.timeout(within(10)):
                await ready.wait()
            yield watcher
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
