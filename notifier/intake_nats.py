"""The intake of a cluster: states come from the bucket that all taps put them into, and every notifier follows.

A put is a message, which a plain subscription brings at once, even while the engine finds a new leader and stores
nothing. What that may have missed is read from the bucket, from a cursor of our own: all of it at the start and on each
new connection what came since, and whenever a PBX's count shows a gap or a PBX falls silent. `rev` decides what is
news, so each way may bring what the other did already.
"""

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from notifier.bucket_reader import BucketReader, NotReadableError
from notifier.call_rules import FOREIGN, problem_of
from notifier.cluster_metrics import ClusterMetrics
from notifier.delivery import Delivery
from notifier.metrics import Metrics
from notifier.runs import Runs, Turn
from zvonok.call import wall_ms
from zvonok.cluster import jetstream
from zvonok.cluster.connection import Reach, ask, keep_connected, require_client, servers
from zvonok.cluster.keys import (
    ALL_CALLS,
    ALL_DISMISSALS,
    CALLS,
    DISMISSALS,
    call_subject,
    dismissal_subject,
    dismissed,
    pbx_of,
)
from zvonok.cluster.putting import Putter
from zvonok.cluster.values import CallPut, decode
from zvonok.settings import Settings

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

log = logging.getLogger(__name__)

READ_ANYWAY_S: Final = 30.0
QUIET_MS: Final = 2_000
_LOOK_EVERY_S: Final = 0.5
_READS: Final = 3
"""After a gap: what was missed may be heard before it is stored."""
_AGAIN_S: Final = 0.25
_MAKE_S: Final = 2.0
_MISSING_S: Final = 10.0


