"""What a connection held is free again when it is over: counted in objects, which no load and no allocator blurs."""

import asyncio
import contextlib
import gc
from collections import Counter

import aiohttp
import pytest

from notifier.limits import Limits
from notifier.session import Session
from tests.levels import within
from tests.notifier_server import Server, a_call, ended, running

PAGES = 50
IMPATIENT = aiohttp.ClientWSTimeout(ws_close=0.1)
ROUNDS = 6
QUICK = Limits(close_timeout=0.1)


async def a_round(server: Server, number: int) -> None:
    """Pages of as many users come, hear of a call each, and leave, each in one of several ways."""
    async with contextlib.AsyncExitStack() as stack:
        pages = [
            await stack.enter_async_context(server.browser(user, timeout=IMPATIENT)) for user in range(1, PAGES + 1)
        ]
        calls = [a_call(f"{number}-{user}", user_id=user) for user in range(1, PAGES + 1)]
        await server.post(*calls)
        for page in pages:
            await page.receive("call")
        await server.post(*map(ended, calls))
        for index, page in enumerate(pages):
            if index % 4 == 1:
                page.ws._response.connection.transport.abort()  # type: ignore[union-attr]
            elif index % 4 == 2:
                await page.send(type="nonsense")
            elif index % 4 == 3:
                await page.ws.close()
    async with asyncio.timeout(within(10)):
        while server.notifier.hub.count or server.notifier._sessions:
            await asyncio.sleep(0.01)


async def left_over(server: Server, number: int) -> Counter[str]:
    """What there is after a round, by type."""
    await a_round(server, number)
    await asyncio.sleep(3 * QUICK.close_timeout)
    server.notifier._crowd.forget_closed(now=asyncio.get_running_loop().time())  # as each 5 s
    for _ in range(3):
        gc.collect()
    return Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())


async def growth(server: Server) -> Counter[str]:
    """By how many objects of each type the last rounds grew; the first ones fill caches, and the calls' own memory."""
    found = [await left_over(server, number) for number in range(ROUNDS)]
    return found[-1] - found[-3]


async def test_a_connection_that_is_over_leaves_nothing_behind() -> None:
    async with running(QUICK, recent_ttl=0.2) as server:
        grown = await growth(server)
    assert grown.total() < PAGES, grown.most_common(10)
    assert grown["notifier.session.Session"] == 0


async def test_this_would_notice_one_object_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []

    class Leak:
        """Something that holds something, so that the collector knows it."""

        def __init__(self) -> None:
            self.itself = self

    leave = Session._leave

    def leave_and_leak(session: Session) -> None:
        kept.append(Leak())
        leave(session)

    monkeypatch.setattr(Session, "_leave", leave_and_leak)
    async with running(QUICK, recent_ttl=0.2) as server:
        grown = await growth(server)
    assert grown.total() >= PAGES
    assert sum(count for name, count in grown.items() if name.endswith("Leak")) == 2 * PAGES
