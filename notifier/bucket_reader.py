"""Reads what lies in a bucket from a cursor on, in batches, from whichever server of the cluster has a copy.

No JetStream consumer: those need the cluster's leader, which takes seconds to be found again after a crash. A copy can
be read at any time.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from zvonok.cluster import jetstream
from zvonok.cluster.connection import ask

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

log = logging.getLogger(__name__)

_SILENCE_S: Final = 1.0
_OK: Final = ("204", "404")  # the end of a batch; nothing there


class NotReadableError(Exception):
    """Nobody in the cluster can read the bucket now. `missing`: nobody says that there is one."""

    def __init__(self, why: str, *, missing: bool = False) -> None:
        super().__init__(why)
        self.missing = missing


class BucketReader:
    """Follows one bucket. `took` gets each value: subject, data, and when it was put (ms, by the engine's clock)."""

    def __init__(self, bucket: str, took: Callable[[str, bytes, int], None]) -> None:
        self._bucket = bucket
        self._took = took
        self._answers: asyncio.Queue[Msg] = asyncio.Queue()
        self._inbox = ""
        self._batch = 0
        self.cursor = 0

    async def begin(self, client: "Client") -> None:
        """From now on answers come by this connection."""
        self._inbox = client.new_inbox()
        await client.subscribe(f"{self._inbox}.*", cb=self._answered)

    async def read(self, client: "Client") -> None:
        """Take all that came after the cursor. Raises NotReadableError; what was taken until then stays taken."""
        while await self._read_batch(client):
            pass

    async def check(self, client: "Client") -> None:
        """Begin again where the bucket is another one than before, and has counted from the start since."""
        answer = await ask(client, jetstream.info(self._bucket))
        try:
            info = jetstream.info_answer(answer or b"")
        except ValueError:
            return
        if info.error is None and info.state.last_seq < self.cursor:
            log.warning("the bucket %s was made anew; everything in it is read again", self._bucket)
            self.cursor = 0

    async def _answered(self, msg: "Msg") -> None:
        self._answers.put_nowait(msg)

    async def _read_batch(self, client: "Client") -> bool:
        """Whether there is more."""
        self._batch += 1
        inbox = f"{self._inbox}.{self._batch}"
        subject, body = jetstream.read(self._bucket, after=self.cursor)
        await client.publish(subject, body, reply=inbox)
        while True:
            try:
                async with asyncio.timeout(_SILENCE_S):
                    msg = await self._answers.get()
            except TimeoutError:
                raise NotReadableError("nobody answers") from None
            if msg.subject != inbox:
                continue  # of a batch that was given up
            headers = msg.headers or {}
            status = headers.get("Status")
            if status is not None and status not in _OK:
                raise NotReadableError(f"the answer is {status}", missing=status == "503")
            try:
                if status is not None:
                    return int(headers.get("Nats-Num-Pending", "0")) > 0
                subject, sequence = headers["Nats-Subject"], int(headers["Nats-Sequence"])
                at = _milliseconds(headers["Nats-Time-Stamp"])
            except (KeyError, ValueError) as exc:
                raise NotReadableError(f"the answer is not JetStream's ({exc})") from exc
            self._took(subject, msg.data, at)
            self.cursor = sequence


def _milliseconds(text: str) -> int:
    # Nine digits of a second; Python takes six.
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return int(datetime.fromisoformat(whole + "+00:00").timestamp()) * 1000 + int((fraction + "000")[:3])
