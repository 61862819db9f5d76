"""The examples of docs/integration.md in a CRM of another origin than the notifier's, as a CRM would have them."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from notifier.auth import Verifier
from tests.browser.conftest import Desk, peek, until
from tests.browser.crm import EXAMPLES, PLACEHOLDER, Crm
from tests.browser.packages import build_app, node_modules, packed_client
from tests.levels import unavailable, within
from tests.notifiers import AUTH_SECRET, ROOT, token
from zvonok.settings import Settings

__all__ = ["node_modules", "packed_client"]

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def crm(desk: Desk) -> AsyncIterator[Crm]:
    """The CRM, where this test's user is logged in."""
    assert desk.office.crm is not None
    crm = desk.office.crm
    await desk.context.add_cookies([{"name": "user", "value": str(desk.user_id), "url": crm.url}])
    yield crm
    crm.policies.clear()


async def connected(page: Page) -> None:
    """Wait until the page's card is connected."""
    await until(page, "document.querySelector('call-notification').client?.getState().connection === 'online'")


async def test_plain_html_under_the_strictest_content_policy(desk: Desk, crm: Crm) -> None:
    crm.policies["plain"] = crm.strict_policy()
    page = await desk.context.new_page()
    await page.goto(crm.url + "/plain/")
    await connected(page)
    call = desk.ring()
    card = page.locator("call-notification .card")
    await expect(card).to_contain_text("Необходимо взять трубку")
    assert await card.evaluate("card => getComputedStyle(card).borderTopLeftRadius") == "14px"
    desk.tap.answer(call)
    await expect(card).to_contain_text("Разговор активен")
    await card.get_by_role("button", name="Закрыть").first.click()
    await expect(card).to_be_hidden()


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


async def test_a_call_does_not_take_the_focus_from_what_the_user_types(desk: Desk, crm: Crm) -> None:
    page = await desk.context.new_page()
    await page.goto(crm.url + "/plain/")
    await connected(page)
    await page.get_by_label("Заметка").focus()
    call = desk.ring()
    await expect(page.locator("call-notification .card")).to_be_visible()
    await page.keyboard.type("Перезвонить")
    desk.tap.end(desk.tap.answer(call))
    await expect(page.locator("call-notification .message")).to_have_text("Звонок завершен")
    await page.keyboard.type(" завтра")
    await page.keyboard.press("Escape")
    await expect(page.get_by_label("Заметка")).to_have_value("Перезвонить завтра")
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
    await card.get_by_role("button", name="Свернуть").click()
    assert await peek(page, "window.dialog.open")
    await page.evaluate("window.dialog.close()")
    await until(page, "document.querySelector('call-notification').parentNode === document.body")
    await card.get_by_role("button", name="Развернуть").click()
    # A dialog that is open already when the next call comes, and that is removed instead of closed.
    await card.get_by_role("button", name="Закрыть").first.click()
    await page.evaluate("window.dialog.showModal()")
    desk.ring()
    await card.get_by_role("button", name="Свернуть").click()
    await page.evaluate("window.dialog.remove()")
    await until(page, "document.querySelector('call-notification')?.parentNode === document.body")
    await expect(card).to_be_visible()
    assert await peek(page, "document.querySelector('call-notification').client.getState().connection") == "online"


async def test_the_card_is_removed_with_its_element_and_its_socket_too(desk: Desk, crm: Crm) -> None:
    page = await desk.context.new_page()
    await page.goto(crm.url + "/plain/")
    await connected(page)
    await page.evaluate("window.client = document.querySelector('call-notification').client")
    await page.evaluate("document.querySelector('call-notification').remove()")
    await until(page, "window.client.getState().connection === 'idle'")


async def test_a_bitrix_page_opens_the_callers_card_in_its_slider(desk: Desk, crm: Crm) -> None:
    header = (EXAMPLES / "bitrix" / "header.html").read_text()
    # What the example uses of Bitrix, and no more: a slider that opens an address.
    slider = "<script>var BX = { SidePanel: { Instance: { open: function (url) { window.slid = url; } } } };</script>"
    crm.pages["bitrix"] = (
        f"<!doctype html><html lang=ru><head>{slider}{header}</head><body><h1>Сделки</h1></body></html>"
    )
    page = await desk.context.new_page()
    await page.goto(crm.url + "/bitrix/")
    await connected(page)
    desk.ring(caller={"url": "https://crm.example.ru/crm/company/details/5/"})
    await page.get_by_role("link", name="Открыть карточку").click()
    assert await peek(page, "window.slid") == "https://crm.example.ru/crm/company/details/5/"
    assert len(desk.context.pages) == 1


