"""The browser level: one office (database, notifier, tap) for the session, and a user of his own for each test."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page

from tests.browser.crm import Crm, running_crm
from tests.browsers import chromium, open_context
from tests.databases import Databases
from tests.levels import within
from tests.notifiers import NotifierProcess, Tap, running_notifier, running_tap, token
from zvonok.call import Call

__all__ = ["chromium"]

_user_ids = itertools.count(1)

# Counts what sounds: looping buffers are the ring, oscillators the soft beep. Nothing is replaced.
_LISTENER = """
window.heard = { ringing: 0, rings: 0, beeps: 0 };
const { start, stop } = AudioBufferSourceNode.prototype;
AudioBufferSourceNode.prototype.start = function (...a) {
  if (this.loop) { window.heard.ringing += 1; window.heard.rings += 1; }
  return start.apply(this, a);
};
AudioBufferSourceNode.prototype.stop = function (...a) {
  if (this.loop) window.heard.ringing -= 1;
  return stop.apply(this, a);
};
const beep = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...a) { window.heard.beeps += 1; return beep.apply(this, a); };
"""


@dataclass
class Office:
    """A CRM's database and web server, a notifier and a tap."""

    notifier: NotifierProcess
    tap: Tap
    database_url: str
    crm: Crm | None = None

    def save(self, *calls: Call) -> None:
        """Write calls into the history as the tap does."""
        with psycopg.connect(self.database_url) as connection:
            for call in calls:
                connection.execute("SELECT zvonok.save_call(%s::jsonb)", [msgspec.json.encode(call).decode()])


@dataclass
class Desk:
    """A user with his own numbers, and the pages he opens."""

    office: Office
    user_id: int
    context: BrowserContext

    @property
    def tap(self) -> Tap:
        return self.office.tap

    def ring(self, **changes: Any) -> Call:
        """This user's phone begins to ring."""
        return self.office.tap.ring(self.user_id, **changes)

    def login_link(self, base: str | None = None) -> str:
        """What `zvonok token` prints."""
        return f"{base or self.office.notifier.url}/#token={token(self.user_id)}"

    async def open(self, base: str | None = None, *, online: bool = True) -> Page:
        """The stand-alone page, logged in."""
        page = await self.context.new_page()
        await page.goto(self.login_link(base))
        if online:
            await page.get_by_text("На связи").wait_for()
        return page


@pytest.fixture(scope="session")
def office(databases: Databases) -> Iterator[Office]:
    """The office; its people are made by `desk`."""
    url = databases.server.url(databases.create(migrated=True))
    card_url = "https://crm.example.ru/{kind}/{id}?n={number}"
    with running_crm() as crm, running_notifier(url, CRM_CARD_URL=card_url, ALLOWED_ORIGINS=crm.url) as notifier:
        crm.notifier_url = notifier.url
        with running_tap(notifier) as tap:
            yield Office(notifier, tap, url, crm)


@pytest.fixture
def new_user(office: Office) -> Callable[[], int]:
    """Makes a user whom no other test has, with a desk phone and a mobile."""

    def make() -> int:
        user_id = next(_user_ids)
        with psycopg.connect(office.database_url) as connection:
            connection.execute("INSERT INTO users (id, name) VALUES (%s, 'Петров Пётр')", [user_id])
            connection.execute(
                "INSERT INTO user_phones (user_id, phone_number, phone_type)"
                " VALUES (%(id)s, %(desk)s, 'рабочий'), (%(id)s, %(mobile)s, 'мобильный')",
                {"id": user_id, "desk": f"{1000 + user_id}", "mobile": f"8927139{user_id:04}"},
            )
        return user_id

    return make


@pytest_asyncio.fixture(loop_scope="session")
async def desk(office: Office, new_user: Callable[[], int], chromium: Browser) -> AsyncIterator[Desk]:
    """A user at his computer."""
    async with open_desk(office, new_user(), chromium) as opened:
        yield opened


@contextlib.asynccontextmanager
async def open_desk(office: Office, user_id: int, browser: Browser, **options: Any) -> AsyncIterator[Desk]:
    """A user at his computer, in a browser profile of his own."""
    async with open_context(browser, **options) as context:
        await context.add_init_script(_LISTENER)
        yield Desk(office, user_id, context)


@pytest_asyncio.fixture(loop_scope="session")
async def crm(desk: Desk) -> AsyncIterator[Crm]:
    """The CRM's web server, where the desk's user is logged in."""
    crm = desk.office.crm
    assert crm is not None
    await desk.context.add_cookies([{"name": "user", "value": str(desk.user_id), "url": crm.url}])
    yield crm
    crm.policies.clear()
    crm.pages.clear()


async def connected(page: Page) -> None:
    """Wait until the page's card is connected."""
    await until(page, "document.querySelector('call-notification').client?.getState().connection === 'online'")


async def peek(page: Page, expression: str) -> Any:
    """The value of an expression, without the user activation that `page.evaluate` would grant."""
    session = await page.context.new_cdp_session(page)
    try:
        answer = await session.send(
            "Runtime.evaluate",
            {"expression": expression, "returnByValue": True, "userGesture": False, "awaitPromise": True},
        )
    finally:
        await session.detach()
    if "exceptionDetails" in answer:
        raise AssertionError(answer["exceptionDetails"])
    return answer["result"].get("value")


async def until(page: Page, expression: str, *, seconds: float = 5) -> None:
    """Wait until a JavaScript expression is true. (Playwright's own way needs eval, which our policy forbids.)"""
    async with asyncio.timeout(within(seconds)):
        while not await peek(page, f"Boolean({expression})"):
            await asyncio.sleep(0.05)
