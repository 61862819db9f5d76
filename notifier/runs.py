"""How far each PBX's tap has come: what is older than what was heard already, and who says it twice."""

import logging
import time
from enum import Enum, auto
from typing import Final

from notifier.delivery import Delivery

log = logging.getLogger(__name__)

_COMPLAIN_EVERY_S: Final = 60.0


class Turn(Enum):
    """How a message stands to what its PBX said before."""

    NEWER = auto()
    AGAIN = auto()
    OLDER = auto()
    OF_AN_OLD_RUN = auto()


class _Run:
    """The start and count of a tap's newest message."""

    __slots__ = ("complained_at", "run", "seq", "stale")

    def __init__(self) -> None:
        self.run = -1
        self.seq = -1
        self.stale = 0
        self.complained_at: float | None = None


class Runs:
    """The runs of all PBXs; tells `delivery` when one begins.

    `missed`: since it was last set to False, what a PBX said did not follow what it had said before.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._runs: dict[str, _Run] = {}
        self.missed = False

    def stale(self, pbx: str) -> int:
        """How many messages of an older run of this PBX were dropped since its newest run began."""
        run = self._runs.get(pbx)
        return 0 if run is None else run.stale

    def turn(self, pbx: str, run: int, seq: int, *, kept: bool = False) -> Turn:
        """How this message stands. `kept`: it was said some time ago, so an older run in it is no second tap."""
        last = self._runs.setdefault(pbx, _Run())
        if run > last.run:
            if last.run >= 0:
                log.info("the tap of PBX %s was restarted", pbx)
            self._begin(pbx, last)
            self.missed = True
        elif run < last.run:
            if kept or self._delivery.sources.is_up(pbx):
                if not kept:
                    self._two_runs(pbx, last)
                return Turn.OF_AN_OLD_RUN
            log.warning("PBX %s: its tap restarted with an earlier clock; is NTP running there?", pbx)
            self._begin(pbx, last)
        elif seq <= last.seq:
            return Turn.AGAIN if seq == last.seq else Turn.OLDER
        elif seq > last.seq + 1:
            self.missed = True
        last.run, last.seq = run, seq
        return Turn.NEWER

    def _begin(self, pbx: str, last: _Run) -> None:
        self._delivery.new_run(pbx)
        last.stale = 0

    def _two_runs(self, pbx: str, last: _Run) -> None:
        last.stale += 1
        now = time.monotonic()
        # One late request of the tap that was just replaced is no second tap.
        if last.stale > 2 and (last.complained_at is None or now - last.complained_at > _COMPLAIN_EVERY_S):
            last.complained_at = now
            log.error(
                "two taps send as PBX %s: the older one's states are dropped; stop one, or give it its own "
                "ZVONOK_PBX_NAME",
                pbx,
            )
