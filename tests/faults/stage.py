"""The stage of the fault matrix and of the soak: real processes, a real database, networks that fail, and pages.

The PBX is the stand-in (real AMI, real AGI, a real Asterisk's words); its phones keep the diary (tests.faults.phones).
"""

import asyncio
import contextlib
import itertools
import os
import signal
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
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
from zvonok.address import Address

_PBX_SECRET: Final = "secret of the stand-in PBX"
_DEALERS: Final = 20
_ROWS: Final = """
    SELECT call_id, user_id, line_number, caller_number, state, reason, answered_by,
      round(extract(epoch FROM ring_started_at) * 1000)::bigint AS rang,
      round(extract(epoch FROM answered_at) * 1000)::bigint AS answered,
      round(extract(epoch FROM ended_at) * 1000)::bigint AS ended
    FROM public.calls
"""


class Stage:
    """Everything that a test of faults needs: the processes, the PBX with its phones, and the networks between."""

    def __init__(self, zvonok: Zvonok, postgres: Postgres, pbx: Pbx, phones: Phones) -> None:
        self.zvonok, self.postgres, self.pbx, self.phones = zvonok, postgres, pbx, phones
        self.pages: dict[int, Page] = {}
        self.ami: Network
        self.intake: Network
        self.users: Network
        self.session: aiohttp.ClientSession

    async def start(self, *names: str) -> None:
        """Start these processes and wait until each says that it is ready."""
        await asyncio.to_thread(self.zvonok.start, *names)

    async def stop(self, name: str) -> None:
        """SIGTERM."""
        await asyncio.to_thread(self.zvonok.stop, name)

    def freeze_database(self) -> None:
        """SIGSTOP to the server and all its backends."""
        freeze(self.postgres, signal.SIGSTOP)

    def thaw_database(self) -> None:
        """SIGCONT."""
        freeze(self.postgres, signal.SIGCONT)

    def wake_pages(self) -> None:
        """Every user's computer wakes up."""
        for page in self.pages.values():
            page.wake()

    @contextlib.asynccontextmanager
    async def watching(self, users: Iterable[int]) -> AsyncIterator[dict[int, Page]]:
        """A page of each of these users, in `pages` as well, for as long as the block runs."""
        url = f"http://127.0.0.1:{self.users.port}"
        pages = {user: Page(self.session, [url], user) for user in users}
        self.pages |= pages
        following = [asyncio.create_task(page.follow()) for page in pages.values()]
        try:
            async with asyncio.timeout(within(30)):
                await asyncio.gather(*(page.ready.wait() for page in pages.values()))
            yield pages
        finally:
            for user in pages:
                del self.pages[user]
            for task in following:
                task.cancel()
            await asyncio.wait(following)

    async def in_step(self, seconds: float = 15, *, lookups: bool = True) -> None:
        """Wait until the tap follows the PBX, reaches the notifier, and has its lookups answered (unless False)."""
        try:
            async with asyncio.timeout(within(seconds)):
                while not await asyncio.to_thread(in_step, self.zvonok, lookups=lookups):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            logs = f"readyz: {await asyncio.to_thread(self._readyz)}\n" + "\n".join(
                f"log of {name}:\n{self.zvonok.log(name)[-3000:]}" for name in ("tap", "notifier")
            )
            raise AssertionError(f"not in step after {seconds} s\n{logs}") from None

    def _readyz(self) -> str:
        url = f"http://127.0.0.1:{self.zvonok.metrics_port}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=within(10)) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as exc:
            return str(exc.read().decode())
        except OSError as exc:
            return str(exc)

    async def rows(self, users: Iterable[int] | None = None) -> list[dict[str, Any]]:
        """The history, of these users or of all."""
        return await asyncio.to_thread(history, self.postgres, None if users is None else list(users))

    async def metric(self, name: str) -> float:
        """One of the tap's metrics. Raises OSError while it does not answer."""
        text = await asyncio.to_thread(self._metrics)
        return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"zvonok_tap_{name} "))

    def _metrics(self) -> str:
        url = f"http://127.0.0.1:{self.zvonok.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=within(2)) as answer:
            return str(answer.read().decode())

    def memory(self) -> dict[str, int]:
        """The processes' resident memory in MB, by name."""
        page = os.sysconf("SC_PAGE_SIZE")
        return {
            name: int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page >> 20
            for name, pid in self.zvonok.pids.items()
        }

    async def settled(self, seconds: float = 10) -> None:
        """Wait until no call is live, nothing waits to be sent, and the history takes what it gets."""
        async with asyncio.timeout(within(seconds)):
            while True:
                with contextlib.suppress(OSError):
                    if not any([await self.metric(n) for n in ("live_calls", "states_waiting", "history_behind")]):
                        return
                await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def staged(postgres: Postgres, users: int) -> AsyncIterator[Stage]:
    """A stage on which user 1 to `users` each have a phone. Every call has a caller's number of its own."""
    numbers = {user: str(20_000 + user) for user in range(1, users + 1)}
    fill(postgres.url(), numbers)
    agi_port, intake_port, http_port, ami_port = free_port(), free_port(), free_port(), free_port()
    pbx = Pbx(user="zvonok", secret=_PBX_SECRET, agi=Address("127.0.0.1", agi_port))
    callers = (f"7905{number:07}" for number in itertools.count())
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
        stage = Stage(zvonok, postgres, pbx, Phones(pbx, numbers, callers))
        stage.ami, stage.intake, stage.users = ami, intake, people
        stage.session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar())
        )
        await stage.in_step()
        yield stage


def history(postgres: Postgres, users: list[int] | None) -> list[dict[str, Any]]:
    """The rows of these users, or of all, oldest first."""
    with psycopg.connect(postgres.url(), row_factory=psycopg.rows.dict_row) as connection:
        where = "WHERE %s::bigint[] IS NULL OR user_id = ANY(%s) ORDER BY id"
        return connection.execute(f"{_ROWS} {where}", (users, users)).fetchall()  # type: ignore[arg-type]


def fill(url: str, numbers: dict[int, str]) -> None:
    """The users with their phones, and some callers whom the CRM knows; whoever is there already stays."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        known = {row[0] for row in cursor.execute("SELECT id FROM users").fetchall()}
        new = [(user, number) for user, number in numbers.items() if user not in known]
        cursor.executemany("INSERT INTO users (id, name) VALUES (%s, %s)", [(u, f"User {u}") for u, _ in new])
        cursor.executemany("INSERT INTO user_phones (user_id, phone_number, phone_type) VALUES (%s, %s, 'desk')", new)
        if known:
            return
        cursor.execute("INSERT INTO companies (id, name) VALUES (1, 'Company')")
        dealers = [(number + 1, f"7905{number:07}") for number in range(_DEALERS)]
        cursor.executemany(
            "INSERT INTO dealers (id, name, company_id) VALUES (%s, %s, 1)", [(i, f"Dealer {i}") for i, _ in dealers]
        )
        cursor.executemany("INSERT INTO dealer_phone_numbers (dealer_id, phone_number) VALUES (%s, %s)", dealers)
