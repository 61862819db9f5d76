"""The element in a CRM's page of another origin: what it does for the page, and what the page may do to it."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Desk, connected, peek, until
from tests.browser.crm import Crm

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_last_calls_with_a_number_cross_origins(desk: Desk, crm: Crm) -> None:
    old = desk.ring(ring_started_at=1_700_000_000_000, call_id=f"x{desk.user_id}", caller={"number": "+79270003344"})
    desk.office.save(desk.tap.end(old))
    page = await desk.context.new_page()
    await page.goto(crm.url + "/plain/")
    desk.ring(caller={"number": "+79270003344"})
    await expect(page.locator("call-notification .past")).to_be_visible()


async def test_a_user_who_is_not_logged_in_to_the_crm_sees_why_and_the_crm_is_not_asked_again(
    desk: Desk, crm: Crm
) -> None:
    await desk.context.clear_cookies()
    page = await desk.context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "call-token" in request.url else None)
    await page.goto(crm.url + "/plain/")
    await expect(page.get_by_text("Вход не выполнен")).to_be_visible()
    await page.wait_for_timeout(2000)
    assert len(asked) == 1


async def test_whoever_forgot_the_origin_or_the_token_is_told_in_the_console(desk: Desk, crm: Crm) -> None:
    crm.pages["bare"] = '<script src="https://calls.example.ru/client/embed.js"></script><call-notification>'
    said: list[str] = []
    page = await desk.context.new_page()
    page.on("console", lambda message: said.append(message.text))
    await page.goto(crm.url + "/bare/")
    await page.wait_for_event("console", lambda message: "token-url" in message.text)
    # Another name of the same host is another origin, which the notifier does not know.
    other = crm.url.replace("127.0.0.1", "localhost")
    await desk.context.add_cookies([{"name": "user", "value": str(desk.user_id), "url": other}])
    async with page.expect_console_message(lambda message: "ZVONOK_ALLOWED_ORIGINS" in message.text):
        await page.goto(other + "/plain/")
    await expect(page.get_by_text("Вход не выполнен")).to_be_visible()


async def test_a_page_puts_its_own_into_the_card_colours_it_and_hears_of_every_change(desk: Desk, crm: Crm) -> None:
    crm.pages["themed"] = """<!doctype html><html lang=ru><head>
      <script src="https://calls.example.ru/client/embed.js"></script>
      <style>
        body { letter-spacing: 9px; text-transform: uppercase; }
        call-notification { --zvonok-accent: rgb(1, 2, 3); --zvonok-radius: 3px; }
        call-notification::part(message) { text-decoration: underline; }
      </style>
      <script>
        window.told = [];
        for (const type of ['call-ringing', 'call-talking', 'call-ended', 'call-dismissed'])
          document.addEventListener(type, (event) => told.push(type + ' ' + event.detail.call.caller.name));
        document.addEventListener('connection-change', (event) => told.push(event.detail.state));
      </script></head>
      <body><div><call-notification url="https://calls.example.ru" token-url="/call-token" theme="light">
        <p slot="extra">Долг: 12 000 ₽</p><button slot="actions">Заказы</button>
      </call-notification></div></body></html>"""
    page = await desk.context.new_page()
    await page.goto(crm.url + "/themed/")
    await connected(page)
    call = desk.ring(caller={"url": "https://crm.example.ru/5"})
    card = page.locator("call-notification .card")
    await expect(page.get_by_text("Долг: 12 000 ₽")).to_be_visible()
    await expect(page.get_by_role("button", name="Заказы")).to_be_visible()
    style = (
        "(name, of) => getComputedStyle(document.querySelector('call-notification').shadowRoot.querySelector(of))[name]"
    )
    wanted = {
        ("backgroundColor", ".primary"): "rgb(1, 2, 3)", ("borderTopLeftRadius", ".card"): "3px",
        ("textDecorationLine", ".message"): "underline", ("letterSpacing", ".name"): "normal",
        ("textTransform", ".name"): "none",
    }  # fmt: skip
    assert {key: await page.evaluate(f"([name, of]) => ({style})(name, of)", list(key)) for key in wanted} == wanted
    desk.tap.end(desk.tap.answer(call))
    await expect(card.locator(".message")).to_have_text("Звонок завершен")
    await card.get_by_role("button", name="Закрыть").first.click()
    await expect(card).to_be_hidden()
    told = await peek(page, "window.told")
    changes = [f"call-{what} Иванов Иван Петрович" for what in ("ringing", "talking", "ended", "dismissed")]
    assert told[-6:] == ["connecting", "online", *changes]


async def test_a_call_does_not_take_the_focus_from_what_the_user_types(desk: Desk, crm: Crm) -> None:
    page = await desk.context.new_page()
    await page.goto(crm.url + "/plain/")
    await connected(page)
    await page.get_by_label("Заметка").focus()
    call = desk.ring()
    await expect(page.locator("call-notification .card")).to_be_visible()
    # Keys of a keyboard go where the focus is; Cyrillic text is inserted by Playwright where the caret was last.
    await page.keyboard.type("Call back")
    desk.tap.end(desk.tap.answer(call))
    await expect(page.locator("call-notification .message")).to_have_text("Звонок завершен")
    await page.keyboard.type(" tomorrow")
    await page.keyboard.press("Escape")
    await expect(page.get_by_label("Заметка")).to_have_value("Call back tomorrow")
    await expect(page.locator("call-notification .card")).to_be_visible()


async def test_under_a_modal_dialog_of_the_crm_the_card_can_still_be_clicked(desk: Desk, crm: Crm) -> None:
    page = await desk.context.new_page()
    await page.goto(crm.url + "/plain/")
    await connected(page)
    desk.ring()
    card = page.locator("call-notification .card")
    await expect(card).to_be_visible()
    await page.evaluate(
        """() => {
          const dialog = document.createElement('dialog');
          dialog.append('Сохранить сделку?');
          document.body.append(dialog);
          dialog.showModal();
          window.dialog = dialog;
        }"""
    )
    await until(page, "document.querySelector('call-notification').parentNode === window.dialog")
    minimise, restore = (card.get_by_role("button", name=name) for name in ("Свернуть", "Развернуть"))
    await minimise.click()
    await expect(restore).to_be_visible()
    assert await peek(page, "window.dialog.open")
    await page.evaluate("window.dialog.close()")
    await until(page, "document.querySelector('call-notification').parentNode === document.body")
    await restore.click()
    # A dialog that is open already when the next call comes, and that is removed instead of closed.
    await card.get_by_role("button", name="Закрыть").first.click()
    await page.evaluate("window.dialog.showModal()")
    desk.ring()
    await card.get_by_role("button", name="Свернуть").click()
    await page.evaluate("window.dialog.remove()")
    await until(page, "document.querySelector('call-notification')?.parentNode === document.body")
    await expect(card).to_be_visible()
    assert await peek(page, "document.querySelector('call-notification').client.getState().connection") == "online"


@pytest.mark.parametrize("position", ["bottom-right", "inline"])
@pytest.mark.parametrize("by", ["keyboard", "mouse"])
async def test_a_closed_card_gives_the_focus_back_to_the_note_that_is_being_typed(
    desk: Desk, crm: Crm, by: str, position: str
) -> None:
    page = await desk.context.new_page()
    await page.goto(crm.url + "/plain/")
    await connected(page)
    await page.evaluate(
        "position => document.querySelector('call-notification').setAttribute('position', position)", position
    )
    await page.get_by_label("Заметка").focus()
    desk.ring()
    close = page.locator("call-notification .card").get_by_role("button", name="Закрыть").first
    if by == "mouse":
        await close.click()
    else:
        await close.focus()
        await page.keyboard.press("Escape")
    await expect(page.locator("call-notification .card")).to_be_hidden()
    await page.keyboard.type("Call back")
    await expect(page.get_by_label("Заметка")).to_have_value("Call back")


async def test_a_page_that_moves_the_element_keeps_its_card(desk: Desk, crm: Crm) -> None:
    page = await desk.context.new_page()
    await page.goto(crm.url + "/plain/")
    await connected(page)
    desk.ring()
    card = page.locator("call-notification .card")
    await expect(card).to_be_visible()
    await page.evaluate("document.body.prepend(document.querySelector('call-notification'))")
    await expect(card).to_be_visible()
    await connected(page)


async def test_the_card_is_removed_with_its_element_and_its_socket_too(desk: Desk, crm: Crm) -> None:
    page = await desk.context.new_page()
    await page.goto(crm.url + "/plain/")
    await connected(page)
    await page.evaluate("window.client = document.querySelector('call-notification').client")
    await page.evaluate("document.querySelector('call-notification').remove()")
    await until(page, "window.client.getState().connection === 'idle'")
