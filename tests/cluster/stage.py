"""A whole cluster: two PBXs with a tap each, two notifiers, three servers of the engine on a host of their own.

A user's phone is at the PBX of the same number (odd or even) as his, and his page begins at the notifier of the same
number. It has what `tests.faults.play` asks of a stage.
"""

import asyncio
import contextlib
import itertools
import json
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, Final

import aiohttp

from demo.pbx import Pbx
from demo.postgres import Postgres
from tests.cluster.cables import Cables, cables
from tests.cluster.engine import Engine, engine
from tests.faults.pages import Page
from tests.faults.phones import Outcome, PhoneCall, Phones
from tests.faults.stage import fill, history
from tests.installation import Zvonok, free_port, in_step
from tests.levels import within
from zvonok.address import Address

SIDES: Final = (0, 1)
_PBX_SECRET: Final = "secret of the stand-in PBX"
TAP_CABLES: Final = (0, 1)
NOTIFIER_CABLES: Final = (2, 3)


class BothPhones:
    """The phones of both PBXs."""

    def __init__(self, sides: tuple[Phones, Phones]) -> None:
        self._sides = sides

    @property
    def diary(self) -> list[PhoneCall]:
        """Every call that was placed."""
        return [call for side in self._sides for call in side.diary]

    async def call(self, *users: int, outcome: Outcome = "answered") -> PhoneCall:
        """A call to these users, at the PBX of the first."""
        return await self._sides[users[0] % 2].call(*users, outcome=outcome)

    async def hang_up_all(self) -> None:
        """Every call ends that has not."""
        await asyncio.gather(*(side.hang_up_all() for side in self._sides))


class ClusterStage:
    """`hosts[side]` runs a PBX's tap and FastAGI server, `notifiers[side]` a notifier."""

    def __init__(self, engine: Engine, cables: Cables, postgres: Postgres) -> None:
        self.engine, self.cables, self.postgres = engine, cables, postgres
        self.hosts: list[Zvonok] = []
        self.notifiers: list[Zvonok] = []
        self.phones: BothPhones
        self.pages: dict[int, Page] = {}
        self.session: aiohttp.ClientSession

    @contextlib.asynccontextmanager
    async def watching(self, users: Iterable[int]) -> AsyncIterator[dict[int, Page]]:
        """A page of each of these users, in `pages` as well, for as long as the block runs."""
        urls = [notifier.url for notifier in self.notifiers]
        pages = {user: Page(self.session, [urls[user % 2], urls[1 - user % 2]], user) for user in users}
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

    async def rows(self, users: Iterable[int] | None = None) -> list[dict[str, Any]]:
        """The history, of these users or of all."""
        return await asyncio.to_thread(history, self.postgres, None if users is None else list(users))

    async def start_notifier(self, side: int) -> None:
        """Start it, and wait until it is ready: it has all states."""
        await asyncio.to_thread(self.notifiers[side].start, "notifier")
        await self._until(lambda: ready(self.notifiers[side]), "the notifier is ready")

    async def stop_notifier(self, side: int) -> None:
        """SIGTERM."""
        await asyncio.to_thread(self.notifiers[side].stop, "notifier")

    async def heal(self) -> None:
        """Everything runs again that a fault left broken."""
        for number in (*TAP_CABLES, *NOTIFIER_CABLES):
            self.cables.plug(number)
        for node in self.engine.nodes:
            if not node.running:
                node.start()
        await asyncio.to_thread(self.engine.listening)
        await self.engine.leader()
        for side in SIDES:
            if not self.notifiers[side].pids:
                await self.start_notifier(side)
            if "tap" not in self.hosts[side].pids:
                await asyncio.to_thread(self.hosts[side].start, "tap")
        await self.in_step()

    async def in_step(self) -> None:
        """Wait until both taps follow their PBX and have their states stored, and both notifiers have them."""
        await self._until(
            lambda: all(in_step(host) for host in self.hosts) and all(ready(n) for n in self.notifiers), "in step"
        )

    async def _until(self, condition: Any, what: str, seconds: float = 40) -> None:
        try:
            async with asyncio.timeout(within(seconds)):
                while not await asyncio.to_thread(condition):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"not {what} after {seconds} s: {self._readiness()}\n{self.logs()}") from None

    def _readiness(self) -> str:
        """What each process says of itself."""
        asked = {
            f"tap {side}": f"http://127.0.0.1:{host.metrics_port}" for side, host in zip("ab", self.hosts, strict=True)
        }
        asked |= {f"notifier {side}": notifier.url for side, notifier in zip("ab", self.notifiers, strict=True)}
        return "; ".join(f"{name} {readiness(url)}" for name, url in asked.items())

    def logs(self) -> str:
        """The end of each process's log."""
        named = [*zip("ab", self.hosts, strict=True), *zip("ab", self.notifiers, strict=True)]
        texts = [
            f"log of {name} {side}:\n{zvonok.log(name)[-2500:]}"
            for side, zvonok in named
            for name in ("tap", "notifier")
            if zvonok.log(name)
        ]
        return "\n".join(texts)


