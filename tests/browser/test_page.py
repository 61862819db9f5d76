"""The stand-alone page: login, who am I, history, settings, self-check."""

from collections.abc import Callable

import psycopg
import pytest
from playwright.async_api import Browser, Route, expect

from tests.browser.conftest import Desk, Office, open_desk, peek, until
from tests.browsers import PHONE, open_context
from tests.levels import within
from tests.notifiers import token
from zvonok.call import Reason, wall_ms

pytestmark = pytest.mark.asyncio(loop_scope="session")


def past(desk: Desk, name: str, *, ago_s: int, reason: Reason = Reason.MISSED, talked_s: int = 0) -> None:
    """A past call in the history, of which the notifier no longer knows."""
    start = wall_ms() - ago_s * 1000
    call = desk.ring(ring_started_at=start, caller={"name": name})
    call = desk.tap.end(
        call, reason, answered_at=start + 5000 if talked_s else None, ended_at=start + 5000 + talked_s * 1000
    )
    desk.office.save(call)


async def test_without_a_token_the_page_says_how_to_get_a_link(office: Office, chromium: Browser) -> None:
    async with open_context(chromium) as context:
        page = await context.new_page()
        await page.goto(office.notifier.url)
        await expect(page.get_by_role("heading", name="Откройте страницу по личной ссылке")).to_be_visible()
        await expect(page.get_by_text("zvonok token --user ID")).to_be_visible()


async def test_the_token_leaves_the_address_bar_at_once_and_the_login_is_remembered(desk: Desk) -> None:
    page = await desk.open()
    assert page.url == desk.office.notifier.url + "/"
    await page.go_back()
    assert "token" not in page.url
    second = await desk.context.new_page()
    await second.goto(desk.office.notifier.url)
    await expect(second.get_by_text("На связи")).to_be_visible()


@pytest.mark.parametrize("file", ["core/caller.js", "page/page.css"])
async def test_a_page_of_which_a_file_did_not_come_is_loaded_again(desk: Desk, file: str) -> None:
    page = await desk.context.new_page()
    await page.route(f"**/{file}", lambda route: route.abort(), times=1)
    await page.goto(desk.login_link())
    await expect(page.get_by_text("На связи")).to_be_visible(timeout=within(20) * 1000)
    await expect(page.locator(".top > div")).to_have_css("padding-left", "20px", timeout=within(20) * 1000)


async def test_no_request_and_no_socket_carries_the_token_in_its_address(desk: Desk) -> None:
    seen: list[str] = []
    desk.context.on("request", lambda request: seen.append(request.url))
    page = await desk.context.new_page()
    page.on("websocket", lambda socket: seen.append(socket.url))
    await page.goto(desk.login_link())
    await expect(page.get_by_text("На связи")).to_be_visible()
    assert any(url.endswith("/ws") for url in seen)
    assert not [url for url in seen if token(desk.user_id)[:20] in url]


async def test_another_link_in_the_same_tab_logs_the_other_user_in(
    office: Office, desk: Desk, new_user: Callable[[], int]
) -> None:
    page = await desk.open()
    desk.ring()
    await expect(page.locator("call-notification .card")).to_be_visible()
    other = Desk(office, new_user(), desk.context)
    await page.goto(other.login_link())
    await expect(page.get_by_text(str(1000 + other.user_id))).to_be_visible()
    await expect(page.locator("call-notification .card")).to_be_hidden()


async def test_who_am_i_and_which_numbers_are_mine(desk: Desk) -> None:
    page = await desk.open()
    await expect(page.locator(".me")).to_contain_text("Петров Пётр")
    await expect(page.locator(".me")).to_contain_text(f"{1000 + desk.user_id} (рабочий)")
    await expect(page.locator(".me")).to_contain_text("(мобильный)")


async def test_a_phone_shows_who_i_am_too(office: Office, new_user: Callable[[], int], chromium: Browser) -> None:
    async with open_desk(office, new_user(), chromium, viewport=PHONE) as desk:
        page = await desk.open()
        await expect(page.locator(".me .name")).to_be_visible()
        await expect(page.locator(".me .numbers")).to_be_visible()


async def test_signing_out_forgets_the_token(desk: Desk) -> None:
    page = await desk.open()
    await page.get_by_role("button", name="Выйти").click()
    await expect(page.get_by_role("heading", name="Вы вышли")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="Откройте страницу по личной ссылке")).to_be_visible()


