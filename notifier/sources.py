"""The PBXs that we hear from: is each up, do we hold its state in full, how far is its clock off? Pure.

Times are integer milliseconds of our clock and come in as arguments.
"""

import logging
from typing import Final

import msgspec

from zvonok.call import Call

log = logging.getLogger(__name__)

SILENCE_MS: Final = 10_000
CLOCK_WARNING_MS: Final = 1_000
_WINDOW_MS: Final = 30_000


class Clock:
    """How far another clock is behind ours, from messages that say what time it was there when they left.

    Each sample is the difference plus the time on the way, so the smallest of the last 30 to 60 s is the best.
    """

    __slots__ = ("_current", "_previous", "_since", "offset_ms")

    def __init__(self) -> None:
        self.offset_ms = 0
        self._previous: int | None = None
        self._current: int | None = None
        self._since = 0

    def sample(self, there: int, *, now: int) -> int:
        """It was `there` when the message left that came `now`. Returns what to add to its times."""
        if self._current is not None and not 0 <= now - self._since < _WINDOW_MS:
            self._previous, self._current = self._current, None
        if self._current is None:
            self._current, self._since = now - there, now
        else:
            self._current = min(self._current, now - there)
        self.offset_ms = self._current if self._previous is None else min(self._current, self._previous)
        return self.offset_ms


class PBX:
    """One PBX. `complete`: we hold the state of all its live calls, as far as it was heard. `given_up`: they ended."""

    __slots__ = ("clock", "complete", "given_up", "heard_at", "name", "skewed", "up")

    def __init__(self, name: str, *, now: int) -> None:
        self.name = name
        self.clock = Clock()
        self.heard_at = now
        self.up = False
        self.complete = False
        self.given_up = False
        self.skewed = False


class Sources:
    """All PBXs that were heard since the start, by name."""

    def __init__(self) -> None:
        self._pbxs: dict[str, PBX] = {}

    def heard(self, name: str, *, there: int, now: int) -> bool:
        """A message of the PBX came. Returns whether it is back after a silence."""
        pbx = self._pbxs.get(name)
        known = pbx is not None
        if pbx is None:
            pbx = self._pbxs[name] = PBX(name, now=now)
        offset = pbx.clock.sample(there, now=now)
        if (abs(offset) > CLOCK_WARNING_MS) != pbx.skewed:
            pbx.skewed = not pbx.skewed
            if pbx.skewed:
                log.warning(
                    "the clock of PBX %s is %d ms %s ours; cards are corrected, but run NTP on both hosts",
                    name,
                    abs(offset),
                    "behind" if offset > 0 else "ahead of",
                )
            else:
                log.info("the clock of PBX %s is right again", name)
        pbx.heard_at = now
        pbx.given_up = False
        if pbx.up:
            return False
        pbx.up = True
        log.info("PBX %s is up", name)
        return known

    def recalled(self, name: str, at: int, *, now: int) -> None:
        """What the PBX said at our time `at` was kept for us. Nothing is known of its clock."""
        pbx = self._pbxs.get(name)
        if pbx is None:
            pbx = self._pbxs[name] = PBX(name, now=at)
            pbx.up = now - at <= SILENCE_MS
        pbx.heard_at = max(pbx.heard_at, at)

    def silent(self, *, now: int) -> list[str]:
        """The PBXs that went silent since this was asked last."""
        gone = [pbx for pbx in self._pbxs.values() if pbx.up and now - pbx.heard_at > SILENCE_MS]
        for pbx in gone:
            pbx.up = False
            log.warning(
                "PBX %s was not heard for %d s; is its tap running, and does it reach us? (zvonok check)",
                pbx.name,
                SILENCE_MS // 1000,
            )
        return [pbx.name for pbx in gone]

    def quiet(self, after_ms: int, *, now: int) -> bool:
        """Whether a PBX that is taken to be up has said nothing for `after_ms`."""
        return any(pbx.up and now - pbx.heard_at > after_ms for pbx in self._pbxs.values())

    def lost(self, after_ms: int, *, now: int) -> list[str]:
        """The PBXs not heard for `after_ms`, once for each silence. Their state is no longer taken for complete."""
        gone = [pbx for pbx in self._pbxs.values() if not pbx.given_up and now - pbx.heard_at > after_ms]
        for pbx in gone:
            pbx.complete, pbx.given_up = False, True
        return [pbx.name for pbx in gone]

    def set_complete(self, name: str, complete: bool) -> bool:
        """Note whether its state is held in full. Returns whether it became so only now."""
        pbx = self._pbxs.get(name)
        if pbx is None:
            return False
        became = complete and not pbx.complete
        pbx.complete = complete
        return became

    def is_up(self, name: str) -> bool:
        """Whether the PBX is heard from."""
        pbx = self._pbxs.get(name)
        return pbx is not None and pbx.up

    def complete(self) -> list[str]:
        """The PBXs that are up and whose state is held in full."""
        return [pbx.name for pbx in self._pbxs.values() if pbx.complete and pbx.up]

    def down(self) -> list[str]:
        """The PBXs that were heard once and now are not."""
        return [pbx.name for pbx in self._pbxs.values() if not pbx.up]

    def all(self) -> list[PBX]:
        """Every PBX, for metrics."""
        return list(self._pbxs.values())

    def to_their_clock(self, name: str, ours: int) -> int:
        """Our time `ours` as the clock of the PBX shows it."""
        pbx = self._pbxs.get(name)
        return ours if pbx is None else ours - pbx.clock.offset_ms

    def to_our_clock(self, call: Call) -> Call:
        """The call with its times shifted from its PBX's clock to ours."""
        pbx = self._pbxs.get(call.pbx)
        offset = 0 if pbx is None else pbx.clock.offset_ms
        if offset == 0:
            return call
        return msgspec.structs.replace(
            call,
            ring_started_at=call.ring_started_at + offset,
            answered_at=None if call.answered_at is None else call.answered_at + offset,
            ended_at=None if call.ended_at is None else call.ended_at + offset,
        )
