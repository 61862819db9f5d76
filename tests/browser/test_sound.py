"""Who rings, and when: autoplay rules, many tabs, desktop notifications, the tab's title."""

import asyncio
from collections.abc import Callable

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Desk, Office, open_desk, peek, until
from tests.browsers import running_chromium
from tests.levels import within
from tests.notifiers import running_notifier, running_tap, token

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def heard(page: Page) -> dict[str, int]:
    """How many rings sound now, rang in all, and how many beeps there were."""
    value: dict[str, int] = await peek(page, "window.heard")
    return value


async def rings(pages: list[Page]) -> list[int]:
    """For each page whether it rings now."""
    return [(await heard(page))["ringing"] for page in pages]


async def becomes(pages: list[Page], wanted: list[int], *, seconds: float = 5) -> None:
    """Wait until exactly these pages ring, and see that it stays so for a moment."""
    async with asyncio.timeout(within(seconds)):
        while await rings(pages) != wanted:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    assert await rings(pages) == wanted


async def one_of(pages: list[Page], *, seconds: float = 5) -> int:
    """Wait until exactly one page rings; its index."""
    async with asyncio.timeout(within(seconds)):
        while sum(await rings(pages)) != 1:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    now = await rings(pages)
    assert sum(now) == 1, now
    return now.index(1)


async def unlock(page: Page) -> None:
    """A click that means nothing but lets the browser play sound, and what it takes to start the audio."""
    await page.mouse.click(5, 200)
    await expect(page.get_by_text("Нажмите в любом месте, чтобы включить звук")).to_be_hidden()


async def test_the_page_asks_for_a_click_before_the_first_call_and_a_click_anywhere_will_do(desk: Desk) -> None:
    page = await desk.open()
    hint = page.get_by_text("Нажмите в любом месте, чтобы включить звук")
    await expect(hint).to_be_visible()
    await page.mouse.click(5, 200)
    await expect(hint).to_be_hidden()
    desk.ring()
    await becomes([page], [1])


async def test_a_call_that_comes_while_the_browser_still_starts_the_audio_rings(desk: Desk) -> None:
    await desk.context.add_init_script(
        """const resume = AudioContext.prototype.resume;
        AudioContext.prototype.resume = async function () {
          await new Promise((done) => setTimeout(done, 1500));
          return resume.call(this);
        };"""
    )
    page = await desk.open()
    await page.mouse.click(5, 200)
    desk.ring()
    await expect(page.locator("call-notification .card")).to_be_visible()
    await becomes([page], [1])


async def test_a_blocked_ring_is_said_on_the_card_and_started_by_its_button(desk: Desk) -> None:
    page = await desk.open()
    desk.ring()
    await expect(page.get_by_text("Звук выключен браузером")).to_be_visible()
    assert await rings([page]) == [0]
    await page.get_by_role("button", name="Включить", exact=True).click()
    await becomes([page], [1])


async def test_a_click_elsewhere_does_not_start_a_ring_that_began_in_silence(desk: Desk) -> None:
    page = await desk.open()
    call = desk.ring()
    await expect(page.get_by_text("Звук выключен браузером")).to_be_visible()
    await page.mouse.click(5, 200)
    await expect(page.get_by_text("Звук выключен браузером")).to_be_hidden()
    await becomes([page], [0])
    desk.tap.end(call)
    desk.ring()
    await becomes([page], [1])


async def test_the_ring_stops_when_somebody_answers(desk: Desk) -> None:
    page = await desk.open()
    await unlock(page)
    call = desk.ring()
    await becomes([page], [1])
    desk.tap.answer(call)
    await becomes([page], [0])


async def test_dismissing_or_silencing_stops_the_ring(desk: Desk) -> None:
    page = await desk.open()
    await unlock(page)
    desk.ring()
    await becomes([page], [1])
    await page.get_by_role("button", name="Отключить звук этого звонка").click()
    await becomes([page], [0])
    await expect(page.locator("call-notification .card")).to_be_visible()
    desk.ring()
    await becomes([page], [1])
    await page.get_by_role("button", name="Закрыть все").click()
    await becomes([page], [0])


