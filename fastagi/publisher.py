"""The publisher: brings each call's latest state to the notifier, over HTTP (design: the intake contract).

The outbox is a dictionary of the latest states, not a queue, so it is as small as the number of calls however long the
notifier is away. A new notifier gets live calls first, and what is over after everything else. One request is in
flight at a time; what changes meanwhile goes with the next one.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from http import HTTPStatus
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

import aiohttp
import msgspec

from zvonok.address import parse_address
from zvonok.call import Call, State, newer, wall_ms
from zvonok.service import mask_text
from zvonok.settings import Settings

if TYPE_CHECKING:
    from fastagi.publisher_nats import ClusterPublisher

log = logging.getLogger(__name__)

MAX_BATCH: Final = 500
HEARTBEAT: Final = 1.0
# Short, so that after a cut network each attempt is a fresh one: a connection's own retransmissions back off for long.
_TIMEOUT: Final = aiohttp.ClientTimeout(total=1.5, connect=0.7)
_MAX_PAUSE: Final = 0.5


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /intake/v1`. `live` names every live call of this PBX; null: not known, or just said."""

    pbx: str
    run: int
    seq: int
    now: int
    calls: list[Call]
    live: list[str] | None = None


class Receipt(msgspec.Struct, frozen=True):
    """The answer: which start of the notifier took it, and to how many sockets each call was delivered."""

    boot: str
    delivered: dict[str, int] = {}


class Link(StrEnum):
    """How it stands between the tap and the notifier."""

    STARTING = "starting"
    OK = "ok"
    UNREACHABLE = "unreachable"
    UNAUTHORIZED = "unauthorized"
    REFUSED = "refused"


