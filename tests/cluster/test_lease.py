"""A tap that dies for good: the leases of its PBX's calls run out, and nobody else's."""

import asyncio
import time
from collections.abc import Callable

import pytest

from demo.postgres import Postgres
from tests.cluster.stage import staged
from tests.faults.pages import Page
from tests.levels import within

LEASE_S = 10.0
ODD, EVEN = 1, 2


def _is(state: str, reason: str | None = None) -> Callable[[Page], bool]:
    def judged(page: Page) -> bool:
        cards = list(page.cards.values())
        return len(cards) == 1 and cards[0]["state"] == state and (cards[0]["end"] or {}).get("reason") == reason

    return judged


@pytest.mark.timeout(240)
async def test_its_live_calls_end_as_unknown_when_the_lease_runs_out_and_no_other_s(own_postgres: Postgres) -> None:
    async with staged(own_postgres, 4, nodes=1, RECENT_TTL=f"{LEASE_S:.0f}") as stage, stage.watching([1, 2]) as pages:
        odd, even = await asyncio.gather(stage.phones.call(ODD), stage.phones.call(EVEN))
        await even.answer()
        assert await pages[ODD].until(_is("ringing"), within(5))
        assert await pages[EVEN].until(_is("talking"), within(5))
        stage.hosts[ODD % 2].kill("tap")
        died = time.monotonic()
        assert await pages[ODD].until(_is("ended", "unknown"), LEASE_S + within(5))
        assert time.monotonic() - died > LEASE_S - 2
        assert _is("talking")(pages[EVEN])
        # It was provisional: a tap that comes back after all knows better, while the call is remembered.
        await asyncio.to_thread(stage.hosts[ODD % 2].start, "tap")
        assert await pages[ODD].until(_is("ringing"), within(5))
        await odd.hang_up()
        assert await pages[ODD].until(_is("ended", "completed"), within(5))
        # The other PBX's call has been live for longer than the bucket keeps a value, on an old notifier and a new one.
        assert _is("talking")(pages[EVEN])
        stage.notifiers[EVEN % 2].kill("notifier")
        await stage.start_notifier(EVEN % 2)
        await asyncio.sleep(within(1.5))
        assert _is("talking")(pages[EVEN])
        await even.hang_up()
        assert await pages[EVEN].until(_is("ended", "completed"), within(5))
        assert not pages[ODD].strangers
        assert not pages[EVEN].strangers
