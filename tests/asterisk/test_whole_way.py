"""The whole way of a call: SIPp, a real Asterisk 22, our three processes, PostgreSQL, and the card in Chromium."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from playwright.async_api import Browser, Page, expect

from tests.asterisk.config import TAP_SECRET
from tests.asterisk.instance import Asterisk, free_port
from tests.asterisk.lab import asterisk, office
from tests.asterisk.phones import Phone
from tests.asterisk.sipp import sipp
from tests.browsers import chromium, open_context
from tests.installation import Zvonok, running_zvonok, wait_in_step
from tests.levels import within

__all__ = ["chromium"]
pytestmark = pytest.mark.asyncio(loop_scope="session")

PEOPLE = """
INSERT INTO users (id, name) VALUES (1, 'Иванов Иван'), (2, 'Смирнова Ольга');
INSERT INTO user_phones (user_id, phone_number, phone_type) VALUES (1, '89271390907', 'мобильный');
INSERT INTO user_phones (user_id, phone_number, phone_type) VALUES (1, '101', 'внутренний'), (2, '102', 'внутренний');
INSERT INTO companies (id, name) VALUES (1, 'ООО «Ромашка»');
INSERT INTO dealers (id, name, company_id) VALUES (5, 'Петров Пётр', 1);
INSERT INTO dealer_phone_numbers (dealer_id, phone_number) VALUES (5, '+7 (916) 123-45-67');
"""
HOSTILE = "\u202e<script>alert(1)</script> ${SHELL(id)}"


@pytest.fixture
def whole(database_url: str) -> Iterator[tuple[Asterisk, Zvonok]]:
    """An Asterisk 22 and our three processes, in step with each other."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(PEOPLE)
    agi_port = free_port()
    with (
        asterisk("22", office(), agi_port=agi_port) as pbx,
        running_zvonok(
            database_url, ami_port=pbx.ports.ami, ami_secret=TAP_SECRET, AGI_LISTEN=f"127.0.0.1:{agi_port}"
        ) as zvonok,
    ):
        wait_in_step(zvonok)
        yield pbx, zvonok


@asynccontextmanager
async def logged_in(browser: Browser, zvonok: Zvonok, *users: int) -> AsyncIterator[list[Page]]:
    """The stand-alone page of each user, in browser profiles of their own; every frame that they get is kept."""
    async with AsyncExitStack() as stack:
        pages = []
        for user in users:
            context = await stack.enter_async_context(open_context(browser))
            page = await context.new_page()
            frames: list[dict[str, object]] = []
            page.frames_got = frames  # type: ignore[attr-defined]
            page.on("websocket", lambda ws, to=frames: ws.on("framereceived", lambda data: to.append(json.loads(data))))
            await page.goto(zvonok.link(user))
            await expect(page.get_by_text("На связи")).to_be_visible()
            pages.append(page)
        yield pages


def calls_seen(page: Page) -> list[dict[str, object]]:
    """Everything about calls that the page's socket was told."""
    frames: list[dict[str, object]] = page.frames_got  # type: ignore[attr-defined]
    return [f for f in frames if f["type"] == "call" or (f["type"] == "snapshot" and f["calls"])]


async def row(database_url: str) -> tuple[object, ...]:
    """The only row of `calls`, once it has ended."""
    async with asyncio.timeout(within(5)):
        while True:
            async with await psycopg.AsyncConnection.connect(database_url) as connection:
                cursor = await connection.execute(
                    "SELECT user_id, line_number, caller_number, caller_name, caller_kind, company, state, reason,"
                    " ring_started_at <= answered_at AND answered_at < ended_at FROM calls"
                )
                rows = await cursor.fetchall()
            if rows and rows[0][6] == "ended":
                assert len(rows) == 1
                return rows[0]
            await asyncio.sleep(0.05)


