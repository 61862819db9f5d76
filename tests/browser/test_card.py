"""The card of one call and of several, in real Chromium against the real notifier."""

import re
from collections.abc import Callable

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.conftest import Desk, Office, open_desk
from zvonok.call import AnsweredBy, Reason, wall_ms

pytestmark = pytest.mark.asyncio(loop_scope="session")

UNKNOWN = {"name": None, "kind": "unknown", "id": None, "company": None, "matches": 0}


def card(page: Page) -> Locator:
    """The main card."""
    return page.locator("call-notification .card")


async def test_a_call_goes_through_its_three_states_and_the_card_stays_after_the_end(desk: Desk) -> None:
    page = await desk.open()
    call = desk.ring()
    await expect(card(page)).to_be_visible()
    await expect(card(page)).to_contain_text("Входящий звонок")
    await expect(card(page)).to_contain_text("Необходимо взять трубку")
    await expect(card(page)).to_contain_text("Иванов Иван Петрович")
    await expect(card(page)).to_contain_text("ООО «Ромашка» · на номер 101 (рабочий)")
    assert "+7\u00a0927\u00a0139\u201109\u201107" in await card(page).inner_text()
    call = desk.tap.answer(call, answered_at=wall_ms() - 60_000)
    await expect(card(page)).to_contain_text("Разговор активен")
    await expect(card(page).locator(".timer")).to_have_text(re.compile(r"1:[0-5]\d"))
    desk.tap.end(call, ended_at=call.answered_at + 754_000)
    await expect(card(page)).to_contain_text("Звонок завершен")
    await expect(card(page).locator(".timer")).to_have_text("12:34")
    await page.wait_for_timeout(1500)
    await expect(card(page)).to_be_visible()


async def test_the_running_timer_runs(desk: Desk) -> None:
    page = await desk.open()
    desk.tap.answer(desk.ring())
    timer = card(page).locator(".timer")
    await expect(timer).to_have_text(re.compile(r"0:\d\d"))
    for _ in range(2):
        await expect(timer).not_to_have_text(await timer.inner_text())
    await expect(timer).to_have_text(re.compile(r"0:0[2-9]|0:[1-5]\d"))


async def test_another_user_sees_nothing(
    office: Office, new_user: Callable[[], int], desk: Desk, chromium: Browser
) -> None:
    async with open_desk(office, new_user(), chromium) as other:
        page, others_page = await desk.open(), await other.open()
        desk.ring()
        await expect(card(page)).to_be_visible()
        other.ring(caller={"name": "Другому"})
        await expect(card(others_page).locator(".name")).to_have_text("Другому")
        await expect(others_page.locator("call-notification .row")).to_have_count(0)


async def test_dismissing_in_one_tab_dismisses_in_all_and_stays_dismissed_after_a_reload(desk: Desk) -> None:
    one, two = await desk.open(), await desk.open()
    call = desk.ring()
    await expect(card(two)).to_be_visible()
    await card(one).get_by_role("button", name="Закрыть").first.click()
    await expect(card(one)).to_be_hidden()
    await expect(card(two)).to_be_hidden()
    desk.tap.answer(call)
    await two.reload()
    await two.get_by_text("На связи").wait_for()
    await expect(card(two)).to_be_hidden()


async def test_an_unknown_caller_is_called_so_whatever_the_network_says(desk: Desk) -> None:
    page = await desk.open()
    desk.ring(caller=UNKNOWN | {"display": "Сбербанк"})
    await expect(card(page).locator(".name")).to_have_text("Неизвестный")
    await expect(card(page)).to_contain_text("Имя из сети, не проверено: Сбербанк")


async def test_a_hidden_number_is_said_to_be_hidden(desk: Desk) -> None:
    page = await desk.open()
    desk.ring(caller=UNKNOWN | {"number": None, "restricted": True})
    await expect(card(page)).to_contain_text("Номер скрыт")
    await expect(card(page).get_by_role("button", name="Скопировать номер")).to_be_hidden()