async def test_who_signs_out_or_in_does_so_in_every_tab(
    office: Office, desk: Desk, new_user: Callable[[], int]
) -> None:
    one = await desk.open()
    await one.evaluate("window.same = true")
    two = await desk.context.new_page()
    await two.goto(f"{office.notifier.url}/#token={token(desk.user_id, lifetime_s=7200)}")  # a newer link of his
    await two.get_by_text("На связи").wait_for()
    assert await peek(one, "window.same")
    await one.get_by_role("button", name="Выйти").click()
    await expect(two.get_by_role("heading", name="Откройте страницу по личной ссылке")).to_be_visible()
    other = Desk(office, new_user(), desk.context)
    await one.goto(other.login_link())
    await expect(two.locator(".me")).to_contain_text(str(1000 + other.user_id))


async def test_todays_history_has_the_missed_calls_first(desk: Desk) -> None:
    past(desk, "Пропущенный раньше", ago_s=50)
    past(desk, "Отвеченный", ago_s=30, reason=Reason.COMPLETED, talked_s=90)
    past(desk, "Пропущенный позже", ago_s=40)
    page = await desk.open()
    await expect(page.locator(".history .caller")).to_have_text(
        ["Пропущенный позже", "Пропущенный раньше", "Отвеченный"]
    )
    await expect(page.locator(".history .group").first).to_have_text("2 пропущенных")
    await expect(page.locator(".history .outcome").last).to_have_text("1:30")
    await page.get_by_role("button", name="Пропущенные").click()
    await expect(page.locator(".history .caller")).to_have_text(["Пропущенный позже", "Пропущенный раньше"])


async def test_todays_missed_calls_come_first_whichever_page_they_are_on_and_stay_open_when_a_call_ends(
    desk: Desk,
) -> None:
    past(desk, "Пропущенный утром", ago_s=400)
    for number in range(30):
        past(desk, f"Звонок {number}", ago_s=100 + number, reason=Reason.COMPLETED, talked_s=9)
    page = await desk.open()
    callers = page.locator(".history .caller")
    await expect(callers).to_have_count(21)
    await expect(callers.first).to_have_text("Пропущенный утром")
    await expect(page.locator(".history .group").first).to_have_text("1 пропущенный")
    await page.get_by_role("button", name="Показать ещё").click()
    await expect(callers).to_have_count(31)
    call = desk.ring(caller={"name": "Новый"})
    desk.office.save(desk.tap.end(desk.tap.answer(call)))
    await expect(callers.nth(1)).to_have_text("Новый", timeout=within(8) * 1000)
    await expect(callers).to_have_count(32)


async def test_a_reload_that_overtakes_the_wish_for_more_does_not_lose_it(desk: Desk) -> None:
    for number in range(23):
        past(desk, f"Звонок {number}", ago_s=100 + number, reason=Reason.COMPLETED, talked_s=9)
    page = await desk.open()
    await expect(page.locator(".history .caller")).to_have_count(20)
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    await page.route("**/api/calls?*before=*", hold)
    await page.get_by_role("button", name="Показать ещё").click()
    desk.tap.end(desk.ring())  # the history is loaded anew
    await expect(page.locator(".history .caller")).to_have_count(23, timeout=within(8) * 1000)
    assert len(held) == 1


async def test_yesterday_is_under_all_and_more_is_loaded_on_request(desk: Desk) -> None:
    for number in range(23):
        past(desk, f"Звонок {number}", ago_s=90_000 + number)
    page = await desk.open()
    await expect(page.get_by_text("Сегодня звонков ещё не было")).to_be_visible()
    await page.get_by_role("button", name="Все", exact=True).click()
    await expect(page.locator(".history .caller")).to_have_count(20)
    await page.get_by_role("button", name="Показать ещё").click()
    await expect(page.locator(".history .caller")).to_have_count(23)
    await expect(page.locator(".history .caller").last).to_have_text("Звонок 22")
    await expect(page.get_by_role("button", name="Показать ещё")).to_be_hidden()


async def test_a_call_that_ends_appears_in_the_history_by_itself(desk: Desk) -> None:
    page = await desk.open()
    call = desk.ring(caller={"name": "Только что"})
    await expect(page.locator("call-notification .name")).to_have_text("Только что")
    desk.office.save(desk.tap.end(call, Reason.MISSED))
    await expect(page.locator(".history .caller")).to_have_text(["Только что"], timeout=within(8) * 1000)