async def test_of_four_tabs_exactly_one_rings_and_when_it_closes_another_goes_on(desk: Desk) -> None:
    pages = [await desk.open() for _ in range(4)]
    for page in pages[:3]:
        await unlock(page)
    desk.ring()
    ringer = await one_of(pages)
    assert ringer != 3  # the tab that nobody clicked in cannot sound
    await pages.pop(ringer).close()
    await one_of(pages)


async def test_silencing_in_one_tab_silences_the_one_that_rings(desk: Desk) -> None:
    pages = [await desk.open() for _ in range(2)]
    for page in pages:
        await unlock(page)
    desk.ring()
    ringer = await one_of(pages)
    await pages[1 - ringer].get_by_role("button", name="Отключить звук этого звонка").click()
    await becomes(pages, [0, 0])


async def test_a_tab_whose_own_sound_is_blocked_silences_the_one_that_rings_too(desk: Desk) -> None:
    pages = [await desk.open() for _ in range(2)]
    await unlock(pages[0])
    desk.ring()
    await becomes(pages, [1, 0])
    await pages[1].get_by_role("button", name="Отключить звук этого звонка").click()
    await becomes(pages, [0, 0])


async def test_two_users_in_one_browser_do_not_share_a_voice(
    office: Office, desk: Desk, new_user: Callable[[], int]
) -> None:
    other = Desk(office, new_user(), desk.context)
    pages = []
    for user in (desk, other):
        page = await desk.context.new_page()
        await page.goto(office.notifier.url + "/client/package.json")
        await page.evaluate(
            """async (token) => {
              const { createCallClient } = await import('/client/index.js');
              window.client = createCallClient({ getToken: () => token });
              window.client.start();
            }""",
            token(user.user_id),
        )
        await until(page, "window.client.getState().connection === 'online'")
        await page.mouse.click(5, 200)
        await until(page, "window.client.getState().sound === 'ready'")
        pages.append(page)
    desk.ring()
    other.ring()
    await becomes(pages, [1, 1])


async def test_a_second_call_during_a_talk_beeps_once_and_does_not_ring(desk: Desk) -> None:
    page = await desk.open()
    await unlock(page)
    call = desk.ring()
    await becomes([page], [1])
    desk.tap.answer(call)
    await becomes([page], [0])
    before = (await heard(page))["beeps"]
    desk.ring()
    await page.locator("call-notification [data-look=ringing]").first.wait_for()
    await becomes([page], [0])
    assert await heard(page) == {"ringing": 0, "rings": 1, "beeps": before + 1}


async def test_sound_switched_off_stays_off_in_every_tab_and_after_a_reload(desk: Desk) -> None:
    pages = [await desk.open() for _ in range(2)]
    for page in pages:
        await unlock(page)
    await pages[0].get_by_role("switch", name="Звук звонка").click()
    await expect(pages[1].get_by_role("switch", name="Звук звонка")).not_to_be_checked()
    await pages[1].reload()
    await unlock(pages[1])
    desk.ring()
    await expect(pages[1].locator("call-notification .card")).to_be_visible()
    await becomes(pages, [0, 0])


async def test_the_title_says_who_rings_and_is_put_back(desk: Desk) -> None:
    page = await desk.open()
    call = desk.ring()
    await expect(page).to_have_title("Звонит Иванов Иван Петрович · Звонки")
    assert await peek(page, "document.querySelectorAll('link[rel~=icon]').length") == 1
    assert "ringing.svg" in await peek(page, "document.querySelector('link[rel~=icon]').href")
    desk.ring()
    await expect(page).to_have_title("2 входящих звонка · Звонки")
    desk.tap.answer(call)
    await expect(page).to_have_title("Звонит Иванов Иван Петрович · Звонки")
    await page.get_by_role("button", name="Закрыть все").click()
    await expect(page).to_have_title("Звонки")
    assert "zvonok.svg" in await peek(page, "document.querySelector('link[rel~=icon]').href")


async def test_a_title_that_the_page_sets_meanwhile_stays(desk: Desk) -> None:
    page = await desk.open()
    call = desk.ring()
    await expect(page).to_have_title("Звонит Иванов Иван Петрович · Звонки")
    await page.evaluate("document.title = 'Сделка 12'")
    desk.tap.answer(call)
    await page.locator("[data-look=talking]").first.wait_for()
    await expect(page).to_have_title("Сделка 12")


