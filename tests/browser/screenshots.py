"""`make shots`: docs/screenshots, every state of the page and of the card in a CRM, both themes, two widths.

The pictures are of the real thing: a notifier, a database, a tap that tells of calls, and Chromium. Its `system-ui`
font is Inter where that is installed, because Debian's own is unlike what most offices have.
"""

import asyncio
import base64
import datetime
import itertools
import os
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
from playwright.async_api import Browser, Page, WebSocketRoute

from demo.postgres import temporary_postgres
from demo.seed import load_seed
from sql.runner import migrate
from tests.browser.conftest import Desk, Office
from tests.browser.crm import running_crm
from tests.browsers import DESKTOP, PHONE, open_context, running_chromium
from tests.notifiers import running_notifier, running_tap
from zvonok.call import AnsweredBy, Call, Reason, wall_ms

UNKNOWN = {"name": None, "kind": "unknown", "id": None, "company": None, "matches": 0, "number": "+74950001234"}
CARD = {"name": "Васильева Анна Игоревна", "number": "+79270004455", "url": "https://crm.example.ru/dealer/5"}
NEW = {"url": "https://crm.example.ru/new"}
WIDTHS = {"desktop": DESKTOP, "phone": PHONE}
MINUTE = 60_000
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<include ignore_missing="yes">/etc/fonts/fonts.conf</include>
<match target="pattern"><test qual="all" name="family" compare="not_contains"><string>mono</string></test>
<edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit></match></fontconfig>"""


def afternoon() -> str:
    """A time zone in which it is now between 14 and 15 h, so that pictures made at night show a working day."""
    ahead = 14 - datetime.datetime.now(datetime.UTC).hour
    return f"Etc/GMT{-ahead:+d}"


def told(desk: Desk, *, ago: int, talked: int = 0, reason: Reason = Reason.COMPLETED, **changes: Any) -> Call:
    """A past call, in minutes, written into the history."""
    start = wall_ms() - ago * MINUTE
    answered = start + 9_000 if talked else None
    end = start + 9_000 + talked * 1000 if talked else start + 24_000
    by = AnsweredBy(user_id=2, name="Смирнова Ольга Викторовна") if reason is Reason.ANSWERED_ELSEWHERE else None
    call = desk.ring(ring_started_at=start, **changes)
    return desk.tap.end(call, reason, answered_at=answered, ended_at=end, answered_by=by)


def history(desk: Desk) -> None:
    """A morning's calls: told, closed, and in the database."""
    people = [
        (12, 0, Reason.MISSED, UNKNOWN),
        (
            31,
            185,
            Reason.COMPLETED,
            {"name": "Егорова Марина Львовна", "company": "ООО «Вектор»", "number": "+79030001177"},
        ),
        (
            47,
            0,
            Reason.ANSWERED_ELSEWHERE,
            {"name": "Тихонов Павел", "company": "ИП Тихонов", "number": "+79160002288"},
        ),
        (75, 754, Reason.COMPLETED, CARD),
        (
            95,
            62,
            Reason.COMPLETED,
            {"name": "Кузнецов Алексей Андреевич", "kind": "user", "company": None, "number": "103"},
        ),
        (120, 0, Reason.BUSY, {"name": "Егорова Марина Львовна", "company": "ООО «Вектор»", "number": "+79030001177"}),
    ]
    for ago, talked, reason, caller in people:
        call = told(desk, ago=ago, talked=talked, reason=reason, caller=CARD | caller)
        desk.office.save(call)


async def ringing(desk: Desk, page: Page) -> None:
    desk.ring(ring_started_at=wall_ms() - 7_000, caller=CARD)


async def talking(desk: Desk, page: Page) -> None:
    now = wall_ms()
    desk.tap.answer(desk.ring(ring_started_at=now - 763_000, caller=CARD), answered_at=now - 754_000)


async def ended(desk: Desk, page: Page) -> None:
    told(desk, ago=13, talked=754, caller=CARD)


async def missed(desk: Desk, page: Page) -> None:
    told(desk, ago=2, reason=Reason.MISSED, caller=UNKNOWN | NEW | {"display": "OOO ROMASHKA"})


async def elsewhere(desk: Desk, page: Page) -> None:
    told(desk, ago=2, reason=Reason.ANSWERED_ELSEWHERE, caller=CARD, line={"queue": "Продажи"})


