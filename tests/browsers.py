"""Real Chromium for the tests: Debian's, without a network but the loopback's.

`chromium` is one browser for the session (on pytest-asyncio's session loop); `open_context` opens a profile of its
own in it. Tests that use it carry `pytest.mark.asyncio(loop_scope="session")`.
"""

import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright, expect

from tests.levels import unavailable, within

# Without these Chromium looks for hosts of its maker at every start, and cannot run as root.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
DESKTOP = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=360, height=740)


def executable() -> str:
    """Chromium's path; skips (or fails, where nothing may be skipped) if there is none."""
    found = shutil.which("chromium")
    if found is None:
        unavailable("Chromium is not installed: sudo make test-tools, or apt install chromium")
    return found


@contextlib.asynccontextmanager
async def running_chromium(*flags: str, **options: Any) -> AsyncIterator[Browser]:
    """A browser for as long as the block runs."""
    path = executable()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags], **options)
        try:
            yield browser
        finally:
            await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for the session; each test opens contexts of its own."""
    expect.set_options(timeout=within(5) * 1000)
    async with running_chromium() as browser:
        yield browser


@contextlib.asynccontextmanager
async def open_context(browser: Browser, **options: Any) -> AsyncIterator[BrowserContext]:
    """A profile of its own: Russian, on a desktop screen unless told otherwise. Errors in its pages fail the test."""
    problems: list[str] = []
    context = await browser.new_context(
        **{"locale": "ru-RU", "timezone_id": "Europe/Samara", "viewport": DESKTOP} | options
    )
    context.set_default_timeout(within(10) * 1000)

    def watch(page: Page) -> None:
        page.on("pageerror", lambda error: problems.append(f"{page.url}: {error}"))
        page.on("console", lambda message: problems.append(message.text) if _is_problem(message) else None)

    context.on("page", watch)
    # Shown with a failure: why a page that stayed empty did.
    context.on("requestfailed", lambda request: print(f"{time.time():.1f} {request.url}: {request.failure}"))
    context.on("response", lambda answer: print(answer.url, answer.status) if answer.status >= 400 else None)
    try:
        yield context
    finally:
        await context.close()
    assert not problems, problems


def _is_problem(message: Any) -> bool:
    # A socket that breaks, or an answer that is not 200, is what many tests want; everything else is a mistake of ours.
    # Chromium also remarks that plain-http pages get no Cross-Origin-Opener-Policy.
    expected = ("WebSocket connection to", "Failed to load resource", "net::ERR_", "Cross-Origin-Opener-Policy")
    return message.type == "error" and not any(part in message.text for part in expected)