def readiness(url: str) -> str:
    """What `/readyz` says there."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=within(2)) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as exc:
        return exc.read().decode()
    except OSError as exc:
        return str(exc)


def ready(zvonok: Zvonok) -> bool:
    """Whether a notifier says that it can deliver."""
    try:
        with urllib.request.urlopen(f"{zvonok.url}/readyz", timeout=within(2)) as answer:
            return bool(json.loads(answer.read())["ready"])
    except OSError:
        return False


@contextlib.asynccontextmanager
async def staged(postgres: Postgres, users: int, *, nodes: int = 3, **settings: str) -> AsyncIterator[ClusterStage]:
    """A cluster on which users 1 to `users` each have a phone. `settings` are without prefix."""
    numbers = {user: str(20_000 + user) for user in range(1, users + 1)}
    fill(postgres.url(), numbers)
    callers = (f"7905{number:07}" for number in itertools.count())
    async with contextlib.AsyncExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="zvonok-cluster-"))
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        laid = stack.enter_context(cables(4))
        running = stack.enter_context(engine(nodes, laid.prefix))
        running.url = running.url_at(laid.addresses[NOTIFIER_CABLES[0]])
        stage = ClusterStage(running, laid, postgres)
        sides = []
        for side in SIDES:
            host = _zvonok(home / f"host-{side}", running.url_at(laid.addresses[TAP_CABLES[side]]), settings)
            ami_port = free_port()
            pbx = Pbx(user="zvonok", secret=_PBX_SECRET, agi=Address("127.0.0.1", host.agi_port))
            serving = asyncio.create_task(pbx.serve("127.0.0.1", ami_port))
            stack.callback(serving.cancel)
            sides.append(Phones(pbx, numbers, callers))
            host.settings |= {
                "ZVONOK_DATABASE_URL": postgres.url(),
                "ZVONOK_PBX_NAME": f"office-{'ab'[side]}",
                "ZVONOK_AMI_HOST": "127.0.0.1",
                "ZVONOK_AMI_PORT": str(ami_port),
                "ZVONOK_AMI_SECRET": _PBX_SECRET,
            }
            notifier = _zvonok(
                home / f"notifier-{side}", running.url_at(laid.addresses[NOTIFIER_CABLES[side]]), settings
            )
            notifier.settings["ZVONOK_DATABASE_URL"] = postgres.url()
            stage.hosts.append(host)
            stage.notifiers.append(notifier)
            stack.push_async_callback(asyncio.to_thread, host.stop)
            stack.push_async_callback(asyncio.to_thread, notifier.stop)
            await asyncio.to_thread(notifier.start, "notifier")
            await asyncio.to_thread(host.start, "tap", "fastagi")
        stage.phones = BothPhones((sides[0], sides[1]))
        stage.session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar())
        )
        await stage.in_step()
        yield stage


def _zvonok(directory: Path, nats_url: str, settings: dict[str, str]) -> Zvonok:
    directory.mkdir()
    variables = {f"ZVONOK_{name}": value for name, value in settings.items()}
    return Zvonok(directory, ZVONOK_NATS_URL=nats_url, ZVONOK_LOG_LEVEL="INFO", **variables)
