"""Whether the connected users still exist: who was deleted in the CRM does not keep his sockets until his token ends.

Once in a while all connected users are asked for, in batches. He who is in the database neither this time nor the last
is closed with 4403: a page does not come back from that by itself, and a CRM that loads its users anew may be without
them for a moment. A database that does not answer closes nobody.
"""

import asyncio
import logging
from typing import Final

from notifier.hub import Hub
from notifier.messages import Close
from notifier.metrics import Metrics
from notifier.people import MAX_BATCH, People
from zvonok.errors import DatabaseError

log = logging.getLogger(__name__)

_BETWEEN_BATCHES_S: Final = 0.1


class RollCall:
    """Asks `people` about everybody in `hub` every `every_s` seconds."""

    def __init__(self, hub: Hub, people: People, *, metrics: Metrics, every_s: float) -> None:
        self._hub, self._people, self._metrics = hub, people, metrics
        self._every_s = every_s
        self._missing: set[int] = set()

    async def keep(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(self._every_s)
            if self._people.state != "none":
                await self.call()

    async def call(self) -> None:
        """Ask about everybody once."""
        missing: set[int] = set()
        everybody = self._hub.user_ids()
        for start in range(0, len(everybody), MAX_BATCH):
            users = everybody[start : start + MAX_BATCH]
            try:
                absent = set(users) - await self._people.existing(users)
            except DatabaseError:
                missing.update(self._missing.intersection(users))
            else:
                self._close(absent & self._missing)
                missing |= absent - self._missing
            await asyncio.sleep(_BETWEEN_BATCHES_S)
        self._missing = missing

    def _close(self, users: set[int]) -> None:
        for user_id in users:
            sockets = self._hub.of(user_id)
            log.info("user %d is not in the database any more: %d sockets are closed", user_id, len(sockets))
            self._metrics.auth_failures.labels("unknown_user").inc(len(sockets))
            for socket in sockets:
                socket.close(Close.NOT_ALLOWED, "no such user any more")