class Publisher:
    """Publishes to the notifier at `url` (`http(s)://host:port` or `unix:/path`).

    `known` gives all live and recent calls, for a notifier that has just started. `live` gives the ids of the live
    ones, or None while they are not certain (before the first resync, or with AMI down). `delivered` is told the
    receipts, for the trace.
    """

    def __init__(
        self,
        *,
        pbx: str,
        url: str,
        secret: str,
        known: Callable[[], Iterable[Call]],
        live: Callable[[], list[str] | None],
        delivered: Callable[[dict[str, int]], None],
    ) -> None:
        self._pbx = pbx
        path = parse_address(url).path if url.startswith("unix:") else None
        self._path = path
        self._url = "http://notifier/intake/v1" if path is not None else f"{url}/intake/v1"
        self._headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        self._known, self._live, self._delivered = known, live, delivered
        self._run = wall_ms()
        self._seq = 0
        self._boot: str | None = None
        self._live_said_at = -HEARTBEAT  # monotonic
        self._outbox: dict[str, Call] = {}
        self._past: dict[str, Call] = {}
        self._offered = asyncio.Event()
        self.link = Link.STARTING
        self.sent = 0
        self.set_aside = 0

    @property
    def waiting(self) -> int:
        """How many calls have a state that the notifier does not have yet."""
        return len(self._outbox) + len(self._past)

    def offer(self, call: Call) -> None:
        """Publish `call` as soon as possible, unless something newer of it is waiting already."""
        if newer(self._outbox.get(call.call_id), call):
            self._outbox[call.call_id] = call
            self._past.pop(call.call_id, None)
            self._offered.set()

    async def publish(self) -> None:
        """Publish until cancelled."""
        connector = aiohttp.UnixConnector(self._path) if self._path is not None else aiohttp.TCPConnector(limit=1)
        # Cookies, proxies and redirects have no business here.
        async with aiohttp.ClientSession(
            connector=connector, headers=self._headers, timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            failures = 0
            while True:
                if not self.waiting:
                    await self._something_offered()
                if await self._post(
                    session, list(islice(chain(self._outbox.values(), self._past.values()), MAX_BATCH))
                ):
                    failures = 0
                else:
                    failures += 1
                    await asyncio.sleep(pause(failures))

    async def _something_offered(self) -> None:
        self._offered.clear()
        try:
            async with asyncio.timeout(HEARTBEAT):
                await self._offered.wait()
        except TimeoutError:
            return

    async def _post(self, session: aiohttp.ClientSession, calls: list[Call]) -> bool:
        """Send `calls`; whether the notifier has dealt with them."""
        self._seq += 1
        live = self._live_now() if len(calls) == self.waiting else None
        batch = Batch(
            pbx=self._pbx,
            run=self._run,
            seq=self._seq,
            now=wall_ms(),
            calls=calls,
            live=live,
        )
        try:
            async with session.post(self._url, data=msgspec.json.encode(batch), allow_redirects=False) as response:
                body = await response.content.read(1 << 20)
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            self._now(Link.UNREACHABLE, "the notifier does not answer (%s); states are kept and sent again", exc)
            return False
        if status == HTTPStatus.OK:
            if live is not None:
                self._live_said_at = time.monotonic()
            return self._received(calls, body)
        if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
            return await self._split(session, calls, body)
        if status == HTTPStatus.UNAUTHORIZED:
            self._now(Link.UNAUTHORIZED, "the notifier refuses our secret: is ZVONOK_INTAKE_SECRET the same on both?%s")
        else:
            self._now(Link.REFUSED, "the notifier answered %s; is ZVONOK_NOTIFIER_URL right?", status)
        return False

    def _live_now(self) -> list[str] | None:
        """Once in a heartbeat: with each state, on a busy PBX, it would cost both sides more than the states."""
        due = self._boot is not None and time.monotonic() >= self._live_said_at + HEARTBEAT
        return self._live() if due else None

    def _received(self, calls: list[Call], body: bytes) -> bool:
        try:
            receipt = msgspec.json.decode(body, type=Receipt)
        except msgspec.DecodeError:
            self._now(Link.REFUSED, "something else than a notifier answers; is ZVONOK_NOTIFIER_URL right?%s")
            return False
        if self.link is not Link.OK:
            log.info("the notifier has our states (boot %s)", receipt.boot[:16])
        self.link = Link.OK
        self.sent += len(calls)
        self._forget(calls)
        if receipt.boot != self._boot:
            self._boot = receipt.boot
            self._live_said_at = -HEARTBEAT
            for call in self._known():
                if call.state is not State.ENDED:
                    self.offer(call)
                elif call.call_id not in self._outbox:
                    self._past[call.call_id] = call
            self._offered.set()
        if receipt.delivered:
            self._delivered(receipt.delivered)
        return True

    async def _split(self, session: aiohttp.ClientSession, calls: list[Call], body: bytes) -> bool:
        """A refused batch is halved until the offender is alone; that one is set aside and the rest goes on."""
        if len(calls) > 1:
            middle = len(calls) // 2
            return await self._post(session, calls[:middle]) and await self._post(session, calls[middle:])
        if not calls:
            self._now(Link.REFUSED, "the notifier refuses our batches: %s", _said(body))
            return False
        self.set_aside += 1
        log.error("call %s: the notifier refuses its state: %s", calls[0].call_id, _said(body))
        self._forget(calls)
        return True

    def _forget(self, calls: list[Call]) -> None:
        for call in calls:
            for box in (self._outbox, self._past):
                if box.get(call.call_id) is call:
                    del box[call.call_id]

    def _now(self, link: Link, message: str, detail: object = "") -> None:
        """Log a change for the worse once, not at each attempt."""
        if self.link is not link:
            log.warning(message, detail)
        self.link = link


def publisher(
    settings: Settings,
    *,
    known: Callable[[], Iterable[Call]],
    live: Callable[[], list[str] | None],
    delivered: Callable[[dict[str, int]], None],
) -> "Publisher | ClusterPublisher":
    """The publisher that the settings ask for. Raises UsageError where the cluster's client is not installed."""
    if settings.nats_url is not None:
        from fastagi.publisher_nats import ClusterPublisher

        return ClusterPublisher(settings, known=known, live=live)
    assert settings.intake_secret
    return Publisher(
        pbx=settings.pbx_name,
        url=settings.notifier_url,
        secret=settings.intake_secret,
        known=known,
        live=live,
        delivered=delivered,
    )


def _said(body: bytes) -> str:
    return mask_text(body[:200].decode(errors="replace"))


def pause(failures: int) -> float:
    """Seconds until the next attempt after `failures` in a row: full jitter, short, since a card is worth seconds."""
    return random.uniform(0, min(_MAX_PAUSE, 0.05 * 2 ** min(failures, 8)))  # noqa: S311 - not a secret