async def test_from_sipp_to_the_pixels(
    whole: tuple[Asterisk, Zvonok], chromium: Browser, database_url: str, tmp_path: Path
) -> None:
    pbx, zvonok = whole
    async with (
        logged_in(chromium, zvonok, 1, 2) as (owner, bystander),
        Phone("101", pbx.ports.sip) as desk,
        sipp("caller", pbx.ports.sip, caller="79161234567", called="101", pause_ms=2500) as caller,
    ):
        leg = await desk.rings()
        card = owner.locator("call-notification")
        await expect(card.get_by_text("Необходимо взять трубку").first).to_be_visible()
        await expect(card.get_by_text("Петров Пётр").first).to_be_visible()
        await owner.screenshot(path=tmp_path / "ringing.png")
        await leg.answer()
        await expect(card.get_by_text("Разговор активен").first).to_be_visible()
        timer = card.get_by_text("0:01").first
        await expect(timer).to_be_visible()
        await caller.done()
        await expect(card.get_by_text("Звонок завершен").first).to_be_visible()
        await asyncio.sleep(1.5)
        await expect(card.get_by_text("Звонок завершен").first).to_be_visible()
        assert [f["call"]["state"] for f in calls_seen(owner)] == ["ringing", "talking", "ended"]  # type: ignore[index]
        assert calls_seen(bystander) == []
        await expect(bystander.get_by_text("Необходимо взять трубку")).to_have_count(0)
    assert await row(database_url) == (
        1, "101", "+79161234567", "Петров Пётр", "dealer", "ООО «Ромашка»", "ended", "completed", True,
    )  # fmt: skip


async def test_a_dealer_who_calls_the_did_is_shown_by_name_and_company(
    whole: tuple[Asterisk, Zvonok], chromium: Browser, database_url: str
) -> None:
    pbx, zvonok = whole
    async with (
        logged_in(chromium, zvonok, 1, 2) as (owner, bystander),
        Phone("101", pbx.ports.sip) as desk,
        Phone("79161234567", pbx.ports.sip, register=False) as outside,
    ):
        leg = await outside.dial("74951234567", display=HOSTILE)
        ringing = await desk.rings()
        # `name` in the DID's hook: the desk phone shows who calls, too.
        card = owner.locator("call-notification")
        await expect(card.get_by_text("Петров Пётр").first).to_be_visible()
        await expect(card.get_by_text("ООО «Ромашка»").first).to_be_visible()
        await ringing.answer()
        await expect(card.get_by_text("Разговор активен").first).to_be_visible()
        await leg.hangup()
        await expect(card.get_by_text("Звонок завершен").first).to_be_visible()
        assert calls_seen(bystander) == []
    assert (await row(database_url))[2:8] == (
        "+79161234567", "Петров Пётр", "dealer", "ООО «Ромашка»", "ended", "completed",
    )  # fmt: skip


async def test_a_stranger_with_a_hostile_name_is_text_all_the_way(
    whole: tuple[Asterisk, Zvonok], chromium: Browser, database_url: str
) -> None:
    pbx, zvonok = whole
    async with (
        logged_in(chromium, zvonok, 1) as (owner,),
        Phone("101", pbx.ports.sip) as desk,
        Phone("79169999999", pbx.ports.sip, register=False) as outside,
    ):
        leg = await outside.dial("101", display=HOSTILE)
        ringing = await desk.rings()
        card = owner.locator("call-notification")
        await expect(card.get_by_text("Необходимо взять трубку").first).to_be_visible()
        await expect(card.get_by_text("alert(1)").first).to_be_visible()
        assert await owner.locator("script:not([src])").count() == 0
        await ringing.answer()
        await expect(card.get_by_text("Разговор активен").first).to_be_visible()
        await leg.hangup()
        await expect(card.get_by_text("Звонок завершен").first).to_be_visible()
    found = await row(database_url)
    assert found[4] == "unknown"


async def test_the_tap_answers_why_for_a_call_of_a_real_asterisk(whole: tuple[Asterisk, Zvonok]) -> None:
    pbx, zvonok = whole
    async with (
        Phone("101", pbx.ports.sip) as desk,
        Phone("79161234567", pbx.ports.sip, register=False) as outside,
        pbx.lab_ami() as ami,
    ):
        leg = await outside.dial("101")
        await desk.rings()
        await asyncio.sleep(0.5)  # a call that is over before the first lookup has answered is shown ended at once
        await leg.hangup()
        await ami.quiet()
    told = await asyncio.to_thread(zvonok.run, "why", "101")
    assert told.returncode == 0
    assert "User 1 (line 101): ringing -> ended (missed); shown nowhere: he had no page open." in told.stdout
    assert "the dialplan announced" in told.stdout
    machine = await asyncio.to_thread(zvonok.run, "why", "--json")
    assert json.loads(machine.stdout)["called"] == "101"
