"""The truth after absence: reloads, sleep, wrong clocks, dead and restarted servers, refused tokens."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, WebSocketRoute, expect

from tests.browser.conftest import Desk, Office, open_desk, peek, until
from tests.browsers import open_context
from tests.levels import within
from tests.notifiers import running_notifier, running_tap, token
from zvonok.call import Reason, wall_ms

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Counts sockets, so that a loop of attempts would be seen.
_SOCKETS = """
window.sockets = 0;
window.WebSocket = class extends WebSocket { constructor(...a) { super(...a); window.sockets += 1; } };
"""


@pytest_asyncio.fixture(loop_scope="session")
async def own(office: Office, chromium: Browser) -> AsyncIterator[Desk]:
    """A user at a notifier of his own, to be stopped and killed; it has no database."""
    with running_notifier() as notifier, running_tap(notifier) as tap:
        async with open_desk(Office(notifier, tap, office.database_url), 1, chromium) as desk:
            await desk.context.add_init_script(_SOCKETS)
            yield desk


async def seconds_shown(page: Page) -> int:
    """The main card's timer, in seconds."""
    text = await page.locator("call-notification .card .timer").inner_text()
    minutes, seconds = text.split(":")
    return int(minutes) * 60 + int(seconds)


async def timer_is_right(page: Page, since: int | None) -> None:
    """Wait until the main card's timer tells, to two seconds, how long ago `since` (Unix ms) was."""
    assert since is not None
    async with asyncio.timeout(within(5)):
        while abs(await seconds_shown(page) - (wall_ms() - since) / 1000) > 2:
            await asyncio.sleep(0.1)


async def test_after_a_reload_the_card_and_its_timer_are_there_again(desk: Desk) -> None:
    page = await desk.open()
    call = desk.tap.answer(desk.ring(), answered_at=wall_ms() - 100_000)
    await expect(page.locator(".message")).to_have_text("Разговор активен")
    await page.reload()
    await expect(page.locator(".message")).to_have_text("Разговор активен")
    await timer_is_right(page, call.answered_at)


@pytest.mark.parametrize("skew_s", [-7200, 3600])
async def test_timers_are_right_on_a_computer_whose_clock_is_wrong(desk: Desk, skew_s: int) -> None:
    await desk.context.add_init_script(f"const real = Date.now; Date.now = () => real() + {skew_s * 1000};")
    page = await desk.open()
    call = desk.tap.answer(desk.ring(), answered_at=wall_ms() - 65_000)
    await expect(page.locator(".message")).to_have_text("Разговор активен")
    await timer_is_right(page, call.answered_at)


async def test_after_sleep_the_page_asks_for_everything_and_the_timer_is_right(own: Desk) -> None:
    # Sleep, seen from a page: the wall clock jumps and the monotonic one does not.
    await own.context.add_init_script("window.slept = 0; const now = Date.now; Date.now = () => now() + slept;")
    page = await own.open()
    call = own.tap.answer(own.ring(), answered_at=wall_ms() - 30_000)
    await expect(page.locator(".message")).to_have_text("Разговор активен")
    assert await peek(page, "window.sockets") == 1
    await peek(page, "window.slept = 3600000")
    await until(page, "window.sockets === 2", seconds=10)
    await expect(page.get_by_text("На связи")).to_be_visible()
    await timer_is_right(page, call.answered_at)


async def test_a_tab_that_the_browser_froze_knows_the_truth_when_it_goes_on(desk: Desk) -> None:
    page = await desk.open()
    call = desk.ring(ring_started_at=wall_ms() - 5_000)
    await expect(page.locator(".message")).to_have_text("Необходимо взять трубку")
    session = await desk.context.new_cdp_session(page)
    await session.send("Page.setWebLifecycleState", {"state": "frozen"})
    call = desk.tap.answer(call, answered_at=wall_ms() - 3_000)
    await asyncio.sleep(3)  # its timers stand still meanwhile
    await session.send("Page.setWebLifecycleState", {"state": "active"})
    await expect(page.locator(".message")).to_have_text("Разговор активен")
    await timer_is_right(page, call.answered_at)


async def test_a_restarted_notifier_is_found_again_and_the_card_is_right(own: Desk) -> None:
    page = await own.open()
    call = own.ring()
    await expect(page.locator(".message")).to_have_text("Необходимо взять трубку")
    await asyncio.to_thread(own.office.notifier.restart)
    own.tap.answer(call)
    # The longer the notifier was away, the longer the wait before the next attempt: half a minute at most.
    await expect(page.locator(".message")).to_have_text("Разговор активен", timeout=within(35) * 1000)
    await expect(page.get_by_text("На связи")).to_be_visible()


