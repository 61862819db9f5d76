"""A working day in one tab: eight hours of calls by a fake clock leave memory, nodes and listeners flat.

Once an hour the connection breaks, and the user looks into the self-check. The page is the notifier's own; only its
socket is played here, because a real server's clock cannot be wound forward.
"""

import json
from typing import Any

import msgspec
import pytest
from playwright.async_api import CDPSession, Route, WebSocketRoute, expect

from tests.browser.conftest import Desk, peek
from tests.levels import within
from zvonok.call import Call, Caller, End, Kind, Line, Reason, State

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(within(300))]

HOURS = 8
CALLS_PER_HOUR = 30
BEGIN = 1_763_900_000_000
STEP = 3_600_000 // CALLS_PER_HOUR // 3


def state(number: int, state: State, now: int, begin: int) -> Call:
    """The state of call `number`, which began at `begin`; every third caller is unknown, every fifth call is missed."""
    known = number % 3 > 0
    caller = Caller(
        number=f"+7927{number % 40:07}",
        name=f"Дилер {number}" if known else None,
        kind=Kind.DEALER if known else Kind.UNKNOWN,
    )
    missed = number % 5 == 0
    return Call(
        call_id=f"c{number}",
        rev=now,
        first_linkedid=f"l{number}",
        user_id=1,
        state=state,
        caller=caller,
        line=Line(number="101"),
        pbx="main",
        ring_started_at=begin,
        answered_at=None if missed or state is State.RINGING else begin + STEP,
        ended_at=now if state is State.ENDED else None,
        end=End(reason=Reason.MISSED if missed else Reason.COMPLETED) if state is State.ENDED else None,
    )


async def measure(session: CDPSession) -> dict[str, int]:
    """Heap, nodes and listeners after a collection of garbage."""
    await session.send("HeapProfiler.collectGarbage")
    await session.send("HeapProfiler.collectGarbage")
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    return {one["name"]: int(one["value"]) for one in metrics}


async def test_eight_hours_of_calls_leave_memory_and_listeners_flat(desk: Desk) -> None:
    sockets: list[WebSocketRoute] = []
    now = BEGIN

    def say(kind: str, **fields: Any) -> None:
        sockets[-1].send(json.dumps({"v": 1, "type": kind, "server_time": now, **fields}))

    def play(route: WebSocketRoute) -> None:
        def heard(text: str | bytes) -> None:
            if json.loads(text)["type"] == "auth":
                sockets.append(route)
                say(
                    "hello", user={"id": 1, "name": "П"}, numbers=[], heartbeat_ms=300_000, token_expires_at=now + 10**8
                )
                say("snapshot", calls=[], pbxs=["main"], dismissed=[])

        route.on_message(heard)

    async def no_history(route: Route) -> None:
        await route.fulfill(json={"calls": [], "next": None})

    page = await desk.context.new_page()
    await page.route_web_socket("**/ws", play)
    await page.route("**/api/calls**", no_history)
    await page.clock.install(time=BEGIN / 1000)
    await page.goto(desk.login_link())
    await expect(page.get_by_text("На связи")).to_be_visible()
    await page.mouse.click(5, 300)
    session = await desk.context.new_cdp_session(page)
    await session.send("Performance.enable")

    async def pass_time(milliseconds: int) -> None:
        nonlocal now
        now += milliseconds
        await page.clock.run_for(milliseconds)

    hourly: list[dict[str, int]] = []
    for number in range(HOURS * CALLS_PER_HOUR):
        begin = now
        for where in (State.RINGING, State.TALKING, State.ENDED):
            if where is not State.TALKING or number % 5:
                say("call", call=msgspec.to_builtins(state(number, where, now, begin)))
            if where is State.ENDED and number % 3 == 0:
                say("dismissed", call_id=f"c{number}")
            await pass_time(STEP)
            say("heartbeat")
        if number % CALLS_PER_HOUR == CALLS_PER_HOUR - 1:
            await page.get_by_role("button", name="Почему я не вижу звонки?").first.click()
            await page.keyboard.press("Escape")
            await sockets[-1].close(code=1012)
            await expect(page.get_by_text("Связь потеряна").first).to_be_visible()
            await pass_time(1000)  # the first wait is half a second at most
            await expect(page.get_by_text("На связи")).to_be_visible()
            hourly.append(await measure(session))
    assert await peek(page, "window.heard.rings") >= HOURS * CALLS_PER_HOUR * 0.9, "it rang all day"
    assert await peek(page, "window.heard.ringing") == 0
    assert len(sockets) == 1 + HOURS
    # The cards that may stay are full after four hours; from then on nothing grows. What the heap still gains (210 KB
    # where we looked) is the engine's compiled code; with 70 KB leaked an hour it was 470 KB, with a listener four.
    for hour in hourly:
        print({name: hour[name] for name in ("JSHeapUsedSize", "Nodes", "JSEventListeners")})
    grown = {name: hourly[-1][name] - hourly[3][name] for name in ("JSHeapUsedSize", "Nodes", "JSEventListeners")}
    assert grown["JSEventListeners"] <= 2, hourly
    assert grown["Nodes"] <= 3, hourly
    assert grown["JSHeapUsedSize"] <= 350_000, hourly
