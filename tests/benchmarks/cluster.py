"""A cluster: what a state costs, and how long it takes, on one, two and four notifiers behind three NATS servers.

States go the whole way: a tap's publisher, the engine, a notifier, a page's socket. A page is at one notifier, a state
comes to all of them: that is what broadcast costs. Everything shares this machine's cores, so CPU time counts here more
than latency does.
"""

import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from typing import Final, NamedTuple

import aiohttp
import msgspec

from fastagi.publisher import Link
from fastagi.publisher_nats import ClusterPublisher
from notifier.auth import issue
from tests.benchmarks.programs import cpu_seconds, step
from tests.benchmarks.size import Size
from tests.benchmarks.targets import Target
from tests.cluster.engine import Engine, engine
from tests.notifiers import AUTH_SECRET, NotifierProcess
from zvonok.call import Call, Caller, End, Line, Reason, State, wall_ms
from zvonok.settings import Settings

CALLS_AN_HOUR: Final = 10
STATES_A_CALL: Final = 3
USERS: Final = 10_000
SITE_RATE: Final = USERS * CALLS_AN_HOUR * STATES_A_CALL / 3600
"""States a second of 10,000 users with 10 calls an hour."""


class Row(NamedTuple):
    """One run. CPU times are microseconds a state; `elsewhere`: at a notifier that has no page of the user."""

    notifiers: int
    rate: float
    p50_ms: float
    p99_ms: float
    lost: int
    notifier_us: float
    engine_us: float


class Storing(NamedTuple):
    """How fast the engine stores what is put at once, and what that costs the tap."""

    per_second: float
    tap_us: float


def measure(size: Size) -> list[Target]:
    """Measure, print both tables and what follows from them; no targets but that nothing is lost."""
    counts = size.of([1, 2], [1, 2, 4], [1, 2, 4])
    rates = size.of([20.0], [SITE_RATE, 400.0], [SITE_RATE, 400.0])
    seconds = size.of(1.0, 6.0, 15.0)
    rows: list[Row] = []
    for count in counts:
        step(f"{count} notifiers")
        with engine(3) as running, _notifiers(running, count) as processes:
            rows += asyncio.run(_deliver(running, processes, rates, seconds, pages=size.of(8, 200, 200)))
    step("what is put at once")
    with engine(3) as running, _notifiers(running, 1):
        storing = asyncio.run(_store(running, size.of(50, 1_000, 3_000)))
    _table(rows, storing)
    return [Target("states lost on the way to a page of the cluster", sum(row.lost for row in rows), 0, "lost")]


@contextlib.contextmanager
def _notifiers(running: Engine, count: int) -> Iterator[list[NotifierProcess]]:
    with contextlib.ExitStack() as stack:
        processes = []
        for _ in range(count):
            process = NotifierProcess({"ZVONOK_NATS_URL": running.url})
            processes.append(process)
            process.start()
            stack.callback(process.stop)
        yield processes