async def test_what_was_closed_stays_closed_even_if_the_notifier_forgot_it(own: Desk) -> None:
    page = await own.open()
    own.ring()
    await page.locator("call-notification .card").get_by_role("button", name="Закрыть").first.click()
    await asyncio.to_thread(own.office.notifier.kill)
    await asyncio.to_thread(own.office.notifier.start)
    await expect(page.get_by_text("На связи")).to_be_visible(timeout=within(35) * 1000)
    own.ring(caller={"name": "Первый после"})  # with it the tap finds a new notifier and tells it everything again
    own.ring(caller={"name": "Второй после"})
    second = await own.open()
    for one in (page, second):
        await expect(one.locator("call-notification .row .rowname")).to_have_text(["Второй после"])
        await expect(one.locator("call-notification .card .name")).to_have_text("Первый после")


async def test_what_was_closed_without_a_connection_is_closed_for_all_tabs_once_there_is_one(desk: Desk) -> None:
    other, page = await desk.open(), await desk.context.new_page()
    routes: list[WebSocketRoute] = []
    cut = False

    async def relay(route: WebSocketRoute) -> None:
        if cut:
            await route.close(code=1013)
            return
        route.connect_to_server()
        routes.append(route)

    await page.route_web_socket(re.compile("/ws$"), relay)
    await page.goto(desk.login_link())
    desk.ring()
    await expect(page.locator("call-notification .card")).to_be_visible()
    cut = True
    await routes[0].close(code=1013)
    await page.locator("call-notification .card").get_by_role("button", name="Закрыть").first.click()
    await expect(other.locator("call-notification .card")).to_be_visible()
    cut = False
    await expect(other.locator("call-notification .card")).to_be_hidden(timeout=within(10) * 1000)


async def test_a_server_that_hangs_is_noticed_by_its_silence(own: Desk) -> None:
    page = await own.open()
    await page.clock.install()
    await page.reload()
    await expect(page.get_by_text("На связи")).to_be_visible()
    os.kill(own.office.notifier.pid, signal.SIGSTOP)
    try:
        await page.clock.run_for(70_000)
        await expect(page.get_by_text("Связь потеряна").first).to_be_visible()
    finally:
        os.kill(own.office.notifier.pid, signal.SIGCONT)


async def test_after_ten_seconds_without_news_it_stops_ringing_and_says_so(desk: Desk) -> None:
    routes: list[WebSocketRoute] = []
    cut = False

    async def relay(route: WebSocketRoute) -> None:
        if cut:
            await route.close(code=1013)
            return
        route.connect_to_server()
        routes.append(route)

    await desk.context.route_web_socket(re.compile("/ws$"), relay)
    page = await desk.open()
    await page.mouse.click(5, 200)
    call = desk.ring()
    await until(page, "window.heard.ringing === 1")
    cut = True
    await routes[0].close(code=1013)
    await page.wait_for_timeout(3000)
    assert await peek(page, "window.heard.ringing") == 1  # a short break is no reason to fall silent
    await until(page, "window.heard.ringing === 0", seconds=12)
    await expect(page.get_by_text("Связь потеряна — восстанавливаем")).to_be_visible()
    await expect(page.locator("call-notification .card")).to_have_class(re.compile("stale"))
    assert await page.title() == "Звонки"
    cut = False
    desk.tap.end(call, Reason.MISSED)
    await expect(page.locator(".status")).to_have_text("Пропущенный звонок", timeout=within(40) * 1000)
    await expect(page.get_by_text("Связь потеряна — восстанавливаем")).to_be_hidden()


async def test_a_refused_token_is_shown_and_not_tried_again(office: Office, chromium: Browser) -> None:
    async with open_context(chromium) as context:
        await context.add_init_script(_SOCKETS)
        page = await context.new_page()
        await page.goto(f"{office.notifier.url}/#token=not.a.token")
        await expect(page.get_by_role("heading", name="Ссылка больше не действует")).to_be_visible()
        await page.wait_for_timeout(3000)
        assert await peek(page, "window.sockets") == 1


