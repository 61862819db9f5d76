"""Keyboard, screen readers, contrast, reduced motion."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Desk, Office, open_desk, peek, until
from tests.browser.packages import node_modules
from tests.levels import within
from zvonok.call import Reason, wall_ms

__all__ = ["node_modules"]

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def violations(page: Page, node_modules: Path) -> list[str]:
    """What axe-core finds that is serious or worse, shadow roots included."""
    axe = (node_modules / "axe-core" / "axe.min.js").read_text()
    await page.evaluate(axe)
    found = await page.evaluate(
        "axe.run(document, { resultTypes: ['violations'] }).then((r) => JSON.stringify(r.violations))"
    )
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: {[node['html'][:120] for node in one['nodes']]}"
        for one in json.loads(found)
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_serious_in_any_state(
    office: Office, new_user: Callable[[], int], chromium: Browser, node_modules: Path, theme: str
) -> None:
    async with open_desk(office, new_user(), chromium, color_scheme=theme, reduced_motion="reduce") as desk:
        page = await desk.open()
        found = {"idle": await violations(page, node_modules)}
        now = wall_ms()
        call = desk.ring(caller={"url": "https://crm.example.ru/5", "matches": 2}, line={"queue": "Продажи"})
        desk.tap.end(desk.ring(ring_started_at=now - 60_000), Reason.MISSED)
        for name in ("А", "Б", "В"):
            desk.office.save(desk.tap.end(desk.ring(caller={"name": name}, ring_started_at=now - 90_000)))
        await expect(page.locator("call-notification .row").first).to_be_visible()
        await expect(page.locator(".history .caller").first).to_be_visible()
        found["ringing"] = await violations(page, node_modules)
        call = desk.tap.answer(call)
        await expect(page.locator("call-notification .message")).to_have_text("Разговор активен")
        found["talking"] = await violations(page, node_modules)
        desk.tap.end(call)
        await expect(page.locator("call-notification .message")).to_have_text("Звонок завершен")
        found["ended"] = await violations(page, node_modules)
        await page.get_by_role("button", name="Закрыть все").click()
        desk.tap.end(desk.ring(), Reason.MISSED)
        await expect(page.locator("call-notification [data-look=missed]")).to_be_visible()
        found["missed"] = await violations(page, node_modules)
        await page.get_by_role("button", name="Почему я не вижу звонки?").first.click()
        found["check"] = await violations(page, node_modules)
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Выйти").click()
        found["welcome"] = await violations(page, node_modules)
    assert {state: problems for state, problems in found.items() if problems} == {}


async def test_each_state_is_spoken_once_and_the_timer_never(desk: Desk) -> None:
    page = await desk.open()
    await page.evaluate(
        """() => {
          const region = document.querySelector('call-notification').shadowRoot.querySelector('[role=alert]');
          window.spoken = [];
          const note = () => window.spoken.push(region.textContent);
          new MutationObserver(note).observe(region, { childList: true, subtree: true });
        }"""
    )
    message, timer = (page.locator(f"call-notification .{name}") for name in ("message", "timer"))
    call = desk.ring()
    await expect(message).to_have_text("Необходимо взять трубку")
    for _ in range(2):
        await expect(timer).not_to_have_text(await timer.inner_text())
    call = desk.tap.answer(call)
    await expect(message).to_have_text("Разговор активен")
    await expect(timer).not_to_have_text(await timer.inner_text())
    desk.tap.end(call)
    await expect(message).to_have_text("Звонок завершен")
    assert await peek(page, "window.spoken") == [
        "Входящий звонок: Иванов Иван Петрович. Необходимо взять трубку.",
        "Разговор активен: Иванов Иван Петрович.",
        "Звонок завершен: Иванов Иван Петрович.",
    ]
    assert await page.locator("call-notification .timer").get_attribute("aria-live") == "off"


async def test_after_a_reload_old_ends_are_not_spoken(desk: Desk) -> None:
    page = await desk.open()
    desk.tap.end(desk.ring())
    await page.reload()
    await expect(page.locator("call-notification .message")).to_have_text("Звонок завершен")
    assert await page.locator("call-notification [role=alert]").inner_text() == ""


async def test_the_card_can_be_worked_with_the_keyboard_and_escape_closes_it_from_within(desk: Desk) -> None:
    page = await desk.open()
    await page.mouse.click(5, 200)  # so that the card has no button for the sound, which any key would take away
    await expect(page.get_by_text("Нажмите в любом месте, чтобы включить звук")).to_be_hidden()
    desk.ring(caller={"url": "https://crm.example.ru/5"})
    card = page.locator("call-notification .card")
    await expect(card).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(card).to_be_visible()
    focused = "document.querySelector('call-notification').shadowRoot.activeElement"
    names = []
    for _ in range(12):
        await page.keyboard.press("Tab")
        names.append(await peek(page, f"{focused}?.getAttribute('aria-label') ?? {focused}?.textContent"))
    assert [name for name in names if name][:6] == [
        "Отключить звук этого звонка", "Свернуть", "Закрыть", "Скопировать номер", "Открыть карточку", "Закрыть",
    ]  # fmt: skip
    await card.get_by_role("link", name="Открыть карточку").focus()
    await page.keyboard.press("Escape")
    await expect(card).to_be_hidden()


async def test_every_control_shows_its_focus(desk: Desk) -> None:
    page = await desk.open()
    desk.ring()
    await page.keyboard.press("Tab")
    outline = await peek(page, "getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


@pytest.mark.parametrize(("motion", "animations"), [("reduce", 0), ("no-preference", 1)])
async def test_nothing_moves_for_who_wants_no_motion(
    office: Office, new_user: Callable[[], int], chromium: Browser, motion: str, animations: int
) -> None:
    async with open_desk(office, new_user(), chromium, reduced_motion=motion) as desk:
        page = await desk.open()
        desk.ring()
        await expect(page.locator("call-notification .card")).to_be_visible()
        running = "document.querySelector('call-notification').shadowRoot.getAnimations().length"
        await until(page, f"{running} === {animations}")
        await page.wait_for_timeout(500)
        assert await peek(page, running) == animations


async def test_controls_of_the_card_are_large_enough_to_hit(desk: Desk) -> None:
    page = await desk.open()
    desk.ring(caller={"url": "https://crm.example.ru/5"})
    await expect(page.locator("call-notification .card")).to_be_visible()
    for control in await page.locator("call-notification .card :is(button, a):visible").all():
        box = await control.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 24, await control.get_attribute("aria-label")  # WCAG 2.2, 2.5.8


HOSTILE = {
    "markup": "<img src=x onerror='window.pwned=1'><script>window.pwned=1</script>",
    "template": "${alert(1)} {{7*7}} {name} $& %s",
    "bidi": "\u202eгнпт.exe\u202c \u2066скрытое\u2069",
    "control": "a\x00b\x1b[31mc\x07\u009bd\r\nHeader: x",
    "invisible": "\u200b\u200d\ufeff\u2060\u3164",
    "stacked": "Z" + "\u0300\u0489\u036f" * 100,
    "long": "Щ" * 1000,
    "quote": "\"'`;--</bdi></div>",
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_hostile_text_in_every_field_is_only_ever_text(desk: Desk, kind: str) -> None:
    await desk.context.grant_permissions(["notifications"], origin=desk.office.notifier.url)
    await desk.context.add_init_script("document.hasFocus = () => false")
    evil = HOSTILE[kind]
    page = await desk.open()
    fields = {
        "name": evil,
        "display": evil,
        "company": evil,
        "number": evil,
    }  # the intake refuses other URLs than http(s)
    call = desk.ring(caller=fields, line={"number": evil, "label": evil, "queue": evil})
    desk.ring(caller=fields | {"name": None, "kind": "unknown"})
    await expect(page.locator("call-notification .row").first).to_be_visible()
    inside = "document.querySelector('call-notification').shadowRoot.querySelectorAll('img, script, bdi *').length"
    assert await peek(page, inside) == 0
    assert await peek(page, "window.pwned ?? null") is None
    await expect(page.locator("call-notification .card").get_by_role("link")).to_have_count(0)
    shown = await page.locator("call-notification .card").inner_text()
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b-\u200f\x00-\x09\x0b-\x1f\x7f-\x9f]", shown)
    box = await page.locator("call-notification .card").bounding_box()
    assert box is not None
    assert box["height"] < 720, "a name must not grow the card off the screen"
    over = desk.tap.end(call, Reason.MISSED)
    storable = evil.replace("\x00", "")  # PostgreSQL has no text with NUL
    caller = msgspec.structs.replace(over.caller, name=storable, display=storable, company=storable, number=storable)
    line = msgspec.structs.replace(over.line, number=storable, label=storable, queue=storable)
    desk.office.save(msgspec.structs.replace(over, caller=caller, line=line))
    await expect(page.locator(".history .caller")).to_have_count(1, timeout=within(8) * 1000)
    assert await peek(page, "document.querySelectorAll('.history img, .history script, .history bdi *').length") == 0
    assert await peek(page, "window.pwned ?? null") is None