async def test_the_language_is_chosen_and_kept(desk: Desk) -> None:
    page = await desk.open()
    await page.get_by_label("Язык").select_option("en")
    await expect(page.get_by_text("Connected")).to_be_visible()
    desk.ring()
    await expect(page.locator("call-notification .message")).to_have_text("Please pick up the phone")
    assert await peek(page, "document.documentElement.lang") == "en"
    await page.reload()
    await expect(page.get_by_role("heading", name="Call history")).to_be_visible()


async def test_the_theme_is_chosen_and_kept_for_the_card_too(desk: Desk) -> None:
    page = await desk.open()
    desk.ring()
    await page.get_by_label("Оформление").select_option("dark")
    assert await peek(page, "document.documentElement.dataset.theme") == "dark"
    card = page.locator("call-notification .card")
    dark = await card.evaluate("card => getComputedStyle(card).backgroundColor")
    assert dark == "rgb(27, 32, 39)"
    await page.reload()
    await expect(card).to_be_visible()
    assert await card.evaluate("card => getComputedStyle(card).backgroundColor") == dark


async def test_why_do_i_see_no_calls_finds_nothing_wrong_and_a_test_call_arrives(desk: Desk) -> None:
    await desk.context.grant_permissions(["notifications"], origin=desk.office.notifier.url)
    page = await desk.open()
    await page.get_by_role("button", name="Почему я не вижу звонки?").first.click()
    dialog = page.get_by_role("dialog", name="Почему я не вижу звонки?")
    await expect(dialog.locator("li")).to_have_count(8)
    await expect(dialog.locator("li[data-level=ok]")).to_have_count(8)
    await expect(dialog).to_contain_text("Всё в порядке: звонок будет видно и слышно.")
    await expect(dialog).to_contain_text("Показываем звонки на ")
    await expect(dialog).to_contain_text(str(1000 + desk.user_id))
    await dialog.get_by_role("button", name="Проверочный звонок").click()
    await expect(dialog.get_by_role("status")).to_have_text("Дошёл: карточка на экране.")
    card = page.locator("call-notification .card")
    await expect(card.locator(".test")).to_have_text("Проверочный звонок")
    await card.get_by_role("button", name="Закрыть").first.click()  # it floats above the check
    await expect(card).to_be_hidden()
    await dialog.get_by_role("button", name="Закрыть").click()
    await expect(dialog).to_be_hidden()
    desk.ring()
    await expect(card).to_be_visible()
    assert await peek(page, "document.querySelector('call-notification').closest('main') !== null")


async def test_a_user_without_numbers_is_told_so(desk: Desk) -> None:
    with psycopg.connect(desk.office.database_url) as connection:
        connection.execute("DELETE FROM user_phones WHERE user_id = %s", [desk.user_id])
    page = await desk.open()
    await expect(page.locator(".me")).to_contain_text("За вами не закреплён ни один номер")
    await page.get_by_role("button", name="Почему я не вижу звонки?").first.click()
    await expect(page.locator("[data-check=numbers][data-level=bad]")).to_contain_text("Попросите администратора")


async def test_a_user_whom_the_crm_does_not_know_is_turned_away(office: Office, chromium: Browser) -> None:
    async with open_context(chromium) as context:
        page = await context.new_page()
        await page.goto(f"{office.notifier.url}/#token={token(999_999)}")
        await expect(page.get_by_role("heading", name="Этому пользователю вход не разрешён")).to_be_visible()


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
async def test_nothing_is_wider_than_the_screen(
    office: Office, new_user: Callable[[], int], chromium: Browser, width: int
) -> None:
    async with open_desk(office, new_user(), chromium, viewport=PHONE | {"width": width}) as desk:
        past(desk, "Очень длинное название организации с ограниченной ответственностью «Вектор»" * 2, ago_s=60)
        page = await desk.open()
        desk.ring(caller={"name": "Непрерывноесловобезпробелов" * 4, "company": "К" * 120})
        desk.ring(caller={"name": "Й" * 120})
        await expect(page.locator("call-notification .row").first).to_be_visible()
        await until(page, "document.querySelectorAll('.history .caller').length === 1")
        assert await peek(page, "document.documentElement.scrollWidth") <= width
        box = await page.locator("call-notification .card").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
