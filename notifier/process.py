"""What the notifier asks of its process: as many sockets as the system allows, and no long pauses for garbage.

With ten thousand connections a full collection walks half a million objects and stops the loop for a quarter of a
second. So what lives long is taken out of the collector's sight (`gc.freeze`). But a connection that ends is garbage
with cycles (aiohttp keeps an exception and its frames), which a frozen heap would keep for ever: after enough ends
everything is looked at once.
"""

import asyncio
import gc
import logging
import resource
import time
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

RESERVED_FILES: Final = 64
_EVERY_S: Final = 5.0
_OPENED: Final = 500
_ENDED: Final = 2_000
_AT_LATEST_S: Final = 3600.0


def tune() -> None:
    """Raise the limit of open files to what is allowed, and let young garbage gather for longer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gc.set_threshold(50_000, 20, 100)


def most_sockets() -> int:
    """How many sockets this process may hold, and still open what else it needs."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] - RESERVED_FILES


class Housekeeping:
    """Decides when to freeze and when to look at everything. `opened` and `held` count connections."""

    def __init__(self, *, opened: Callable[[], int], held: Callable[[], int]) -> None:
        self._opened = opened
        self._held = held
        self._frozen_at = 0
        self._ended_at = 0
        self._looked_at = time.monotonic()

    async def keep(self) -> None:
        """Do so for ever."""
        while True:
            await asyncio.sleep(_EVERY_S)
            self.look()

    def look(self) -> None:
        """Freeze what is new, or collect everything, if it is time to."""
        opened, held = self._opened(), self._held()
        ended = opened - held
        started = time.monotonic()
        if ended - self._ended_at >= max(_ENDED, held // 2) or started - self._looked_at > _AT_LATEST_S:
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            self._ended_at, self._frozen_at, self._looked_at = ended, opened, started
            log.debug("all garbage was collected in %.0f ms", 1000 * (time.monotonic() - started))
        elif opened - self._frozen_at >= _OPENED:
            gc.freeze()
            self._frozen_at = opened
