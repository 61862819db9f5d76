"""A click is never lost, and never goes to what it was not meant for, whatever happens between press and release."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Locator, Page, Route, expect

from tests.browser.conftest import Desk, connected, peek, until
from tests.browser.crm import Crm
from tests.levels import within
from zvonok.call import wall_ms

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Lets a test see when the browser has started the audio, which the client hears of in the same task.
_AUDIO = """
window.audio = [];
window.AudioContext = class extends window.AudioContext { constructor(...a) { super(...a); window.audio.push(this); } };
"""
_RUNS = "window.audio.length > 0 && window.audio.every((one) => one.state === 'running')"
# The client ends a press that lasts for 3 s; on a slow machine the test's own may last as long.
_PATIENCE = """
const { setTimeout } = window;
window.setTimeout = (run, ms, ...a) => setTimeout(run, ms === 3000 ? 120000 : ms, ...a);
"""
# Stops the clock by which a click is too soon, however slow the machine is; `stopped = null` lets it go on.
_STOPWATCH = """
window.stopped = null;
const now = performance.now.bind(performance);
performance.now = () => window.stopped ?? now();
"""
_OPEN_DIALOG = """() => {
  window.dialog = document.createElement('dialog');
  window.dialog.append('Сохранить сделку?');
  document.body.append(window.dialog);
  window.dialog.showModal();
}"""


def card(page: Page) -> Locator:
    """The main card."""
    return page.locator("call-notification .card")


def close(page: Page) -> Locator:
    """The cross at the top of the main card."""
    return card(page).get_by_role("button", name="Закрыть").first


async def crm_page(desk: Desk, crm: Crm, position: str = "bottom-right", *, patient: bool = True) -> Page:
    """A CRM's page with the card connected."""
    await desk.context.add_init_script(_AUDIO)
    if patient:
        await desk.context.add_init_script(_PATIENCE)
    page = await desk.context.new_page()
    await page.goto(crm.url + "/plain/")
    await connected(page)
    await page.evaluate(
        "position => document.querySelector('call-notification').setAttribute('position', position)", position
    )
    return page


async def still(control: Locator) -> dict[str, float]:
    """Where it is, once two looks in a row agree."""
    before = None
    async with asyncio.timeout(within(5)):
        while (box := await control.bounding_box()) != before or box is None:
            before = box
            await asyncio.sleep(0.05)
    return {**box}


async def press(page: Page, control: Locator, by: str) -> None:
    """The first half of a click."""
    if by == "keyboard":
        await control.focus()
        await page.keyboard.down(" ")
        return
    box = await still(control)
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await page.mouse.down()


async def release(page: Page, by: str) -> None:
    """The second half."""
    await (page.keyboard.up(" ") if by == "keyboard" else page.mouse.up())


@pytest.mark.parametrize("position", ["bottom-right", "inline"])
async def test_the_press_that_unlocks_the_sound_closes_the_card_though_it_took_the_focus_from_a_note(
    desk: Desk, crm: Crm, position: str
) -> None:
    page = await crm_page(desk, crm, position)
    await page.get_by_label("Заметка").focus()
    desk.ring()
    await expect(card(page)).to_be_visible()
    before = await still(close(page))
    await press(page, close(page), "mouse")
    await until(page, _RUNS)
    assert await still(close(page)) == before
    await release(page, "mouse")
    await expect(card(page)).to_be_hidden()


async def test_the_button_for_the_sound_starts_the_ring_though_its_press_had_started_the_audio(
    desk: Desk, crm: Crm
) -> None:
    page = await crm_page(desk, crm)
    desk.ring()
    button = page.get_by_role("button", name="Включить", exact=True)
    await expect(button).to_be_visible()
    await press(page, button, "mouse")
    await until(page, _RUNS)
    assert await peek(page, "window.heard.ringing") == 0
    await release(page, "mouse")
    await until(page, "window.heard.ringing === 1")


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
async def test_a_call_that_takes_the_card_between_press_and_release_is_not_the_one_that_is_closed(
    desk: Desk, crm: Crm, by: str
) -> None:
    page = await crm_page(desk, crm)
    await page.mouse.click(5, 200)
    call = desk.ring(caller={"name": "Первый"})
    await expect(card(page).locator(".name")).to_have_text("Первый")
    await press(page, close(page), by)
    desk.tap.end(desk.tap.answer(call))
    desk.ring(caller={"name": "Второй"})
    await until(page, "document.title.includes('Второй')")  # the client knows
    assert await card(page).locator(".name").inner_text() == "Первый"
    await release(page, by)
    await expect(card(page).locator(".name")).to_have_text("Второй")
    await expect(page.locator("call-notification .row")).to_have_count(0)
    dismissed = "document.querySelector('call-notification').client.getState().calls.map((call) => call.caller.name)"
    assert await peek(page, dismissed) == ["Второй"]


