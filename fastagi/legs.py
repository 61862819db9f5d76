"""Legs: the channels (and announcements) through which a call tries to reach somebody, each with its own outcome. Pure.

A leg rings, perhaps talks, and ends for one reason. What an owner sees is only the sum of his legs
(`fastagi.episodes`), so legs decide even while nobody knows yet whose they are.
"""

from enum import Enum
from typing import TYPE_CHECKING, Final

from fastagi.facts import Owner
from fastagi.switchboard import Party, PhoneCall, chain
from zvonok.call import AnsweredBy, Reason

if TYPE_CHECKING:
    from fastagi.episode import Episode

NORMAL_CAUSES: Final = frozenset({None, 0, 16, 26, 127})
BUSY, NO_ANSWER, REJECTED, ANSWERED_ELSEWHERE = 17, 19, 21, 26
"""Q.850 causes with a meaning of their own (Asterisk's causes.h)."""


class LegKind(Enum):
    """What made the leg."""

    DIALLED = "dialled"
    """A channel that was called."""
    TAKEN = "taken"
    """A channel that took a ringing or parked call; nobody called it, so it counts only once it talks."""
    ANNOUNCED = "announced"
    """The announced (or dialled) number itself; it has no channel, and ends with the caller's search."""


class Leg:
    """One try to reach somebody. Times are ms, Unix.

    `party` is its channel (the caller's own for ANNOUNCED), `source` the channel for which it rings (a transfer changes
    that), `callers` who dialled it, from that channel back to the real caller. `owners` is None until
    the directory has answered; `by_announcement`: it has none of its own and counts for the announced number's;
    `lent`: it counts for those for now, until the directory says who its owners are.
    `unsure_since`: it is over, but whether somebody else answered is not known yet. `status_at`: when DialEnd came,
    while the Hangup with the cause has not. `gap_since`: (ANNOUNCED) since when nothing rings.
    `answered_by`: the leg that answered instead; `answerer`: who that was, where only a journal record tells.
    `fallback`: without an owner it counts for the announced number's owners.
    `grouped`: the same caller's dial rang other numbers at the same time.
    `at_once`: (ANNOUNCED) shown without waiting for a dial.
    """

    __slots__ = (
        "answered_by",
        "answerer",
        "at_once",
        "began_at",
        "by_announcement",
        "call",
        "callers",
        "cause",
        "channel_name",
        "ended_at",
        "episodes",
        "fallback",
        "forward",
        "gap_since",
        "grouped",
        "kind",
        "lent",
        "number",
        "owners",
        "party",
        "peer_name",
        "peer_number",
        "queue",
        "rang",
        "reason",
        "settled",
        "source",
        "status",
        "status_at",
        "talked_at",
        "transferred",
        "uniqueid",
        "unresolved_id",
        "unsure_since",
    )

    def __init__(
        self, kind: LegKind, party: Party, source: Party | None, number: str | None, *, now: int, fallback: bool = False
    ) -> None:
        self.kind = kind
        self.party = party
        self.uniqueid = party.uniqueid
        self.channel_name = party.name
        self.source = source
        self.callers = chain(source) if source is not None else []
        self.call: PhoneCall = party.call
        self.number = number
        self.fallback = fallback
        self.queue: str | None = None
        self.began_at = now
        self.rang = False
        self.grouped = False
        self.talked_at: int | None = None
        self.ended_at: int | None = None
        self.reason: Reason | None = None
        self.cause: int | None = None
        self.status: str | None = None
        self.status_at: int | None = None
        self.forward: str | None = None
        self.transferred = False
        self.unsure_since: int | None = None
        self.gap_since: int | None = None
        self.at_once = False
        self.answered_by: Leg | None = None
        self.answerer: AnsweredBy | None = None
        self.owners: tuple[Owner, ...] | None = None
        self.by_announcement = False
        self.lent = False
        self.peer_number: str | None = None
        self.peer_name: str | None = None
        self.episodes: list[Episode] = []
        self.unresolved_id: str | None = None
        self.settled = False

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.ended_at is None

    @property
    def trying(self) -> bool:
        """Whether somebody may still answer here."""
        return self.ended_at is None and self.unsure_since is None and self.kind is not LegKind.ANNOUNCED

    @property
    def root(self) -> Party:
        """The real caller's channel."""
        return chain(self.source)[-1] if self.source is not None else self.party


def outcome(leg: Leg) -> Reason | None:
    """Why a leg that never talked is over; None if it depends on whether somebody else answered.

    The first final DialStatus decides. The Hangup's cause counts only where the leg's own status was NOANSWER (or is
    not known): Asterisk copies one phone's cause to the others of the group.
    """
    status, cause = leg.status, leg.cause
    if leg.forward is not None:
        return Reason.TRANSFERRED
    if status == "BUSY":
        return Reason.BUSY
    if status in ("CONGESTION", "CHANUNAVAIL", "INVALIDARGS"):
        return Reason.FAILED
    if status in ("CONTINUE", "DONTCALL", "TORTURE"):  # the called person declined when asked
        return Reason.REJECTED
    if status in ("NOANSWER", None) and cause not in NORMAL_CAUSES:
        if cause == BUSY:
            return Reason.BUSY
        if cause == REJECTED:
            return Reason.REJECTED
        if cause == NO_ANSWER and leg.rang:
            return Reason.MISSED
        return Reason.FAILED
    return Reason.MISSED if status == "NOANSWER" else None
