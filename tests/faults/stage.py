"""The stage of the fault matrix and of the soak: real processes, a real database, networks that fail, and pages.

The PBX is the stand-in (real AMI, real AGI, a real Asterisk's words); its phones keep the diary (tests.faults.phones).
"""

import asyncio
import contextlib
import signal
import urllib.request
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import aiohttp
import psycopg

from demo.pbx import Pbx
from demo.postgres import Postgres
from tests.faults.network import Network, network
from tests.faults.pages import Page
from tests.faults.phones import Phones
from tests.faults.test_directory_faults import freeze
from tests.installation import Zvonok, free_port, in_step, running_zvonok
from tests.levels import within
from zvonok.settings import Address

_PBX_SECRET: Final = "secret of the stand-in PBX"
DEALERS: Final = tuple(f"7905000{number:04}" for number in range(20))


class Stage:
    """Everything that a test of faults needs. `pages` has one page for each user, by user id."""

    def __init__(self, zvonok: Zvonok, postgres: Postgres, pbx: Pbx, phones: Phones) -> None:
        self.zvonok, self.postgres, self.pbx, self.phones = zvonok, postgres, pbx, phones
        self.pages: dict[int, Page] = {}
        self.ami: Network
        self.intake: Network
        self.users: Network

    async def start(self, name: str) -> None:
        """Start the process `name` and wait until it says that it is ready."""
        await asyncio.to_thread(self.zvonok.start, name)

    async def stop(self, name: str) -> None:
        """SIGTERM."""
        await asyncio.to_thread(self.zvonok.stop, name)

    def freeze_database(self) -> None:
        """SIGSTOP to the server and all its backends."""
        freeze(self.postgres, signal.SIGSTOP)

    def thaw_database(self) -> None:
        """SIGCONT."""
        freeze(self.postgres, signal.SIGCONT)

    async def rows(self) -> list[dict[str, Any]]:
        """The history."""
        return await asyncio.to_thread(self._rows)

    def _rows(self) -> list[dict[str, Any]]:
        with psycopg.connect(self.postgres.url(), row_factory=psycopg.rows.dict_row) as connection:
            return connection.execute(
                "SELECT *, extract(epoch FROM ring_started_at) * 1000 AS rang,"
                " extract(epoch FROM answered_at) * 1000 AS answered, extract(epoch FROM ended_at) * 1000 AS ended"
                " FROM public.calls ORDER BY id"
            ).fetchall()

    async def metric(self, name: str) -> float:
        """One of the tap's metrics."""
        text = await asyncio.to_thread(self._metrics)
        return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"zvonok_tap_{name} "))

    def _metrics(self) -> str:
        url = f"http://127.0.0.1:{self.zvonok.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=within(2)) as answer:
            return str(answer.read().decode())

    async def settled(self, seconds: float = 5) -> None:
        """Wait until no call is live, nothing waits to be sent, and the history has everything."""
        async with asyncio.timeout(within(seconds)):
            while True:
                with contextlib.suppress(OSError):
                    waiting = [await self.metric(name) for name in ("live_calls", "states_waiting", "history_behind")]
                    # A row that is not final is one that the history follower has not come to yet.
                    if not any(waiting) and all(row["state"] == "ended" for row in await self.rows()):
                        return
                await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def staged(postgres: Postgres, users: int, *, watched: Sequence[int] | None = None) -> AsyncIterator[Stage]:
    """A stage with so many users, each with a phone and (those in `watched`, default all) a page."""
    numbers = {user: str(20_000 + user) for user in range(1, users + 1)}
    _fill(postgres.url(), numbers)
    agi_port, intake_port, http_port = free_port(), free_port(), free_port()
    pbx = Pbx(user="zvonok", secret=_PBX_SECRET, agi=Address("127.0.0.1", agi_port))
    ami_port = free_port()
    async with contextlib.AsyncExitStack() as stack:
        serving = asyncio.create_task(pbx.serve("127.0.0.1", ami_port))
        stack.callback(serving.cancel)
        ami = await stack.enter_async_context(network(ami_port))
        intake = await stack.enter_async_context(network(intake_port))
        people = await stack.enter_async_context(network(http_port))
        context = running_zvonok(
            postgres.url(),
            ami_port=ami.port,
            ami_secret=_PBX_SECRET,
            PBX_NAME="office",
            AGI_LISTEN=f"127.0.0.1:{agi_port}",
            INTAKE_LISTEN=f"127.0.0.1:{intake_port}",
            NOTIFIER_URL=f"http://127.0.0.1:{intake.port}",
            HTTP_LISTEN=f"127.0.0.1:{http_port}",
            LOG_LEVEL="INFO",
        )
        zvonok = await asyncio.to_thread(context.__enter__)
        stack.push_async_callback(asyncio.to_thread, context.__exit__, None, None, None)
        stage = Stage(zvonok, postgres, pbx, Phones(pbx, numbers, [*DEALERS, "84955550123"]))
        stage.ami, stage.intake, stage.users = ami, intake, people
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar())
        )
        for user in numbers if watched is None else watched:
            page = stage.pages[user] = Page(session, f"http://127.0.0.1:{people.port}", user)
            following = asyncio.create_task(page.follow())
            stack.callback(following.cancel)
        async with asyncio.timeout(within(15)):
            await asyncio.gather(*(page.ready.wait() for page in stage.pages.values()))
            while not await asyncio.to_thread(in_step, zvonok):
                await asyncio.sleep(0.05)
        yield stage


def _fill(url: str, numbers: dict[int, str]) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.executemany("INSERT INTO users (id, name) VALUES (%s, %s)", [(u, f"User {u}") for u in numbers])
        cursor.executemany(
            "INSERT INTO user_phones (user_id, phone_number, phone_type) VALUES (%s, %s, 'desk')", list(numbers.items())
        )
        cursor.execute("INSERT INTO companies (id, name) VALUES (1, 'Company')")
        dealers = list(enumerate(DEALERS, 1))
        cursor.executemany(
            "INSERT INTO dealers (id, name, company_id) VALUES (%s, %s, 1)", [(i, f"Dealer {i}") for i, _ in dealers]
        )
        cursor.executemany("INSERT INTO dealer_phone_numbers (dealer_id, phone_number) VALUES (%s, %s)", dealers)
