"""The notifier killed, stopped, frozen and cut off, with a real publisher on one side and a real socket on the other.

What the user sees is right again within 2 s after the fault is over.
"""

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest

from fastagi.publisher import Publisher
from tests.levels import within
from tests.notifier_server import AUTH_SECRET, INTAKE_SECRET, Browser, a_call, ended, token
from zvonok.call import Call, State, wall_ms


class Site:
    """A notifier process on fixed ports, and the publisher of a PBX that has `calls`."""

    def __init__(self, directory: Path) -> None:
        self._intake = f"unix:{directory}/intake.sock"
        self._users = "127.0.0.1:0"
        self.calls: dict[str, Call] = {}
        self.process: asyncio.subprocess.Process | None = None
        self.publisher = Publisher(
            pbx="main",
            url=self._intake,
            secret=INTAKE_SECRET,
            known=lambda: list(self.calls.values()),
            live=lambda: [call.call_id for call in self.calls.values() if call.state is not State.ENDED],
            delivered=lambda delivered: None,
        )

    async def start(self) -> None:
        """Start the notifier; the first start chooses the users' port, later ones use it again."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "zvonok", "notifier",
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(Path.cwd()),
                "ZVONOK_AUTH_SECRET": AUTH_SECRET,
                "ZVONOK_INTAKE_SECRET": INTAKE_SECRET,
                "ZVONOK_HTTP_LISTEN": self._users,
                "ZVONOK_INTAKE_LISTEN": self._intake,
            },
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stderr
        async with asyncio.timeout(within(15)):
            where = re.search(rb"users come in at (\S+),", await self.process.stderr.readline())
        assert where
        self._users = where[1].decode()

    def change(self, call: Call) -> None:
        """The PBX has this state now."""
        self.calls[call.call_id] = call
        self.publisher.offer(call)

    async def signal(self, number: int) -> None:
        """Send a signal; wait for the end if it is one that ends."""
        assert self.process
        self.process.send_signal(number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            await self.process.wait()

    @contextlib.asynccontextmanager
    async def browser(self) -> AsyncIterator[Browser]:
        """A page that has said who it is."""
        async with aiohttp.ClientSession() as http, http.ws_connect(f"http://{self._users}/ws") as ws:
            browser = Browser(ws)
            await browser.send(type="auth", token=token(), tab_id="")
            yield browser


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(tmp_path)
    await site.start()
    publishing = asyncio.create_task(site.publisher.publish())
    yield site
    publishing.cancel()
    if site.process and site.process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            site.process.kill()
        await site.process.wait()


async def states(browser: Browser, wanted: dict[str, str], *, seconds: float) -> float:
    """Read until the calls have the wanted states; the seconds that took."""
    known: dict[str, str] = {}
    started = time.monotonic()
    while known != wanted:
        message = await browser.receive(seconds=seconds)
        for call in message.get("calls", []) if message["type"] == "snapshot" else [message.get("call")]:
            if call is not None:
                known[call["call_id"]] = call["state"]
    return time.monotonic() - started


def talking(call: Call) -> Call:
    return msgspec.structs.replace(call, rev=call.rev + 1, state=State.TALKING, answered_at=wall_ms())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_notifier_that_died_in_mid_call_has_the_right_cards_within_2_s_of_its_return(
    site: Site, how: signal.Signals
) -> None:
    one, two, three = a_call("a"), a_call("b"), a_call("c")
    async with site.browser() as browser:
        for call in (one, two):
            site.change(call)
        await states(browser, {"a": "ringing", "b": "ringing"}, seconds=3)
        await site.signal(how)
        # What happens while it is away is kept by the publisher.
        site.change(talking(one))
        site.change(ended(two))
        site.change(three)
        if how is signal.SIGTERM:
            assert await browser.close_code() == 1012
    await asyncio.sleep(1)
    await site.start()
    async with site.browser() as browser:
        took = await states(browser, {"a": "talking", "b": "ended", "c": "ringing"}, seconds=5)
    assert took < within(2)


async def test_a_frozen_notifier_delivers_the_latest_states_within_2_s_of_its_thaw(site: Site) -> None:
    call = a_call("a")
    async with site.browser() as browser:
        site.change(call)
        await states(browser, {"a": "ringing"}, seconds=3)
        await site.signal(signal.SIGSTOP)
        site.change(talking(call))
        await asyncio.sleep(3)
        site.change(ended(talking(call)))
        await site.signal(signal.SIGCONT)
        assert await states(browser, {"a": "ended"}, seconds=5) < within(2)


async def test_a_call_that_the_pbx_lost_meanwhile_ends_as_unknown(site: Site) -> None:
    async with site.browser() as browser:
        site.change(a_call("a"))
        await states(browser, {"a": "ringing"}, seconds=3)
        del site.calls["a"]
        # The publisher says which calls live with each POST.
        await states(browser, {"a": "ended"}, seconds=5)