async def several(desk: Desk, page: Page) -> None:
    now = wall_ms()
    desk.ring(ring_started_at=now - 9_000, caller=CARD | {"matches": 3}, line={"queue": "Продажи"})
    talk = desk.ring(ring_started_at=now - 200_000, caller={"name": "Егорова Марина Львовна", "number": "+79030001177"})
    desk.tap.answer(talk, answered_at=now - 190_000)
    told(desk, ago=4, reason=Reason.MISSED, caller=UNKNOWN)
    told(desk, ago=6, talked=61, caller={"name": "Кузнецов Алексей Андреевич", "number": "103"})
    told(desk, ago=8, talked=33, caller={"name": "Тихонов Павел", "number": "+79160002288"})


async def idle(desk: Desk, page: Page) -> None:
    await page.wait_for_timeout(100)


async def lost(desk: Desk, page: Page) -> None:
    routes: list[WebSocketRoute] = []

    async def relay(route: WebSocketRoute) -> None:
        if routes:
            await route.close(code=1013)
            return
        routes.append(route)
        route.connect_to_server()

    await page.route_web_socket(re.compile("/ws$"), relay)
    await page.reload()
    await page.get_by_text("На связи").wait_for()
    await talking(desk, page)
    await page.locator("call-notification .message", has_text="Разговор активен").wait_for()
    await routes[0].close(code=1013)
    await page.get_by_text("Связь потеряна — восстанавливаем").wait_for(timeout=20_000)
    await page.mouse.click(4, 300)


async def awkward(desk: Desk, page: Page) -> None:
    """As bad as it gets: what names and companies may be, and what callers may send."""
    long = "Общество с ограниченной ответственностью «Научно-производственное объединение Электромонтажавтоматика»"
    evil = "<b>Банк</b>\u202eгнпт.exe\u202c ${x} " + "Z" + "\u0300\u0301" * 20
    past_one = told(desk, ago=3, reason=Reason.ANSWERED_ELSEWHERE, caller=CARD | {"name": evil, "company": long})
    desk.office.save(past_one)
    now = wall_ms()
    line = {"queue": "Отдел продаж и сопровождения", "label": "переговорная на 3 этаже"}
    person = {"name": "Константинопольская-Преображенская Александра Константиновна", "company": long, "matches": 12}
    desk.ring(ring_started_at=now - 95_000, line=line, caller=CARD | person)
    desk.ring(ring_started_at=now - 5_000, caller=UNKNOWN | {"display": evil, "number": "+4915123456789012"}, test=True)
    desk.ring(ring_started_at=now - 4_000, caller=UNKNOWN | {"number": None, "restricted": True})


async def check(desk: Desk, page: Page) -> None:
    await page.get_by_role("button", name="Почему я не вижу звонки?").first.click()


SCENES: dict[str, Callable[[Desk, Page], Awaitable[None]]] = {
    "idle": idle, "ringing": ringing, "talking": talking, "ended": ended, "missed": missed, "elsewhere": elsewhere,
    "several": several, "check": check, "lost": lost, "awkward": awkward,
}  # fmt: skip
IN_A_CRM = ("ringing", "talking", "missed")


async def shoot(office: Office, browser: Browser, user_ids: Any, name: str, target: Path) -> None:
    """One scene in all themes and widths. Each picture has a user of its own, so that nothing is left from another."""
    for theme, (width, viewport) in itertools.product(("light", "dark"), WIDTHS.items()):
        user_id = next(user_ids)
        with psycopg.connect(office.database_url) as connection:
            connection.execute("INSERT INTO users (id, name) VALUES (%s, 'Иванов Иван Петрович')", [user_id])
            connection.execute(
                "INSERT INTO user_phones (user_id, phone_number, phone_type)"
                " VALUES (%(id)s, '101', 'внутренний'), (%(id)s, '89271390907', 'мобильный')",
                {"id": user_id},
            )
        async with open_context(
            browser, viewport=viewport, color_scheme=theme, reduced_motion="reduce", timezone_id=afternoon()
        ) as context:
            desk = Desk(office, user_id, context)
            page = await desk.open()
            history(desk)
            await page.get_by_role("button", name="Закрыть все").click()
            await page.reload()
            await page.get_by_text("На связи").wait_for()
            if name != "ringing":
                await page.mouse.click(4, 300)  # sound is allowed; while it rings the hint is shown
            await SCENES[name](desk, page)
            await page.wait_for_timeout(1900)  # the history is read again after a call
            await page.screenshot(path=target / f"page-{name}-{theme}-{width}.png")
            if name in IN_A_CRM and office.crm is not None:
                await context.add_cookies([{"name": "user", "value": str(user_id), "url": office.crm.url}])
                await page.goto(office.crm.url + "/crm/")
                await page.locator("call-notification .card").wait_for()
                if name != "ringing":
                    await page.mouse.click(4, 300)
                await page.wait_for_timeout(600)
                await page.screenshot(path=target / f"card-{name}-{theme}-{width}.png")