async def _ready(session: aiohttp.ClientSession, processes: list[NotifierProcess]) -> None:
    async with asyncio.timeout(60):
        for process in processes:
            while True:
                async with session.get(process.url + "/readyz") as answer:
                    if answer.status == 200:
                        break
                await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def _publishing(running: Engine, calls: dict[str, Call]) -> AsyncIterator[ClusterPublisher]:
    publisher = ClusterPublisher(
        Settings(nats_url=running.url, pbx_name="bench"),
        known=lambda: list(calls.values()),
        live=lambda: [call.call_id for call in calls.values() if call.state is not State.ENDED],
    )
    task = asyncio.create_task(publisher.publish())
    try:
        async with asyncio.timeout(60):
            while publisher.link is not Link.OK:
                await asyncio.sleep(0.05)
        yield publisher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _deliver(
    running: Engine, processes: list[NotifierProcess], rates: list[float], seconds: float, *, pages: int
) -> list[Row]:
    """Every page's user gets calls in turn; each state is timed from the tap's publisher to the page's socket."""
    sent: dict[tuple[str, int], float] = {}
    took: list[float] = []

    async def page(session: aiohttp.ClientSession, url: str, user: int, ready: asyncio.Event) -> None:
        async with session.ws_connect(f"{url}/ws") as ws:
            token = issue(AUTH_SECRET, user, lifetime_s=3600)
            await ws.send_json({"v": 1, "type": "auth", "token": token, "tab_id": ""})
            async for message in ws:
                news = json.loads(message.data)
                if news["type"] == "snapshot":
                    ready.set()
                elif news["type"] == "call":
                    began = sent.pop((news["call"]["call_id"], news["call"]["rev"]), None)
                    if began is not None:
                        took.append(time.perf_counter() - began)

    calls: dict[str, Call] = {}
    rows = []
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        await _ready(session, processes)
        readies = [asyncio.Event() for _ in range(pages)]
        sockets = [
            asyncio.create_task(page(session, processes[user % len(processes)].url, user + 1, readies[user]))
            for user in range(pages)
        ]
        async with _publishing(running, calls) as publisher:
            await asyncio.gather(*(ready.wait() for ready in readies))
            pids = [process.pid for process in processes], [node.pid for node in running.nodes]
            idle = await _idle(pids, min(3.0, seconds))
            for rate in rates:
                took.clear()
                before, began, count = [_used(group) for group in pids], time.perf_counter(), 0
                while (passed := time.perf_counter() - began) < seconds:
                    while count < passed * rate:
                        call = _next(calls, count, pages)
                        sent[call.call_id, call.rev] = time.perf_counter()
                        publisher.offer(call)
                        count += 1
                    await asyncio.sleep(0.002)
                await asyncio.sleep(1.0)
                passed = time.perf_counter() - began
                notifier, nats = (
                    1e6 * (_used(group) - start - passed * rest) / count
                    for group, start, rest in zip(pids, before, idle, strict=True)
                )
                ordered = sorted(took) or [float("nan")]
                rows.append(
                    Row(
                        len(processes), rate, 1e3 * statistics.median(ordered), 1e3 * ordered[len(ordered) * 99 // 100],
                        count - len(took), notifier / len(processes), nats / len(running.nodes),
                    )
                )  # fmt: skip
        for socket in sockets:
            socket.cancel()
        await asyncio.gather(*sockets, return_exceptions=True)
    return rows


def _used(pids: list[int]) -> float:
    return sum(map(cpu_seconds, pids))


async def _idle(pids: tuple[list[int], list[int]], seconds: float) -> list[float]:
    """What each group uses a second while nothing happens: heartbeats, pulses, reading the bucket."""
    before = [_used(group) for group in pids]
    await asyncio.sleep(seconds)
    return [(_used(group) - start) / seconds for group, start in zip(pids, before, strict=True)]


def _next(calls: dict[str, Call], count: int, users: int) -> Call:
    """The next state: each user's call rings, talks, ends, and begins again."""
    user, now = count % users + 1, wall_ms()
    known = calls.get(str(user))
    if known is None or known.state is State.ENDED:
        call = Call(
            call_id=f"b{count}", rev=now, first_linkedid=f"{now}.1", user_id=user, state=State.RINGING, pbx="bench",
            caller=Caller(number="+79271390907", name="Иванов Иван Петрович", company="ООО «Ромашка»", matches=1),
            line=Line(number="101", label="рабочий"), ring_started_at=now,
        )  # fmt: skip
    elif known.state is State.RINGING:
        call = msgspec.structs.replace(known, rev=max(known.rev + 1, now), state=State.TALKING, answered_at=now)
    else:
        end = End(reason=Reason.COMPLETED, cause=16)
        call = msgspec.structs.replace(known, rev=max(known.rev + 1, now), state=State.ENDED, ended_at=now, end=end)
    calls[str(user)] = call
    return call


async def _store(running: Engine, count: int) -> Storing:
    calls: dict[str, Call] = {}
    async with aiohttp.ClientSession(), _publishing(running, calls) as publisher:
        used, began = time.process_time(), time.perf_counter()
        for number in range(count):
            publisher.offer(_next(calls, number, count))
        async with asyncio.timeout(120):
            while publisher.waiting:
                await asyncio.sleep(0.01)
        return Storing(count / (time.perf_counter() - began), 1e6 * (time.process_time() - used) / count)


def _table(rows: list[Row], storing: Storing) -> None:
    print("\nA state from the tap's publisher to the owner's page; CPU a state, idle work taken off")
    print(
        f"{'notifiers':>9} {'states/s':>9} {'p50 ms':>7} {'p99 ms':>7} {'lost':>5} {'notifier us':>12} {'NATS us':>8}"
    )
    for row in rows:
        print(
            f"{row.notifiers:>9} {row.rate:>9.0f} {row.p50_ms:>7.2f} {row.p99_ms:>7.2f} {row.lost:>5}"
            f" {row.notifier_us:>12.0f} {row.engine_us:>8.0f}"
        )
    print(
        f"\nPut at once, three copies, each on disk: {storing.per_second:,.0f} states/s are stored;"
        f" {storing.tap_us:.0f} us of the tap's CPU each"
    )
