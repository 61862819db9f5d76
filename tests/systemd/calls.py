"""A call from outside to a booted host's PBX, seen from the telephone network to the owner's page."""

import asyncio
import time
from typing import Any

from tests.asterisk.phones import Phone
from tests.levels import within
from tests.notifier_server import Browser
from tests.systemd.conftest import Host

DID = "74951234567"  # of user 1, whose phone 101 it rings
DEALER = "+79271390907"


async def page_shows(page: Browser, state: str, *, seconds: float = 5) -> dict[str, Any]:
    """The first call that the page is told of in this state; one in the same state may be told more than once."""
    async with asyncio.timeout(within(seconds)):
        while True:
            call: dict[str, Any] = (await page.receive("call", seconds=seconds))["call"]
            if call["state"] == state:
                return call


async def one_call(host: Host, *, seconds: float = 5) -> float:
    """A dealer calls the DID, user 1 answers and hangs up; his page shows all of it, and user 2's nothing.

    Returns the seconds from the INVITE to the phone's ringing.
    """
    sip = host.pbx.ports.sip
    async with (
        host.browser(1) as page,
        host.browser(2) as other,
        Phone("101", sip) as desk,
        Phone("outside", sip, register=False) as outside,
    ):
        started = time.monotonic()
        leg = await outside.dial(DID, caller=DEALER)
        ringing = await desk.rings(seconds)
        took = time.monotonic() - started
        card = await page_shows(page, "ringing", seconds=seconds)
        assert card["user_id"] == 1
        assert (card["caller"]["name"], card["caller"]["company"]) == ("Иван Иванов", "ООО Ромашка")
        await ringing.answer()
        assert (await page_shows(page, "talking"))["call_id"] == card["call_id"]
        await leg.hangup()
        last = await page_shows(page, "ended")
        assert (last["call_id"], last["end"]["reason"]) == (card["call_id"], "completed")
        await other.nothing_comes()
    return took
