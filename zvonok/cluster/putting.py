"""Puts what an outbox holds into its bucket, and hears what became of it."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from zvonok.cluster import jetstream
from zvonok.cluster.outbox import Outbox

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

log = logging.getLogger(__name__)

T = TypeVar("T")
EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"


class Putter(Generic[T]):
    """Sends a bucket's values. `compose` makes a value's bytes at the moment of sending.

    `on_stored` is called for each put that is in the bucket; `on_new_bucket`: the bucket lacks what was stored before;
    `on_refused`: an item that the bucket will never take, and why. `ordered`: a value may not replace a newer one;
    without it a key's values are all the same.
    """

    def __init__(
        self,
        compose: Callable[[T], bytes],
        *,
        on_stored: Callable[[], None],
        on_new_bucket: Callable[[], None],
        on_refused: Callable[[T, str], None],
        ordered: bool = True,
    ) -> None:
        self.outbox: Outbox[T] = Outbox()
        self._compose = compose
        self._on_stored, self._on_new_bucket, self._on_refused = on_stored, on_new_bucket, on_refused
        self._ordered = ordered
        self._offered = asyncio.Event()
        self._inbox = ""

    def offer(self, subject: str, item: T, *, later: bool = False) -> None:
        """Put this as soon as possible."""
        self.outbox.offer(subject, item, later=later)
        self._offered.set()

    async def begin(self, client: "Client") -> None:
        """From now on answers come by this connection."""
        self.outbox.disconnected()
        self._inbox = client.new_inbox()
        await client.subscribe(f"{self._inbox}.*", cb=self._answered)

    async def send(self, client: "Client") -> None:
        """Send what is due."""
        clock = asyncio.get_running_loop().time
        for put in self.outbox.due(clock()):
            await client.publish(
                put.subject,
                self._compose(put.item),
                reply=f"{self._inbox}.{put.token}",
                headers={EXPECTED: str(put.expected)} if self._ordered else None,
            )

    async def send_once(self, client: "Client", subject: str, data: bytes) -> None:
        """Send what is not repeated; its answer counts all the same."""
        await client.publish(subject, data, reply=f"{self._inbox}.{self.outbox.ticket()}")

    async def something_due(self, most: float) -> None:
        """Wait until `send` has something to do, `most` seconds at most."""
        self._offered.clear()
        due = self.outbox.next_due(asyncio.get_running_loop().time())
        if due == 0:
            return
        try:
            async with asyncio.timeout(most if due is None else min(most, due)):
                await self._offered.wait()
        except TimeoutError:
            return

    async def _answered(self, msg: "Msg") -> None:
        token = int(msg.subject.rpartition(".")[2])
        if msg.headers is not None and "Status" in msg.headers:
            return  # nobody there: the bucket has no leader now; it is put again in a second
        try:
            ack = jetstream.ack(msg.data)
        except ValueError as exc:
            log.warning("an answer to a put is not JetStream's: %s", exc)
            return
        error = ack.error
        if error is None:
            if not self.outbox.stored(token, ack.seq):
                self._on_new_bucket()
            self._on_stored()
        elif error.err_code in jetstream.WRONG_LAST_SEQUENCE:
            self.outbox.outdated(token, jetstream.last_sequence(error))
            self._offered.set()
        elif 400 <= error.code < 500:
            item = self.outbox.refused(token)
            if item is not None:
                self._on_refused(item, error.description)
