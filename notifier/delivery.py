"""Delivery: a state comes in, and goes to its owner's sockets. Knows neither how states come nor how sockets work.

Whoever brings states (intake.py, intake_nats.py) calls `heard`, `accept` and `held_in_full`; sessions call the rest.
All of it runs in the event loop's thread and nothing waits.
"""

import asyncio
import logging
from collections.abc import Callable, Collection

from notifier import frames
from notifier.hub import Hub, Socket
from notifier.inbox import Inbox
from notifier.messages import CallMessage, Dismissed, ServerMessage, Snapshot, Source, encode
from notifier.metrics import Metrics
from notifier.sources import Sources
from zvonok.call import Call, State, wall_ms

log = logging.getLogger(__name__)


class Delivery:
    """The way of a state through sources, inbox and hub.

    `share_dismissal` is told what a user closed here, where other notifiers must know it too.
    """

    def __init__(self, hub: Hub, *, recent_ttl: float, metrics: Metrics) -> None:
        self.hub = hub
        self.inbox = Inbox(recent_ttl_ms=int(recent_ttl * 1000))
        self.sources = Sources()
        self._recent_ttl_ms = int(recent_ttl * 1000)
        self._metrics = metrics
        self._broadcasts: set[asyncio.Task[None]] = set()
        self.share_dismissal: Callable[[int, str], None] | None = None

    def heard(self, pbx: str, *, there: int) -> None:
        """A message of the PBX came; its clock showed `there` (ms) when it left."""
        if self.sources.heard(pbx, there=there, now=wall_ms()):
            self._tell_all(Source(server_time=wall_ms(), pbx=pbx, up=True))

    def recalled(self, pbx: str, at: int) -> None:
        """The PBX said something at our time `at` (ms) that was kept for us; its clock is not known by that."""
        self.sources.recalled(pbx, at, now=wall_ms())

    def foreign(self, call: Call) -> bool:
        """Whether this call_id is known as another user's or another PBX's call: it must not be taken."""
        entry = self.inbox.get(call.call_id)
        return entry is not None and (entry.call.user_id != call.user_id or entry.call.pbx != call.pbx)

    def accept(self, call: Call) -> int:
        """Take a state and send it to its owner's sockets if it is news. Returns how many sockets have it."""
        now = wall_ms()
        ours = self.sources.to_our_clock(call)
        entry = self.inbox.offer(call, now=now, ended_at=ours.ended_at)
        if entry is None:
            self._metrics.states_known.inc()
            known = self.inbox.get(call.call_id)
            return known.sockets if known is not None and known.call.rev == call.rev else 0
        self._metrics.states_new.inc()
        entry.sockets = self._deliver(ours, now)
        log.debug("call %s rev %d %s: %d sockets", call.call_id, call.rev, call.state, entry.sockets)
        return entry.sockets

    def new_run(self, pbx: str) -> None:
        """The PBX's tap started anew: until it says so, we don't hold its state in full."""
        self.sources.set_complete(pbx, False)

    def held_in_full(self, pbx: str, live: Collection[str]) -> None:
        """`live` are all live calls of the PBX: others that we have of it are over.

        We may lack some of them: a tap that knew the notifier before us sends its news first, then everything. Until
        then pages must not conclude that the others are over.
        """
        self._end_missing(pbx, live)
        now = wall_ms()
        for entry in self.inbox.revive(live, now=now):
            log.info("call %s lives after all: PBX %s still has it", entry.call.call_id, pbx)
            entry.sockets = self._deliver(self.sources.to_our_clock(entry.call), now)
        have_all = all(self.inbox.get(call_id) is not None for call_id in live)
        if self.sources.set_complete(pbx, have_all):
            self._start_broadcast(self._snapshot_to_all())

    def snapshot(self, user_id: int) -> bytes:
        """The frame with all the user's calls."""
        calls, dismissed = self.inbox.of_user(user_id)
        to_our_clock = self.sources.to_our_clock
        return _frame(
            Snapshot(
                server_time=wall_ms(),
                calls=[to_our_clock(call) for call in calls],
                pbxs=self.sources.complete(),
                dismissed=dismissed,
            )
        )

    def down_sources(self) -> list[bytes]:
        """A frame for each PBX that is not heard now."""
        return [_frame(Source(server_time=wall_ms(), pbx=name, up=False)) for name in self.sources.down()]

    def dismiss(self, user_id: int, call_id: str) -> None:
        """The user closed a card: all of his sockets are told, here and elsewhere."""
        entry = self.inbox.get(call_id)
        # Not whatever a client makes up: what is shared is kept for everybody.
        his = entry is not None and entry.call.user_id == user_id and not entry.call.test
        if self.dismissed(user_id, call_id) and his and self.share_dismissal is not None:
            self.share_dismissal(user_id, call_id)

    def dismissed(self, user_id: int, call_id: str) -> bool:
        """The user closed a card, here or elsewhere: all of his sockets here are told. Returns whether it is news."""
        now = wall_ms()
        news = self.inbox.dismiss(user_id, call_id, now=now)
        if news:
            self.hub.deliver(user_id, _frame(Dismissed(server_time=now, call_id=call_id)))
        return news

    def tick(self) -> None:
        """Once a second: expire, and notice silent PBXs."""
        now = wall_ms()
        self.inbox.expire(now=now)
        for pbx in self.sources.silent(now=now):
            self._tell_all(Source(server_time=now, pbx=pbx, up=False))
        for pbx in self.sources.lost(self._recent_ttl_ms, now=now):
            log.warning(
                "PBX %s was not heard for %d s: its live calls end as unknown", pbx, self._recent_ttl_ms // 1000
            )
            self._end_missing(pbx, ())

    def _end_missing(self, pbx: str, live: Collection[str]) -> None:
        now = wall_ms()
        there = self.sources.to_their_clock(pbx, now)
        for entry in self.inbox.end_missing(pbx, live, now=now, ended_at=there):
            log.info("call %s ends as unknown: PBX %s no longer has it", entry.call.call_id, pbx)
            entry.sockets = self._deliver(self.sources.to_our_clock(entry.call), now)

    def _deliver(self, call: Call, now: int) -> int:
        sockets = self.hub.deliver(call.user_id, _frame(CallMessage(server_time=now, call=call)))
        self._metrics.frames.inc(sockets)
        if not sockets and call.state is not State.ENDED:
            self._metrics.states_unseen.inc()
        return sockets

    def _tell_all(self, message: ServerMessage) -> None:
        frame = _frame(message)
        self._start_broadcast(self.hub.each(lambda socket: socket.send(frame)))

    async def _snapshot_to_all(self) -> None:
        def visit(socket: Socket) -> None:
            socket.send(self.snapshot(socket.user_id))

        await self.hub.each(visit)

    def _start_broadcast(self, broadcast: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.get_running_loop().create_task(broadcast)
        self._broadcasts.add(task)
        task.add_done_callback(self._broadcast_done)

    def _broadcast_done(self, task: asyncio.Task[None]) -> None:
        self._broadcasts.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            log.error("a broadcast failed", exc_info=exc)


def _frame(message: ServerMessage) -> bytes:
    return frames.text(encode(message))