class ClusterIntake:
    """Follows the cluster of ZVONOK_NATS_URL for `delivery`. `ready`: all that lay in the buckets is held.

    Raises UsageError where nats-py is not installed.
    """

    def __init__(self, settings: Settings, delivery: Delivery, metrics: Metrics) -> None:
        require_client()
        self._settings = settings
        self._delivery = delivery
        self._runs = Runs(delivery)
        self._metrics = ClusterMetrics(metrics.registry)
        self._reach = Reach.STARTING
        self._readable = True
        self._calls = BucketReader(CALLS, self._call_kept)
        self._dismissals = BucketReader(DISMISSALS, self._dismissal_kept)
        self._putter: Putter[bytes] = Putter(
            lambda value: value,
            on_stored=lambda: None,
            on_new_bucket=lambda: None,
            on_refused=lambda value, why: log.error("a dismissal is refused by the cluster: %s", why),
            ordered=False,
        )
        delivery.share_dismissal = self._share
        self.ready = False

    def stale(self, pbx: str) -> int:
        """How many messages of an older run of this PBX were dropped since its newest run began."""
        return self._runs.stale(pbx)

    @property
    def up(self) -> bool:
        """Whether we are connected to the cluster, and it lets us read."""
        return self._reach is Reach.OK and self._readable

    async def run(self) -> None:
        """Follow until cancelled."""
        await keep_connected(self._settings, name="zvonok notifier", session=self._session, told=self._told)

    async def _session(self, client: "Client") -> None:
        await client.subscribe(ALL_CALLS, cb=self._call_heard)
        await client.subscribe(ALL_DISMISSALS, cb=self._dismissal_heard)
        await self._putter.begin(client)
        for reader in (self._calls, self._dismissals):
            await reader.begin(client)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._put(client))
            tasks.create_task(self._read(client))

    async def _put(self, client: "Client") -> None:
        while True:
            await self._putter.send(client)
            await self._putter.something_due(60.0)

    async def _read(self, client: "Client") -> None:
        clock = asyncio.get_running_loop().time
        read_at, missing_at, wanted = clock() - READ_ANYWAY_S, None, _READS
        while True:
            if self._runs.missed:
                self._runs.missed, wanted = False, _READS
            anyway = clock() - read_at >= READ_ANYWAY_S
            if not (wanted or anyway or self._delivery.sources.quiet(QUIET_MS, now=wall_ms())):
                await asyncio.sleep(_LOOK_EVERY_S)
                continue
            try:
                for reader in (self._calls, self._dismissals):
                    if anyway and reader.cursor:
                        await reader.check(client)
                    await reader.read(client)
            except NotReadableError as exc:
                self._now_readable(False, str(exc))
                missing_at = None if not exc.missing else missing_at or clock()
                # While a leader is found nobody answers either; asking for a bucket then would only take time.
                if missing_at is not None and (not self.ready or clock() - missing_at > _MISSING_S):
                    await self._make_buckets(client)
                await asyncio.sleep(_AGAIN_S)
                continue
            read_at, missing_at, wanted = clock(), None, max(0, wanted - 1)
            self._now_readable(True)
            if not self.ready:
                self.ready = True
                log.info("all states of the cluster are here: %d calls", len(self._delivery.inbox))
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _make_buckets(self, client: "Client") -> None:
        for bucket in (CALLS, DISMISSALS):
            subject, body = jetstream.create(
                bucket, max_age_s=self._settings.recent_ttl, replicas=jetstream.replicas(len(servers(self._settings)))
            )
            answer = await ask(client, subject, body, seconds=_MAKE_S)
            try:
                info = jetstream.info_answer(answer or b"")
            except ValueError:
                continue  # no answer: not allowed to, or no leader yet
            if not info.there:
                assert info.error is not None
                log.warning("the bucket %s cannot be made: %s", bucket, info.error.description)
        for reader in (self._calls, self._dismissals):
            await reader.check(client)

    # -- states

    async def _call_heard(self, msg: "Msg") -> None:
        self._take(msg.subject, msg.data, None)

    def _call_kept(self, subject: str, data: bytes, at: int) -> None:
        self._take(subject, data, at)

    def _take(self, subject: str, data: bytes, at: int | None) -> None:
        """One value. `at`: it was kept for us since then; else it comes as it is put."""
        try:
            value = decode(data)
            pbx = pbx_of(subject)
        except ValueError as exc:
            self._refuse(subject, str(exc))
            return
        delivery = self._delivery
        if isinstance(value, CallPut) and (problem := self._problem(value, pbx, subject)) is not None:
            self._refuse(subject, problem)
            return
        turn = self._runs.turn(pbx, value.run, value.seq, kept=at is not None)
        if turn is Turn.OF_AN_OLD_RUN:
            return
        if at is None:
            delivery.heard(pbx, there=value.now)
        else:
            delivery.recalled(pbx, min(at, wall_ms()))
        if isinstance(value, CallPut):
            known = delivery.inbox.get(value.call.call_id)
            if known is None or known.call.rev < value.call.rev:
                self._metrics.heard(kept=at is not None)
                delivery.accept(value.call)
        elif turn is Turn.NEWER and value.live is not None:
            # Only the PBX's newest word may end calls: what was said after an older one is not in it.
            delivery.held_in_full(pbx, set(value.live))

    def _problem(self, value: CallPut, pbx: str, subject: str) -> str | None:
        call = value.call
        if (problem := problem_of(call, pbx)) is not None:
            return problem
        if subject != call_subject(call.pbx, call.user_id, call.call_id):
            return "it lies at another call's key"
        return FOREIGN if self._delivery.foreign(call) else None

    def _refuse(self, subject: str, problem: str) -> None:
        self._metrics.refused.inc()
        log.warning("a value of the cluster is refused (%s): %s", subject[:200], problem)

    # -- dismissals

    def _share(self, user_id: int, call_id: str) -> None:
        with contextlib.suppress(ValueError):
            self._putter.offer(dismissal_subject(user_id, call_id), b"")

    async def _dismissal_heard(self, msg: "Msg") -> None:
        self._dismissal_kept(msg.subject, msg.data, 0)

    def _dismissal_kept(self, subject: str, data: bytes, at: int) -> None:
        try:
            self._delivery.dismissed(*dismissed(subject))
        except ValueError as exc:
            self._refuse(subject, str(exc))

    # -- how it stands

    def _told(self, reach: Reach, why: str) -> None:
        if reach is not self._reach:
            log.log(logging.INFO if reach is Reach.OK else logging.WARNING, "NATS: %s", why)
        self._reach = reach
        self._metrics.up.set(self.up)

    def _now_readable(self, readable: bool, why: str = "") -> None:
        if readable is not self._readable:
            # Before the first time they may just not have been made.
            level = logging.WARNING if self.ready else logging.INFO
            log.log(level, "the cluster's buckets can%s be read%s", "" if readable else "not", why and f" ({why})")
        self._readable = readable
        if readable:
            self._reach = Reach.OK  # whatever else the account may not do
        self._metrics.up.set(self.up)