async def test_what_is_pressed_for_too_long_does_not_stop_the_card(desk: Desk, crm: Crm) -> None:
    page = await crm_page(desk, crm, patient=False)
    await page.mouse.move(5, 200)
    await page.mouse.down()  # and never up: the release was lost
    desk.ring()
    await expect(card(page)).to_be_visible(timeout=within(6) * 1000)


@pytest.mark.parametrize("name", ["Свернуть", "Закрыть"])
async def test_a_dialog_that_opens_between_press_and_release_takes_no_click(desk: Desk, crm: Crm, name: str) -> None:
    page = await crm_page(desk, crm)
    desk.ring()
    button = card(page).get_by_role("button", name=name).first
    await expect(button).to_be_visible()
    await page.evaluate("window.clicks = 0; document.body.addEventListener('click', () => { window.clicks += 1; })")
    await press(page, button, "mouse")
    await page.evaluate(_OPEN_DIALOG)
    await release(page, "mouse")
    await expect(button).to_be_hidden()
    await until(page, "document.querySelector('call-notification').parentNode === window.dialog")
    assert await peek(page, "window.clicks") == 1, "one click, and it bubbles from the card"
    assert await peek(page, "window.dialog.open")


async def test_a_press_that_is_dragged_off_the_button_is_taken_back(desk: Desk, crm: Crm) -> None:
    page = await crm_page(desk, crm)
    desk.ring()
    await expect(card(page)).to_be_visible()
    await press(page, close(page), "mouse")
    await page.evaluate(_OPEN_DIALOG)
    await page.mouse.move(5, 200)
    await page.mouse.up()
    await until(page, "document.querySelector('call-notification').parentNode === window.dialog")
    await expect(card(page)).to_be_visible()


async def test_the_buttons_stay_where_they_are_when_the_sound_is_unlocked_and_the_history_answers(
    desk: Desk, crm: Crm
) -> None:
    old = desk.ring(ring_started_at=wall_ms() - 3_600_000, call_id=f"g{desk.user_id}")
    desk.office.save(desk.tap.end(old))
    answer = asyncio.Event()

    async def late(route: Route) -> None:
        await answer.wait()
        await route.continue_()

    page = await crm_page(desk, crm)
    await close(page).click()
    await page.route("**/api/calls**", late)
    await page.reload()
    await connected(page)
    desk.ring(caller={"url": "https://crm.example.ru/5"})
    await expect(card(page)).to_be_visible()
    controls = card(page).locator(":is(.header, .footer, .numberline) :is(button, a):visible")

    async def places() -> list[Any]:
        return [(await one.get_attribute("aria-label"), await still(one)) for one in await controls.all()]

    first = await places()
    assert first[0][0] == "Отключить звук этого звонка"
    assert len(first) == 6
    answer.set()
    await expect(card(page).get_by_text("Прошлые звонки с этого номера")).to_be_visible()
    assert await places() == first
    await page.keyboard.press("a")  # a key is a gesture, too
    await expect(card(page).get_by_text("Звук включён")).to_be_visible()
    assert await places() == first


async def test_a_card_that_another_call_has_just_taken_is_not_closed_by_a_click_that_was_meant_for_the_first(
    desk: Desk, crm: Crm
) -> None:
    await desk.context.add_init_script(_STOPWATCH)
    page = await crm_page(desk, crm)
    await page.mouse.click(5, 200)
    desk.tap.answer(desk.ring(caller={"name": "Первый"}))
    await expect(card(page).locator(".message")).to_have_text("Разговор активен")
    await page.evaluate("window.stopped = performance.now()")
    desk.ring(caller={"name": "Второй"})
    await expect(card(page).locator(".name")).to_have_text("Второй")
    await close(page).click()
    calls = "document.querySelector('call-notification').client.getState().calls.length"
    assert await peek(page, calls) == 2
    await page.evaluate("window.stopped += 500")
    await close(page).click()
    await expect(card(page).locator(".name")).to_have_text("Первый")


async def test_a_double_click_closes_one_call_and_another_click_the_next(desk: Desk, crm: Crm) -> None:
    await desk.context.add_init_script(_STOPWATCH)
    page = await crm_page(desk, crm, "top-right")
    await page.mouse.click(5, 200)
    now = wall_ms()
    for place, name in enumerate(("Первый", "Второй", "Третий")):
        desk.ring(caller={"name": name}, ring_started_at=now - 10_000 + place * 1000)
    await expect(page.locator("call-notification .row")).to_have_count(2)
    await expect(card(page).locator(".name")).to_have_text("Первый")
    await page.evaluate("window.stopped = performance.now()")
    await close(page).dblclick()
    await expect(card(page).locator(".name")).to_have_text("Второй")
    await page.evaluate("window.stopped = null")
    await close(page).click()
    await expect(card(page).locator(".name")).to_have_text("Третий")
