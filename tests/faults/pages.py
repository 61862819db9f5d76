"""A user's page as far as its socket goes: it comes back when it is lost, and keeps what it was told."""

import asyncio
import contextlib
import itertools
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp

from notifier.auth import issue
from tests.notifiers import AUTH_SECRET

_IMPATIENT = aiohttp.ClientWSTimeout(ws_close=0.1)


class Page:
    """One user's page at the notifier of the first of `urls`, and whenever it is lost at the next one's.

    `at`: where it is. `cards`: what it shows, call_id -> the newest state. `frames`: how many frames about a call it
    ever got, snapshots' calls included. `strangers`: calls of somebody else that it was told of; there must be none.
    `closes`: close codes.
    """

    def __init__(self, session: aiohttp.ClientSession, urls: Sequence[str], user_id: int) -> None:
        self._session, self._urls, self.user_id = session, itertools.cycle(urls), user_id
        self._trust: asyncio.Timeout | None = None
        self.cards: dict[str, dict[str, Any]] = {}
        self.at = ""
        self.frames = 0
        self.strangers: list[dict[str, Any]] = []
        self.closes: list[int | None] = []
        self.ready = asyncio.Event()
        self._news = asyncio.Condition()

    async def follow(self) -> None:
        """Stay connected until cancelled."""
        while True:
            self.at = next(self._urls)
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with asyncio.timeout(None) as self._trust:
                    async with self._session.ws_connect(f"{self.at}/ws", timeout=_IMPATIENT) as ws:
                        await self._talk(ws)
                        self.closes.append(ws.close_code)
            self._trust = None
            self.ready.clear()
            await asyncio.sleep(random.uniform(0.05, 0.5))

    def wake(self) -> None:
        """The computer was asleep: the connection is not trusted any more (as notifier/client/core/clock.js has it)."""
        if self._trust is not None:
            self._trust.reschedule(0)

    async def _talk(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        token = issue(AUTH_SECRET, self.user_id, lifetime_s=3600)
        await ws.send_json({"v": 1, "type": "auth", "token": token, "tab_id": "page"})
        async for message in ws:
            if message.type is aiohttp.WSMsgType.TEXT:
                await self._heard(json.loads(message.data))

    async def _heard(self, news: dict[str, Any]) -> None:
        if news["type"] not in ("call", "snapshot"):
            return
        calls = [news["call"]] if news["type"] == "call" else news["calls"]
        for call in calls:
            self.frames += 1
            if call["user_id"] != self.user_id:
                self.strangers.append(call)
            known = self.cards.get(call["call_id"])
            if known is None or call["rev"] > known["rev"]:
                self.cards[call["call_id"]] = call
        if news["type"] == "snapshot":
            here = {call["call_id"] for call in calls}
            for call_id, card in self.cards.items():
                if card["pbx"] in news["pbxs"] and call_id not in here and card["state"] != "ended":
                    self.cards[call_id] = card | {"state": "ended", "end": {"reason": "unknown"}}
            self.ready.set()
        async with self._news:
            self._news.notify_all()

    async def until(self, condition: Callable[["Page"], bool], timeout: float) -> bool:
        """Wait until the condition is true; whether it became so in time."""
        try:
            async with asyncio.timeout(timeout), self._news:
                await self._news.wait_for(lambda: condition(self))
        except TimeoutError:
            return False
        return True