async def test_the_button_opens_the_callers_card_and_never_by_itself(desk: Desk) -> None:
    page = await desk.open()
    desk.ring(caller={"url": "https://crm.example.ru/dealer/5"})
    link = card(page).get_by_role("link", name="Открыть карточку")
    await expect(link).to_have_attribute("href", "https://crm.example.ru/dealer/5")
    await expect(link).to_have_attribute("rel", re.compile("noopener"))
    assert len(desk.context.pages) == 1


async def test_an_unknown_caller_can_be_made_a_contact(desk: Desk) -> None:
    page = await desk.open()
    desk.ring(caller=UNKNOWN | {"url": "https://crm.example.ru/new?n=1"})
    await expect(card(page).get_by_role("link", name="Создать контакт")).to_be_visible()


@pytest.mark.parametrize(
    ("reason", "status", "right"),
    [
        (Reason.MISSED, "Пропущенный звонок", "не отвечен"),
        (Reason.BUSY, "Занято", "занято"),
        (Reason.REJECTED, "Отклонён", "отклонён"),
        (Reason.FAILED, "Не соединён", "не соединён"),
        (Reason.UNKNOWN, "Завершён", "итог неизвестен"),
    ],
)
async def test_a_call_that_was_not_answered_says_why(desk: Desk, reason: Reason, status: str, right: str) -> None:
    page = await desk.open()
    desk.tap.end(desk.ring(), reason)
    await expect(card(page).locator(".status")).to_have_text(status)
    await expect(card(page).locator(".message")).to_have_text("Звонок завершен")
    await expect(card(page).locator(".timer")).to_have_text(right)


async def test_a_call_that_a_colleague_took_says_who_it_was(desk: Desk) -> None:
    page = await desk.open()
    desk.tap.end(desk.ring(), Reason.ANSWERED_ELSEWHERE, answered_by=AnsweredBy(user_id=2, name="Смирнова Ольга"))
    await expect(card(page).locator(".status")).to_have_text("Ответил коллега")
    await expect(card(page)).to_contain_text("Ответил(а): Смирнова Ольга")


async def test_a_transferred_talk_keeps_its_length(desk: Desk) -> None:
    page = await desk.open()
    call = desk.tap.answer(desk.ring())
    desk.tap.end(call, Reason.TRANSFERRED, ended_at=call.answered_at + 61_000)
    await expect(card(page).locator(".status")).to_have_text("Переведён")
    await expect(card(page).locator(".timer")).to_have_text("1:01")


async def test_of_several_calls_the_oldest_ringing_one_is_the_card_and_the_others_are_rows(desk: Desk) -> None:
    page = await desk.open()
    now = wall_ms()
    desk.tap.end(desk.ring(caller={"name": "Завершённый"}, ring_started_at=now - 90_000), Reason.MISSED)
    desk.tap.answer(desk.ring(caller={"name": "Говорящий"}, ring_started_at=now - 60_000))
    desk.ring(caller={"name": "Второй"}, ring_started_at=now - 3_000)
    desk.ring(caller={"name": "Первый"}, ring_started_at=now - 5_000)
    desk.tap.end(
        desk.ring(caller={"name": "Старый"}, ring_started_at=now - 99_000), Reason.MISSED, ended_at=now - 80_000
    )
    await expect(card(page).locator(".name")).to_have_text("Первый")
    rows = page.locator("call-notification .row")
    await expect(rows.locator(".rowname")).to_have_text(["Второй", "Говорящий"])
    await page.get_by_role("button", name="ещё 2").click()
    await expect(rows.locator(".rowname")).to_have_text(["Второй", "Говорящий", "Завершённый", "Старый"])
    await rows.nth(1).get_by_role("button", name="Закрыть").click()
    await expect(rows).to_have_count(3)
    await page.get_by_role("button", name="Закрыть все").click()
    await expect(card(page)).to_be_hidden()
    await expect(rows).to_have_count(0)