async def test_an_expired_token_is_refused_once(office: Office, chromium: Browser) -> None:
    async with open_context(chromium) as context:
        await context.add_init_script(_SOCKETS)
        page = await context.new_page()
        await page.goto(f"{office.notifier.url}/#token={token(1, lifetime_s=-3600)}")
        await expect(page.get_by_role("heading", name="Ссылка больше не действует")).to_be_visible()
        await page.wait_for_timeout(1500)
        assert await peek(page, "window.sockets") == 1


async def test_a_token_is_renewed_before_it_expires_on_the_same_socket(own: Desk, chromium: Browser) -> None:
    page = await own.context.new_page()
    await page.goto(own.office.notifier.url + "/client/package.json")
    first_s = within(4)
    tokens = [token(1, lifetime_s=first_s), token(1, lifetime_s=600)]
    await page.evaluate(
        """async ([base, tokens]) => {
          const { createCallClient } = await import(base + '/client/index.js');
          window.asked = 0;
          window.client = createCallClient({ url: base, getToken: () => tokens[Math.min(window.asked++, 1)] });
          window.client.start();
        }""",
        [own.office.notifier.url, tokens],
    )
    await until(page, "window.client.getState().connection === 'online'")
    await until(page, "window.asked >= 2", seconds=8)
    await page.wait_for_timeout(first_s * 1000)
    assert await page.evaluate("window.client.getState().connection") == "online"
    assert await peek(page, "window.sockets") == 1


async def test_a_ring_that_nobody_ends_ends_by_itself(desk: Desk) -> None:
    page = await desk.open()
    await page.mouse.click(5, 200)
    desk.ring(ring_started_at=wall_ms() - 112_000)
    await until(page, "window.heard.rings === 1")
    await expect(page.locator(".message")).to_have_text("Звонок завершен", timeout=within(15) * 1000)
    await expect(page.locator(".timer")).to_have_text("итог неизвестен")
    assert await peek(page, "window.heard.ringing") == 0


async def test_a_silent_pbx_is_mentioned(own: Desk) -> None:
    page = await own.open()
    own.tap.stop()
    await expect(page.get_by_text("Нет связи с АТС main: звонки могут не показываться")).to_be_visible(
        timeout=within(15) * 1000
    )


async def test_calls_missed_while_nobody_was_there_are_counted_in_good_russian(office: Office, desk: Desk) -> None:
    page = await desk.open()
    await page.wait_for_timeout(300)
    await page.evaluate(
        "user => localStorage.setItem('zvonok.seen.' + user, String(Date.now() - 3600e3))", desk.user_id
    )
    await page.goto("about:blank")
    now = wall_ms()
    for number in range(2):
        call = desk.ring(
            call_id=f"away{desk.user_id}x{number}", ring_started_at=now - 1_800_000, caller={"name": "Ждавший"}
        )
        office.save(desk.tap.end(call, Reason.MISSED, ended_at=now - 1_790_000))
    # The third one was answered, the fourth was missed long before.
    office.save(desk.tap.end(desk.ring(call_id=f"away{desk.user_id}y"), Reason.COMPLETED))
    old = desk.ring(call_id=f"away{desk.user_id}z", ring_started_at=now - 9_000_000)
    office.save(desk.tap.end(old, Reason.MISSED, ended_at=now - 8_990_000))
    page = await desk.context.new_page()
    await page.goto(office.notifier.url + "/")
    note = page.get_by_text("Пока вас не было: 2 пропущенных звонка")
    await expect(note).to_be_visible()
    await note.click()
    await expect(page.locator(".note.missed li")).to_have_count(2)
    await page.locator(".note.missed").get_by_role("button", name="Закрыть").click()
    await expect(note).to_be_hidden()


async def test_the_twenty_first_tab_says_that_there_are_too_many(office: Office, desk: Desk) -> None:
    page = await desk.open()
    await page.evaluate(
        """async (token) => {
          const url = location.origin.replace('http', 'ws') + '/ws';
          window.others = Array.from({ length: 19 }, () => new WebSocket(url));
          window.refused = [];
          await Promise.all(window.others.map((socket) => new Promise((done) => {
            socket.onclose = ({ code, reason }) => window.refused.push(`${code} ${reason}`);
            socket.onopen = () => socket.send(JSON.stringify({ v: 1, type: 'auth', token, tab_id: 'x' }));
            socket.onmessage = done;
          })));
        }""",
        token(desk.user_id),
    )
    late = await desk.open(online=False)
    assert await peek(page, "window.refused") == []
    await late.get_by_role("button", name="Почему я не вижу звонки?").first.click()
    await expect(late.get_by_text("Открыто слишком много вкладок. Закройте лишние.")).to_be_visible()
