"""The examples of docs/integration.md in a CRM of another origin than the notifier's, as a CRM would have them."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.async_api import expect

from notifier.auth import Verifier
from tests.browser.conftest import Desk, connected, peek
from tests.browser.crm import EXAMPLES, PLACEHOLDER, Crm
from tests.browser.packages import build_app, node_modules, packed_client
from tests.levels import unavailable, within
from tests.notifiers import AUTH_SECRET, ROOT, token
from zvonok.settings import Settings

__all__ = ["node_modules", "packed_client"]

pytestmark = pytest.mark.asyncio(loop_scope="session")


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


async def test_the_five_minutes_of_the_guide(desk: Desk, crm: Crm) -> None:
    guide = (ROOT / "docs" / "integration.md").read_text()
    (snippet,) = re.findall(r"```html\n(<script[^`]*getToken[^`]*)```", guide)
    crm.pages["try"] = snippet.replace("http://127.0.0.1:5004", PLACEHOLDER).replace("eyJ...", token(desk.user_id))
    page = await desk.context.new_page()
    await page.goto(crm.url + "/try/")
    await connected(page)
    desk.ring()
    await expect(page.locator("call-notification .card")).to_be_visible()


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