async def test_a_caller_who_calls_again_and_again_is_counted_by_phone_call(desk: Desk) -> None:
    page = await desk.open()
    first = desk.ring(ring_started_at=wall_ms() - 300_000)
    desk.tap.end(first, Reason.MISSED)
    # The queue tried him once more in the same phone call: that is no second call of the caller.
    desk.tap.end(desk.ring(first_linkedid=first.first_linkedid, ring_started_at=wall_ms() - 280_000), Reason.MISSED)
    desk.tap.end(desk.ring(ring_started_at=wall_ms() - 900_000), Reason.MISSED)
    desk.ring(caller={"number": "+74950000000"})
    await expect(card(page).locator(".repeat")).to_be_hidden()
    desk.tap.end(desk.ring(ring_started_at=wall_ms() - 60_000), Reason.MISSED)
    desk.ring(ring_started_at=wall_ms() - 1000)
    await expect(card(page).locator(".repeat")).to_have_text("3-й звонок за 10 минут")


async def test_the_card_names_the_last_calls_with_this_number(office: Office, desk: Desk) -> None:
    page = await desk.open()
    old = desk.ring(
        ring_started_at=wall_ms() - 3_600_000, caller={"number": "+79270001122"}, call_id=f"old{desk.user_id}"
    )
    old = desk.tap.end(old, Reason.MISSED)
    office.save(old)
    desk.ring(caller={"number": "+79270001122"})
    past = card(page).locator(".past")
    await past.get_by_text("Прошлые звонки с этого номера").click()
    await expect(past.locator("li")).to_have_count(1)
    await expect(past.locator("li")).to_contain_text("Пропущен")


async def test_a_number_that_never_called_before_is_said_to_be_new_and_a_history_that_is_away_too(desk: Desk) -> None:
    page = await desk.open()
    call = desk.ring(caller={"number": "+79270009900"})
    await expect(card(page)).to_contain_text("Раньше с этого номера вам не звонили")
    desk.tap.end(call)
    await page.route("**/api/calls**", lambda route: route.abort())
    desk.ring(caller={"number": "+79270009911"})
    await expect(card(page)).to_contain_text("Прошлые звонки сейчас не посмотреть")


async def test_more_records_with_one_number_are_mentioned(desk: Desk) -> None:
    page = await desk.open()
    desk.ring(caller={"matches": 3})
    await expect(card(page)).to_contain_text("ещё 2 записи с этим номером")


async def test_a_test_call_is_labelled(desk: Desk) -> None:
    page = await desk.open()
    desk.ring(test=True)
    await expect(card(page).locator(".test")).to_have_text("Проверочный звонок")


async def test_a_minimised_card_keeps_who_rings_in_view(desk: Desk) -> None:
    page = await desk.open()
    desk.ring()
    await card(page).get_by_role("button", name="Свернуть").click()
    await expect(card(page).get_by_text("Необходимо взять трубку")).to_be_hidden()
    await expect(card(page).get_by_text("Входящий звонок · Иванов Иван Петрович")).to_be_visible()
    await card(page).get_by_role("button", name="Развернуть").click()
    await expect(card(page).get_by_text("Необходимо взять трубку")).to_be_visible()


async def test_the_number_can_be_copied_as_it_was_dialled(desk: Desk) -> None:
    await desk.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = await desk.open()
    desk.ring()
    await card(page).get_by_role("button", name="Скопировать номер").click()
    assert await page.evaluate("navigator.clipboard.readText()") == "+79271390907"


async def test_a_transfer_that_brings_another_caller_changes_the_card_in_place(office: Office, desk: Desk) -> None:
    old = desk.ring(ring_started_at=wall_ms() - 3_600_000, caller={"number": "+74950000001"}, first_linkedid="old")
    office.save(desk.tap.end(old))
    page = await desk.open()
    call = desk.tap.answer(desk.ring())
    await expect(card(page).locator(".name")).to_have_text("Иванов Иван Петрович")
    await expect(card(page)).to_contain_text("Раньше с этого номера вам не звонили")
    desk.tap.answer(call, caller=type(call.caller)(number="+74950000001", name="Настоящий Звонящий"))
    await expect(card(page).locator(".name")).to_have_text("Настоящий Звонящий")
    await expect(card(page)).to_contain_text("Прошлые звонки с этого номера")
    await expect(page.locator("call-notification .row")).to_have_count(1)  # the old one
