"""The publisher against a real HTTP server that misbehaves as networks and notifiers do."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiohttp import web

from fastagi.publisher import HEARTBEAT, Batch, Link, Publisher, pause
from tests.levels import within
from zvonok.call import Call, Caller, Line, State

SECRET = "s" * 32


def call(call_id: str = "c1", rev: int = 1, state: State = State.RINGING) -> Call:
    return Call(
        call_id=call_id,
        rev=rev,
        first_linkedid="1.1",
        user_id=1,
        state=state,
        caller=Caller(number="+79001112233"),
        line=Line(number="101"),
        ring_started_at=1,
        pbx="pbx",
    )


class Intake:
    """A notifier's intake that answers as told: `answers` are statuses for the next requests, then 200."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.boot = "boot-1"
        self.answers: list[int] = []
        self.poison: str | None = None

    async def handle(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {SECRET}"
        batch = msgspec.json.decode(await request.read(), type=Batch)
        if self.answers:
            return web.Response(status=self.answers.pop(0))
        if any(c.call_id == self.poison for c in batch.calls):
            return web.Response(status=400, text="bad call")
        self.batches.append(batch)
        return web.json_response({"boot": self.boot, "delivered": {c.call_id: 1 for c in batch.calls}})

    @property
    def calls(self) -> list[tuple[str, int]]:
        return [(c.call_id, c.rev) for batch in self.batches for c in batch.calls]


@asynccontextmanager
async def publishing(intake: Intake, known: list[Call] | None = None, live: list[str] | None = None) -> AsyncIterator:
    app = web.Application()
    app.router.add_post("/intake/v1", intake.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    delivered: dict[str, int] = {}
    publisher = Publisher(
        pbx="pbx",
        url=f"http://127.0.0.1:{port}",
        secret=SECRET,
        known=lambda: known or [],
        live=lambda: live,
        delivered=delivered.update,
    )
    task = asyncio.create_task(publisher.publish())
    try:
        yield publisher, delivered
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await runner.cleanup()


async def until(condition) -> None:
    async with asyncio.timeout(within(5)):
        while not condition():
            await asyncio.sleep(0.01)


async def test_an_offered_state_arrives_and_its_receipt_is_told():
    intake = Intake()
    async with publishing(intake) as (publisher, delivered):
        publisher.offer(call())
        await until(lambda: intake.calls)
        await until(lambda: delivered == {"c1": 1})
        assert publisher.link is Link.OK
        assert publisher.waiting == 0


async def test_only_the_newest_state_waits_for_a_notifier_that_is_away():
    intake = Intake()
    intake.answers = [503] * 3
    async with publishing(intake) as (publisher, _):
        for rev in (1, 3, 2):
            publisher.offer(call(rev=rev))
        await until(lambda: intake.calls)
        assert intake.calls == [("c1", 3)]


async def test_an_idle_publisher_still_posts_and_counts_up():
    intake = Intake()
    async with publishing(intake):
        await until(lambda: len(intake.batches) >= 2)
    assert [b.seq for b in intake.batches] == sorted({b.seq for b in intake.batches})
    assert intake.batches[0].calls == []


async def test_a_new_boot_gets_all_known_calls_in_batches_and_live_with_the_last():
    intake = Intake()
    known = [call(f"c{n}") for n in range(1200)]
    async with publishing(intake, known, live=["c7"]):
        await until(lambda: len(intake.calls) == 1200)
        await until(lambda: intake.batches[-1].live == ["c7"])
        assert max(len(b.calls) for b in intake.batches) <= 500
        first_live = next(n for n, b in enumerate(intake.batches) if b.live is not None)
        assert sum(len(b.calls) for b in intake.batches[: first_live + 1]) == 1200
        intake.boot = "boot-2"
        await until(lambda: len(intake.calls) == 2400)


async def test_a_new_boot_gets_live_calls_and_news_before_what_is_over():
    intake = Intake()
    known = [call(f"over{n}", state=State.ENDED) for n in range(1200)] + [call("live")]
    async with publishing(intake, known, live=["live"]) as (publisher, _):
        await until(lambda: intake.calls)
        publisher.offer(call("over7", rev=2, state=State.ENDED))
        assert intake.calls[0][0] == "live"
        await until(lambda: publisher.waiting == 0)
        assert len({call_id for call_id, _ in intake.calls}) == 1201
        assert [rev for call_id, rev in intake.calls if call_id == "over7"][-1] == 2


async def test_live_is_said_once_a_second_however_much_there_is_to_say():
    intake = Intake()
    async with publishing(intake, live=["c7"]) as (publisher, _):
        await until(lambda: intake.batches and intake.batches[-1].live is not None)
        first, began = len(intake.batches), time.monotonic()
        for number in range(30):
            publisher.offer(call(f"c{number}"))
            await until(lambda: publisher.waiting == 0)
        assert len(intake.batches) - first >= 30
        assert sum(b.live is not None for b in intake.batches[first:]) <= 1 + (time.monotonic() - began) / HEARTBEAT
        before = len(intake.batches)
        await until(lambda: any(b.live == ["c7"] for b in intake.batches[before:]))
        intake.boot = "boot-2"
        publisher.offer(call("new"))
        before = len(intake.batches)
        await until(lambda: len(intake.batches) >= before + 3)
        assert any(b.live == ["c7"] for b in intake.batches[before : before + 3])


async def test_live_is_not_claimed_before_it_is_certain():
    intake = Intake()
    async with publishing(intake, live=None):
        await until(lambda: len(intake.batches) >= 2)
    assert all(b.live is None for b in intake.batches)


@pytest.mark.parametrize("count", [1, 2, 37])
async def test_a_state_that_the_notifier_refuses_is_set_aside_and_the_rest_goes_on(count, caplog):
    intake = Intake()
    intake.poison = "c0"
    async with publishing(intake) as (publisher, _):
        for n in range(count):
            publisher.offer(call(f"c{n}"))
        await until(lambda: len({c for c, _ in intake.calls}) == count - 1 and publisher.waiting == 0)
        assert publisher.set_aside == 1
    assert "call c0: the notifier refuses" in caplog.text


async def test_a_wrong_secret_is_said_once_and_retried(caplog):
    intake = Intake()
    intake.answers = [401] * 4
    async with publishing(intake) as (publisher, _):
        publisher.offer(call())
        await until(lambda: publisher.link is Link.UNAUTHORIZED)
        await until(lambda: intake.calls)
    assert caplog.text.count("ZVONOK_INTAKE_SECRET") == 1


async def test_an_unreachable_notifier_is_said_once_and_retried(caplog):
    publisher = Publisher(
        pbx="p", url="http://127.0.0.1:9", secret=SECRET, known=list, live=lambda: None, delivered=lambda _: None
    )
    publisher.offer(call())
    task = asyncio.create_task(publisher.publish())
    await until(lambda: publisher.link is Link.UNREACHABLE)
    await asyncio.sleep(0.3)
    task.cancel()
    assert caplog.text.count("does not answer") == 1
    assert publisher.waiting == 1


def test_the_pause_grows_and_stays_short():
    assert all(0 <= pause(n) <= 0.5 for n in range(100))
    assert max(pause(1) for _ in range(200)) <= 0.1
