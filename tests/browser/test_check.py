"""The self-check «Почему я не вижу звонки?» in a CRM's page: how it opens, what it mends, what it leaves alone."""

import jwt
import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Desk, peek, until
from tests.browser.crm import Crm
from tests.levels import within
from tests.notifiers import token
from zvonok.call import wall_ms

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = """<!doctype html><html lang=ru><head><script src="https://calls.example.ru/client/embed.js"></script></head>
<body><p><label>Заметка <input name=note></label></p><call-check></call-check>
<call-notification url="https://calls.example.ru" token-url="/call-token"></call-notification></body></html>"""


async def opened(desk: Desk, crm: Crm) -> tuple[Page, Locator]:
    """The CRM's page, and the check that is open in it."""
    crm.pages["checked"] = PAGE
    page = await desk.context.new_page()
    await page.goto(crm.url + "/checked/")
    await until(page, "document.querySelector('call-notification').client?.getState().connection !== 'connecting'")
    await page.locator("call-check").get_by_role("button").click()
    return page, page.get_by_role("dialog", name="Почему я не вижу звонки?")


async def test_a_button_of_the_crm_opens_it_and_escape_gives_the_focus_back(desk: Desk, crm: Crm) -> None:
    crm.policies["checked"] = crm.strict_policy()
    page, check = await opened(desk, crm)
    await expect(check).to_be_visible()
    await expect(check.locator("li[data-check=socket]")).to_have_attribute("data-level", "ok")
    await page.keyboard.press("Escape")
    await expect(check).to_be_hidden()
    assert await peek(page, "document.activeElement.localName") == "call-check"


async def test_it_does_not_block_the_page(desk: Desk, crm: Crm) -> None:
    page, check = await opened(desk, crm)
    await page.get_by_label("Заметка").fill("Перезвонить")
    await expect(check).to_be_visible()
    desk.ring()
    card = page.locator("call-notification .card")
    await card.get_by_role("button", name="Закрыть").first.click()
    await expect(card).to_be_hidden()
    await expect(check).to_be_visible()


async def test_a_test_call_arrives_and_a_second_one_meanwhile_is_refused(desk: Desk, crm: Crm) -> None:
    page, check = await opened(desk, crm)
    await check.get_by_role("button", name="Проверочный звонок").click()
    await expect(check.get_by_role("status")).to_have_text("Дошёл: карточка на экране.")
    await expect(page.locator("call-notification .card .test")).to_have_text("Проверочный звонок")
    await check.get_by_role("button", name="Проверочный звонок").click()
    await expect(check.get_by_role("status")).to_have_text(
        "Проверочный звонок уже идёт. Подождите, пока он закончится."
    )


async def test_sound_that_was_switched_off_is_switched_on_where_it_is_found(desk: Desk, crm: Crm) -> None:
    await desk.context.add_init_script("if (location.protocol === 'http:') localStorage.setItem('zvonok.sound', 'off')")
    page, check = await opened(desk, crm)
    sound = check.locator("li[data-check=sound]")
    await expect(sound).to_contain_text("Выключен.")
    await sound.get_by_role("button", name="Включить звук").click()
    await expect(sound).to_contain_text("Звонок будет слышно.")
    assert (await peek(page, "window.heard"))["beeps"] == 1, "and it is heard at once"
    desk.ring()
    await until(page, "window.heard.ringing === 1")


async def test_notifications_are_asked_for_where_they_are_found_missing(desk: Desk, crm: Crm) -> None:
    await desk.context.add_init_script(
        "window.asked = 0; Notification.requestPermission = async () => { window.asked += 1; return 'default'; };"
    )
    page, check = await opened(desk, crm)
    await check.locator("li[data-check=notifications]").get_by_role("button", name="Разрешить").click()
    await until(page, "window.asked === 1")


async def test_who_was_logged_out_of_the_crm_signs_in_again_without_a_reload(desk: Desk, crm: Crm) -> None:
    await desk.context.clear_cookies()
    crm.pages["checked"] = PAGE
    page = await desk.context.new_page()
    await page.goto(crm.url + "/checked/")
    note = page.get_by_text("Вход не выполнен. Обновите страницу или войдите заново.")
    await expect(note).to_be_visible()
    await page.locator("call-notification .note").get_by_role("button", name="Почему я не вижу звонки?").click()
    login = page.locator("call-notification li[data-check=token]")
    await expect(login).to_have_attribute("data-level", "bad")
    await desk.context.add_cookies([{"name": "user", "value": str(desk.user_id), "url": crm.url}])
    await login.get_by_role("button", name="Повторить вход").click()
    await expect(login).to_have_attribute("data-level", "ok")
    desk.ring()
    await expect(page.locator("call-notification .card")).to_be_visible()


async def test_a_crm_with_the_wrong_secret_is_named_and_asked_no_more_than_twice(desk: Desk, crm: Crm) -> None:
    # Each token is another one, as PyJWT with a fractional `exp` makes them.
    crm.make_token = lambda user: jwt.encode(
        {"sub": str(user), "aud": "zvonok", "exp": wall_ms() // 1000 + 600, "jti": wall_ms()}, "x" * 32, "HS256"
    )
    asked: list[str] = []
    desk.context.on("request", lambda request: asked.append(request.url) if "call-token" in request.url else None)
    try:
        page, check = await opened(desk, crm)
        await expect(check.locator("li[data-check=token]")).to_contain_text("Не выполнен.")
        await page.wait_for_timeout(1500)
    finally:
        crm.make_token = token
    assert len(asked) == 2


async def test_under_a_modal_dialog_of_the_crm_it_can_still_be_clicked(desk: Desk, crm: Crm) -> None:
    page, check = await opened(desk, crm)
    await page.evaluate(
        """() => {
          window.dialog = document.createElement('dialog');
          document.body.append(window.dialog);
          window.dialog.showModal();
        }"""
    )
    await until(page, "document.querySelector('call-notification').parentNode === window.dialog")
    await check.get_by_role("button", name="Закрыть").click()
    await expect(check).to_be_hidden(timeout=within(5) * 1000)
    await page.evaluate("window.dialog.close()")
    await until(page, "document.querySelector('call-notification').parentNode === document.body")