# Counts the notifications that stand on the desktop; they are real ones, only counted.
_DESKTOP = """
window.desktop = { shown: [], closed: 0 };
const Real = window.Notification;
window.Notification = class extends Real {
  constructor(title, options) { super(title, options); window.desktop.shown.push([title, options.tag, options.body]); }
  close() { window.desktop.closed += 1; super.close(); }
};
"""


async def test_a_desktop_notification_lives_exactly_as_long_as_the_ring(desk: Desk) -> None:
    await desk.context.grant_permissions(["notifications"], origin=desk.office.notifier.url)
    await desk.context.add_init_script(_DESKTOP)
    await desk.context.add_init_script("document.hasFocus = () => false")  # somebody works in another window
    pages = [await desk.open() for _ in range(2)]
    call = desk.ring()
    for page in pages:
        await page.locator("[data-look=ringing]").first.wait_for()
    counts = [await peek(page, "window.desktop") for page in pages]
    shown = [one for count in counts for one in count["shown"]]
    assert len(shown) == 1, "two tabs, one notification"
    assert shown[0][0] == "Иванов Иван Петрович"
    assert shown[0][1] == call.call_id
    assert "ООО «Ромашка»" in shown[0][2]
    assert sum(count["closed"] for count in counts) == 0
    desk.tap.answer(call)
    await pages[1].locator("[data-look=talking]").first.wait_for()
    await pages[0].locator("[data-look=talking]").first.wait_for()
    counts = [await peek(page, "window.desktop") for page in pages]
    assert sum(count["closed"] for count in counts) == 1


async def test_nobody_who_looks_at_the_card_gets_a_notification_as_well(desk: Desk) -> None:
    await desk.context.grant_permissions(["notifications"], origin=desk.office.notifier.url)
    await desk.context.add_init_script(_DESKTOP)
    page = await desk.open()
    await page.bring_to_front()
    desk.ring()
    await page.locator("[data-look=ringing]").first.wait_for()  # the card is shown after the notification
    assert (await peek(page, "window.desktop"))["shown"] == []


async def test_notifications_are_asked_for_on_a_click_only(desk: Desk) -> None:
    await desk.context.add_init_script(
        "window.asked = 0; Notification.requestPermission = async () => { window.asked += 1; return 'default'; };"
    )
    page = await desk.open()
    desk.ring()
    await page.locator("[data-look=ringing]").first.wait_for()
    assert await peek(page, "window.asked") == 0
    await page.get_by_role("switch", name="Уведомления на рабочем столе").click()
    await until(page, "window.asked === 1")


async def test_on_a_plain_http_page_still_exactly_one_tab_rings_and_another_goes_on(office: Office) -> None:
    # A host name that is not the loopback's is no secure context: no Web Locks, no clipboard, no notifications.
    async with running_chromium("--host-resolver-rules=MAP pbx.test 127.0.0.1") as browser:
        with running_notifier() as notifier, running_tap(notifier) as tap:
            there = Office(notifier, tap, office.database_url)
            async with open_desk(there, 1, browser) as desk:
                base = notifier.url.replace("127.0.0.1", "pbx.test")
                pages = [await desk.open(base) for _ in range(3)]
                assert await peek(pages[0], "[isSecureContext, 'locks' in navigator]") == [False, False]
                for page in pages:
                    await unlock(page)
                desk.ring()
                ringer = await one_of(pages)
                await pages.pop(ringer).close()
                await one_of(pages, seconds=8)
                await expect(pages[0].get_by_role("button", name="Скопировать номер")).to_be_hidden()
                await expect(pages[0].get_by_text("Работают только по https")).to_be_visible()


async def test_a_tab_whose_lock_goes_to_a_crashed_page_is_no_silence(desk: Desk, chromium: Browser) -> None:
    pages = [await desk.open() for _ in range(2)]
    for page in pages:
        await unlock(page)
    desk.ring()
    ringer = await one_of(pages)
    session = await desk.context.new_cdp_session(pages[ringer])
    crash = asyncio.ensure_future(session.send("Page.crash"))
    await becomes([pages[1 - ringer]], [1])
    crash.cancel()
