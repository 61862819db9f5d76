"""Who answers, and how each leg ends: by being bridged, by its dial's status, another's answer, or time. Pure."""

from collections.abc import Callable
from typing import Final

from fastagi.episodes import Episodes
from fastagi.legs import ANSWERED_ELSEWHERE, Leg, LegKind, outcome
from fastagi.switchboard import Party, who_hear_each_other
from zvonok.call import Reason

HANGUP_WAIT_MS: Final = 500
"""DialEnd without its Hangup for so long: decide without the cause."""
ANSWER_WAIT_MS: Final = 1_000
"""A leg hung up with cause 26 (answered elsewhere): its answerer's bridge comes within this time."""
DIAL_GAP_MS: Final = 1_000
"""A hunt's next dial comes within this time, or the announced number's card ends."""

_FINAL: Final = frozenset(
    {
        "ANSWER",
        "BUSY",
        "NOANSWER",
        "CANCEL",
        "CONGESTION",
        "CHANUNAVAIL",
        "CONTINUE",
        "ABORT",
        "GOTO",
        "DONTCALL",
        "TORTURE",
        "INVALIDARGS",
    }
)


class Answering:
    """The life of legs after they began. `note` records a decision about a leg in words; `ended` hears of each end."""

    def __init__(self, episodes: Episodes, *, note: Callable[[Leg, str], None]) -> None:
        self._episodes = episodes
        self._note = note
        self._waiting: dict[int, Leg] = {}
        self.unlisted_since: int | None = None
        """When AMI came up, until the second list of channels has told what happened before."""
        self.changed: list[Leg] = []
        """Legs that talked or ended since this was last cleared."""

    def __len__(self) -> int:
        return len(self._waiting)

    # --- talking ------------------------------------------------------------------------------------------------------

    def check(self, party: Party, now: int) -> None:
        """`party` entered a bridge: whoever is connected with somebody now, talks."""
        phones = who_hear_each_other(party)
        if len(phones) < 2:
            return
        for phone in phones:
            leg = phone.leg
            if leg is not None and leg.open and leg.talked_at is None:
                self._talks(leg, now)

    def _talks(self, leg: Leg, now: int) -> None:
        leg.talked_at = now
        leg.unsure_since = leg.status_at = leg.status = None
        self._waiting.pop(id(leg), None)
        self.changed.append(leg)
        self._note(leg, "bridged: talks")
        if leg.kind is LegKind.TAKEN and leg.owners:
            self._episodes.attach(leg, leg.owners)
        self._episodes.touch_legs([leg])
        root = leg.root
        for other in list(leg.call.legs):
            if other is not leg and other.open and other.talked_at is None and other.root is root:
                self.finish(other, Reason.ANSWERED_ELSEWHERE, now, by=leg)

    # --- ending -------------------------------------------------------------------------------------------------------

    def dial_ended(self, leg: Leg, status: str, forward: str | None, now: int) -> None:
        """DialEnd: the first final status counts. The Hangup that follows brings the cause."""
        if not leg.open or leg.talked_at is not None or leg.status is not None or status not in _FINAL:
            return
        leg.status = status
        if forward is not None:
            leg.forward = forward
            self._note(leg, f"forwarded to {forward}")
            self.finish(leg, Reason.TRANSFERRED, now)
        elif status != "ANSWER":
            leg.status_at = now
            self._waiting[id(leg)] = leg

    def hung_up(self, party: Party, cause: int | None, now: int) -> None:
        """The channel is gone: its leg ends, and what depended on this caller is decided."""
        leg = party.leg
        if leg is not None and leg.open:
            leg.cause = cause
            self._over(leg, now)
        for other in list(party.call.legs):
            if other.open and not other.trying and other.talked_at is None and other.root is party:
                self._settle(other, now)

    def _over(self, leg: Leg, now: int) -> None:
        if leg.talked_at is not None:
            self.finish(leg, Reason.TRANSFERRED if leg.transferred else Reason.COMPLETED, now)
            return
        reason = outcome(leg)
        if reason is not None:
            self.finish(leg, reason, now)
            return
        leg.unsure_since, leg.status_at = now, None
        self._waiting[id(leg)] = leg
        self.settle(leg, now)

    def finish(self, leg: Leg, reason: Reason, now: int, *, by: Leg | None = None) -> None:
        """The leg has ended for `reason`; it may have been answered before AMI came up, unless the lists have told."""
        unlisted = self.unlisted_since is not None and leg.began_at < self.unlisted_since
        if unlisted and reason is Reason.MISSED and leg.status is None and leg.talked_at is None:
            reason = Reason.UNKNOWN
        leg.ended_at = now
        leg.reason = reason
        leg.answered_by = by
        self._waiting.pop(id(leg), None)
        self.changed.append(leg)
        self._note(leg, f"ended: {reason.value}" + _evidence(leg))
        self._episodes.touch_legs([leg])
        if by is None and leg.kind is not LegKind.ANNOUNCED:
            self.settle(leg, now)

    def settle(self, leg: Leg, now: int) -> None:
        """`leg` no longer tries: decide about those under the same caller that waited for it."""
        root = leg.root
        for other in list(leg.call.legs):
            if other.open and not other.trying and other.talked_at is None and other.root is root:
                self._settle(other, now)

    def _settle(self, leg: Leg, now: int) -> None:
        root = leg.root
        legs = leg.call.legs
        for other in legs:
            if (
                other is not leg
                and other.talked_at is not None
                and other.talked_at >= leg.began_at
                and other.root is root
            ):
                self.finish(leg, Reason.ANSWERED_ELSEWHERE, now, by=other)
                return
        if root.hung:
            self.finish(leg, Reason.MISSED, now)
        elif any(other.trying and other.root is root for other in legs):
            leg.gap_since = None
        elif leg.kind is LegKind.ANNOUNCED:
            self._settle_announced(leg, now)
        elif leg.cause == ANSWERED_ELSEWHERE and now < (leg.unsure_since or 0) + ANSWER_WAIT_MS:
            self._waiting[id(leg)] = leg
        else:
            elsewhere = leg.cause == ANSWERED_ELSEWHERE
            self.finish(leg, Reason.ANSWERED_ELSEWHERE if elsewhere else Reason.MISSED, leg.unsure_since or now)

    def settle_announced(self, legs: list[Leg], now: int) -> None:
        """After a list: an announcement for which nothing rings may have lost its dial while nobody looked."""
        for leg in list(legs):
            if leg.kind is LegKind.ANNOUNCED and leg.open:
                self._settle(leg, now)

    def _settle_announced(self, leg: Leg, now: int) -> None:
        if leg.at_once:
            return
        if leg.gap_since is None:
            leg.gap_since = now
        if now < leg.gap_since + DIAL_GAP_MS:
            self._waiting[id(leg)] = leg
        else:
            self.finish(leg, Reason.MISSED, leg.gap_since)

    def give_up(self, party: Party, now: int) -> None:
        """The channel is gone and nobody knows how: its leg, and what waited for this caller, end as unknown."""
        for leg in list(party.call.legs):
            if leg.open and (leg.party is party or (leg.talked_at is None and leg.root is party)):
                self.finish(leg, Reason.UNKNOWN, now)

    def close_announcements(self, legs: list[Leg], now: int) -> None:
        """Announcements all of whose episodes have ended are over."""
        for leg in legs:
            if leg.kind is LegKind.ANNOUNCED and leg.open and all(episode.is_over for episode in leg.episodes):
                self.finish(leg, Reason.MISSED, now)

    # --- time ---------------------------------------------------------------------------------------------------------

    def tick(self, now: int) -> None:
        """Decide what has waited long enough."""
        for leg in list(self._waiting.values()):
            if not leg.open:
                self._waiting.pop(id(leg), None)
            elif leg.status_at is not None:
                if now >= leg.status_at + HANGUP_WAIT_MS:
                    self._over(leg, now)
            elif not leg.trying:
                self._settle(leg, now)
            else:
                self._waiting.pop(id(leg), None)

    def watch(self, legs: list[Leg], *, silent_since: int, now: int) -> None:
        """Watchdog: end as unknown what rings and was not heard of since `silent_since`."""
        for leg in list(legs):
            if not leg.open or leg.talked_at is not None or max(leg.began_at, leg.party.seen_at) > silent_since:
                continue
            if leg.kind is LegKind.ANNOUNCED and any(
                other.trying and other.talked_at is None and other.root is leg.root for other in leg.call.legs
            ):
                continue
            self.finish(leg, Reason.UNKNOWN, now)


def _evidence(leg: Leg) -> str:
    parts = [f"DialStatus {leg.status}" if leg.status else "", f"cause {leg.cause}" if leg.cause is not None else ""]
    if leg.answered_by is not None:
        parts.append(f"answered by {leg.answered_by.channel_name}")
    shown = ", ".join(part for part in parts if part)
    return f" ({shown})" if shown else ""