@pytest.mark.parametrize("react", ["", "18"], ids=["React 19", "React 18"])
async def test_a_react_application_built_from_the_packed_client(
    desk: Desk, crm: Crm, packed_client: Path, tmp_path: Path, react: str
) -> None:
    name = f"react{react}"
    crm.folders[name] = await asyncio.to_thread(
        build_app, EXAMPLES / "react", tmp_path / "app", packed_client,
        react=react, notifier_url=desk.office.notifier.url, placeholder=PLACEHOLDER,
    )  # fmt: skip
    crm.policies[name] = crm.strict_policy()
    await desk.context.add_init_script(
        """window.sockets = 0; window.WebSocket = class extends WebSocket {
          constructor(...a) {
            super(...a);
            window.sockets += 1;
            this.addEventListener('close', () => { window.sockets -= 1; });
          }
        };"""
    )
    page = await desk.context.new_page()
    await page.goto(f"{crm.url}/{name}/")
    await expect(page.locator("output")).to_have_attribute("data-connection", "online")
    call = desk.ring()
    card = page.locator("call-notification .card")
    await expect(card).to_contain_text("Необходимо взять трубку")
    await expect(page.locator("output")).to_have_text("Иванов Иван Петрович: ringing")
    assert await peek(page, "window.sockets") == 1, "the card, the hook and StrictMode share one socket"
    desk.tap.answer(call, caller=type(call.caller)(name="Иванов", kind="dealer", id=7, url="https://crm.example.ru/7"))
    await card.get_by_role("link", name="Открыть карточку").click()
    await expect(page.get_by_role("heading", name="Дилер 7")).to_be_visible()
    assert len(desk.context.pages) == 1
    await page.get_by_role("button", name="Скрыть").click()
    await expect(card).to_be_hidden()
    await expect(page.locator("output")).to_have_text("Звонков нет")


async def test_the_python_client_follows_a_call(desk: Desk) -> None:
    script = EXAMPLES / "python" / "follow_calls.py"
    assert len(script.read_text().splitlines()) <= 30
    url = desk.office.notifier.url.replace("http", "ws") + "/ws"
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), url, token(desk.user_id), stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(within(15)):
            lines = [await process.stdout.readline()]
            call = desk.tap.answer(desk.ring())
            desk.tap.end(call)
            lines += [await process.stdout.readline() for _ in range(3)]
    finally:
        process.kill()
        await process.wait()
    assert [line.decode().strip() for line in lines] == [
        "logged in as Петров Пётр",
        "ringing Иванов Иван Петрович",
        "talking Иванов Иван Петрович",
        "ended Иванов Иван Петрович",
    ]


async def test_the_php_example_makes_tokens_that_the_notifier_accepts() -> None:
    php = shutil.which("php")
    if php is None:
        unavailable("PHP is not installed: sudo make test-tools, or apt install php-cli")
    environment = os.environ | {"ZVONOK_USER": "42", "ZVONOK_AUTH_SECRET": AUTH_SECRET}
    made = subprocess.run(
        [php, str(EXAMPLES / "bitrix" / "call-token.php")], env=environment, capture_output=True, text=True, check=True
    )
    identity = Verifier(Settings(auth_secret=AUTH_SECRET)).verify(made.stdout)
    assert identity.user_id == 42


async def test_the_guide_shows_the_examples_as_they_are() -> None:
    guide = (ROOT / "docs" / "integration.md").read_text()
    shown = dict(re.findall(r"<!-- (examples/\S+) -->\n```\w*\n(.*?)```", guide, re.DOTALL))
    assert shown.keys() >= {
        "examples/react/App.jsx", "examples/plain/index.html", "examples/bitrix/header.html",
        "examples/bitrix/call-token.php",
    }  # fmt: skip
    for name, text in shown.items():
        assert text == (ROOT / "docs" / name).read_text(), f"docs/integration.md shows another {name}"
