"""The publisher of a cluster: puts each call's latest state into the bucket that every notifier follows.

A put is heard at once by every notifier that is connected, whether the engine can store it at that moment or not; what
it does not say that it has stored is put again each second. A live call is put again before the bucket would forget it,
and the tap's pulse names the live ones once a second: a call's lease lasts as long as both go on.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from fastagi.publisher import Link
from zvonok.call import Call, State, newer, wall_ms
from zvonok.cluster.connection import Reach, keep_connected, require_client
from zvonok.cluster.keys import call_subject, pulse_subject
from zvonok.cluster.putting import Putter
from zvonok.cluster.values import CallPut, Pulse, encode
from zvonok.settings import Settings

if TYPE_CHECKING:
    from nats.aio.client import Client

log = logging.getLogger(__name__)

PULSE_S: Final = 1.0
UNSTORED_S: Final = 5.0


class ClusterPublisher:
    """Publishes to the cluster of ZVONOK_NATS_URL. `known` and `live` as for `fastagi.publisher.Publisher`.

    Raises UsageError where nats-py is not installed.
    """

    def __init__(
        self, settings: Settings, *, known: Callable[[], Iterable[Call]], live: Callable[[], list[str] | None]
    ) -> None:
        require_client()
        self._settings = settings
        self._pbx = settings.pbx_name
        self._known, self._live = known, live
        self._lease_s = settings.recent_ttl / 3
        self._run = wall_ms()
        self._seq = 0
        self._stored_at = 0.0
        self._putter: Putter[Call] = Putter(
            self._compose, on_stored=self._stored, on_new_bucket=self._put_everything, on_refused=self._refused
        )
        self.link = Link.STARTING
        self.set_aside = 0

    @property
    def waiting(self) -> int:
        """How many calls have a state that is not stored yet."""
        return len(self._putter.outbox)

    @property
    def sent(self) -> int:
        """How many states were stored."""
        return self._putter.outbox.stored_items

    def offer(self, call: Call, *, later: bool = False) -> None:
        """Publish `call` as soon as possible, unless something newer of it is waiting already."""
        subject = call_subject(call.pbx, call.user_id, call.call_id)
        if newer(self._putter.outbox.get(subject), call):
            self._putter.offer(subject, call, later=later)

    async def publish(self) -> None:
        """Publish until cancelled."""
        self._put_everything()
        await asyncio.gather(
            keep_connected(self._settings, name=f"zvonok pbx {self._pbx}", session=self._session, told=self._told),
            self._keep_leases(),
        )

    async def _session(self, client: "Client") -> None:
        clock = asyncio.get_running_loop().time
        putter = self._putter
        await putter.begin(client)
        self._stored_at, pulse_at = clock(), clock()
        while True:
            await putter.send(client)
            now = clock()
            if now >= pulse_at:
                pulse_at = max(pulse_at + PULSE_S, now)
                # After everything that was decided before it, or somebody might take a call for over that is not.
                live = None if putter.outbox.unsent else self._live()
                pulse = Pulse(run=self._run, seq=self._next_seq(), now=wall_ms(), live=live)
                await putter.send_once(client, pulse_subject(self._pbx), encode(pulse))
                if now - self._stored_at > UNSTORED_S:
                    self._now(
                        Link.REFUSED, "the cluster does not store our states: is the bucket there? (zvonok check)"
                    )
            await putter.something_due(pulse_at - clock())

    async def _keep_leases(self) -> None:
        """Put live calls again before the bucket forgets them."""
        while True:
            await asyncio.sleep(self._lease_s)
            for call in self._known():
                if call.state is not State.ENDED:
                    self.offer(call, later=True)

    def _compose(self, call: Call) -> bytes:
        return encode(CallPut(run=self._run, seq=self._next_seq(), now=wall_ms(), call=call))

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def _put_everything(self) -> None:
        for call in self._known():
            self.offer(call, later=call.state is State.ENDED)

    def _stored(self) -> None:
        self._stored_at = asyncio.get_running_loop().time()
        if self.link is not Link.OK:
            log.info("the cluster has our states")
        self.link = Link.OK

    def _refused(self, call: Call, why: str) -> None:
        self.set_aside += 1
        log.error("call %s: the cluster refuses its state: %s", call.call_id, why)

    def _told(self, reach: Reach, why: str) -> None:
        match reach:
            case Reach.UNREACHABLE:
                self._now(Link.UNREACHABLE, "NATS: %s; states are kept and sent again", why)
            case Reach.UNAUTHORIZED:
                self._now(Link.UNAUTHORIZED, "NATS: %s; are user and password in ZVONOK_NATS_URL right?", why)
            case _:
                log.info("NATS: %s", why)

    def _now(self, link: Link, message: str, detail: object = None) -> None:
        """Log a change for the worse once, not at each attempt."""
        if self.link is not link:
            log.warning(message, *([] if detail is None else [detail]))
        self.link = link