async def english(office: Office, browser: Browser, user_id: int, target: Path) -> None:
    """The page in English, before the first call and while one rings."""
    with psycopg.connect(office.database_url) as connection:
        connection.execute("INSERT INTO users (id, name) VALUES (%s, 'John Smith')", [user_id])
        connection.execute(
            "INSERT INTO user_phones (user_id, phone_number, phone_type) VALUES (%s, '101', 'desk')", [user_id]
        )
    async with open_context(browser, reduced_motion="reduce", timezone_id=afternoon()) as context:
        await context.add_init_script("if (location.protocol === 'http:') localStorage.setItem('zvonok.lang', 'en')")
        desk = Desk(office, user_id, context)
        page = await desk.open(online=False)
        await page.get_by_text("Connected").wait_for()
        await page.wait_for_timeout(600)
        await page.screenshot(path=target / "page-english-empty.png")
        caller = {
            "name": "Anna Brown",
            "company": "Daisy Ltd",
            "number": "+442079460123",
            "url": "https://crm.example.com/5",
        }
        desk.office.save(told(desk, ago=12, talked=185, caller=caller))
        desk.office.save(told(desk, ago=20, reason=Reason.MISSED, caller=caller))
        desk.ring(ring_started_at=wall_ms() - 7_000, caller=caller, line={"queue": "Sales", "label": "desk"})
        await page.wait_for_timeout(2500)
        await page.screenshot(path=target / "page-english-ringing.png")


async def welcome(office: Office, browser: Browser, target: Path) -> None:
    """The page without a token."""
    for theme, (width, viewport) in itertools.product(("light", "dark"), WIDTHS.items()):
        async with open_context(browser, viewport=viewport, color_scheme=theme) as context:
            page = await context.new_page()
            await page.goto(office.notifier.url)
            await page.get_by_role("heading").wait_for()
            await page.screenshot(path=target / f"page-welcome-{theme}-{width}.png")


async def picture(office: Office, browser: Browser, user_id: int, target: Path) -> None:
    """card.png for the README: the three states of the brief side by side."""
    with psycopg.connect(office.database_url) as connection:
        connection.execute("INSERT INTO users (id, name) VALUES (%s, 'Иванов Иван Петрович')", [user_id])
    cards: list[str] = []
    async with open_context(
        browser, device_scale_factor=2, reduced_motion="reduce", timezone_id=afternoon()
    ) as context:
        desk = Desk(office, user_id, context)
        page = await desk.open()
        await page.mouse.click(4, 300)
        card = page.locator("call-notification .card")
        for scene in (ringing, talking, ended):
            await scene(desk, page)
            await card.wait_for()
            await page.mouse.move(4, 300)
            await page.wait_for_timeout(300)
            cards.append(base64.b64encode(await card.screenshot()).decode())
            await card.get_by_role("button", name="Закрыть").first.click()
            await card.wait_for(state="hidden")
        images = "".join(f'<img width=360 src="data:image/png;base64,{image}">' for image in cards)
        await page.goto("about:blank")
        look = (
            "<!doctype html><style>body { margin: 0; padding: 24px; background: #e9edf2; display: flex; gap: 20px; "
            "align-items: start; width: max-content }"
            "img { border-radius: 14px; box-shadow: 0 12px 32px #10182830 }</style>"
        )
        await page.set_content(look + images)
        await page.wait_for_timeout(200)
        await page.locator("body").screenshot(path=target / "card.png")


async def main(target: Path, wanted: list[str]) -> None:
    """All scenes, or those that are named."""
    target.mkdir(parents=True, exist_ok=True)
    user_ids = itertools.count(1000)
    with (
        temporary_postgres() as server,
        running_crm() as crm,
        tempfile.NamedTemporaryFile("w", suffix=".conf") as fonts,
    ):
        fonts.write(FONTS)
        fonts.flush()
        migrate(server.url())
        load_seed(server.url())
        with running_notifier(server.url(), ALLOWED_ORIGINS=crm.url) as notifier, running_tap(notifier) as tap:
            crm.notifier_url = notifier.url
            crm.pages["crm"] = (Path(__file__).parent / "crm_page.html").read_text()
            office = Office(notifier, tap, server.url(), crm)
            async with running_chromium(env={**os.environ, "FONTCONFIG_FILE": fonts.name}) as browser:
                for name in wanted or SCENES:
                    if name in SCENES:
                        await shoot(office, browser, user_ids, name, target)
                if not wanted or "picture" in wanted:
                    await picture(office, browser, next(user_ids), target)
                if not wanted or "english" in wanted:
                    await english(office, browser, next(user_ids), target)
                if not wanted or "welcome" in wanted:
                    await welcome(office, browser, target)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
