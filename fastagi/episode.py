"""An episode: an owner's legs of a phone call, how legs are divided into episodes, and the journal's record. Pure."""

from collections.abc import Iterable
from typing import Final

import msgspec

from fastagi.facts import Owner
from fastagi.legs import Leg, LegKind
from fastagi.records import Changed, LegRecord
from fastagi.switchboard import PhoneCall
from zvonok.call import Call, Caller, State

_HIDDEN: Final = frozenset({"anonymous", "restricted", "private", "withheld", "hidden"})
_ABSENT: Final = frozenset({"unknown", "unavailable", "s"})


class Episode:
    """One episode of one owner. `shown` is the `Call` last said, with rev 0, and `recorded` its legs as the journal has
    them; `hold_until`: until then it waits for the caller.

    `closed`: it has been said to have ended, and nothing can change it any more.
    """

    __slots__ = (
        "call_id",
        "caller",
        "caller_number",
        "closed",
        "hold_until",
        "legs",
        "recorded",
        "rev",
        "shown",
        "user_id",
    )

    def __init__(self, call_id: str, user_id: int) -> None:
        self.call_id = call_id
        self.user_id = user_id
        self.legs: list[Leg] = []
        self.shown: Call | None = None
        self.recorded: tuple[LegRecord, ...] = ()
        self.rev = 0
        self.closed = False
        self.caller_number: str | None = None
        self.caller: Caller | None = None
        self.hold_until: int | None = None

    @property
    def answering(self) -> list[Leg]:
        """The legs on whose end it ends: the announcement counts only where he has no phone of his own in it."""
        reached = [leg for leg in self.legs if leg.kind is not LegKind.ANNOUNCED]
        return reached if any(not leg.by_announcement for leg in reached) else self.legs

    @property
    def face(self) -> Leg:
        """The leg that is shown: the one that talks, or talked last, else the first of his own, else the first."""
        talked = [leg for leg in self.legs if leg.talked_at is not None]
        if talked:
            return max(talked, key=lambda leg: (leg.open, leg.talked_at or 0))
        for leg in self.legs:
            if leg.kind is not LegKind.ANNOUNCED and (leg.open or not self.is_live):
                return leg
        return self.legs[0]

    @property
    def is_live(self) -> bool:
        """Whether one of its legs has not ended."""
        return any(leg.open for leg in self.legs)

    @property
    def is_over(self) -> bool:
        """Whether it has been said to have ended."""
        return self.shown is not None and self.shown.state is State.ENDED

    def takes(self, leg: Leg) -> bool:
        """Whether the leg is a part of it; one that is over and said so takes no leg that goes on."""
        return overlap(self.answering, leg) and not (self.is_over and leg.open)

    def add(self, leg: Leg) -> None:
        """One more leg; they stay in the order in which they began, whichever owner the directory told first."""
        self.legs = by_age([*self.legs, leg])
        leg.episodes.append(self)

    def remove(self, leg: Leg) -> None:
        """The leg is somebody else's."""
        self.legs.remove(leg)
        leg.episodes.remove(self)

    def owner(self) -> Owner:
        """The owner as the shown leg's number has him."""
        for leg in (self.face, *self.legs):
            for owner in leg.owners or ():
                if owner.user_id == self.user_id:
                    return owner
        return Owner(user_id=self.user_id, number="")


def by_age(legs: Iterable[Leg]) -> list[Leg]:
    """In the order in which they began."""
    return sorted(legs, key=lambda leg: (leg.began_at, _serial(leg.uniqueid)))


def _serial(uniqueid: str) -> int:
    """The running number in `1700000000.42`: two legs may begin in the same millisecond."""
    serial = uniqueid.rpartition(".")[2]
    return int(serial) if serial.isascii() and serial.isdigit() else 0


def undecided(call: PhoneCall) -> bool:
    """Whether the owners of one of its legs are not known yet."""
    return any(leg.owners is None for leg in call.legs)


def overlap(legs: Iterable[Leg], leg: Leg) -> bool:
    """Whether `leg` was there while one of `legs` was, so that both are parts of one episode.

    A leg that took another's place may have begun in the millisecond that ended it. One that began and ended in the
    same millisecond (a phone that refuses at once) was there in it.
    """
    began = leg.began_at - (leg.kind is LegKind.TAKEN)
    return any(
        (one.ended_at is None or began < max(one.ended_at, one.began_at + 1))
        and (leg.ended_at is None or one.began_at <= leg.ended_at)
        for one in legs
    )


def grouped(legs: Iterable[Leg]) -> list[list[Leg]]:
    """One owner's legs of one phone call, divided into his episodes.

    An episode lasts as long as his own phones are tried without a gap; what counts for him by the announcement alone
    belongs to the first of them that was there at the same time.
    """
    ordered = by_age(legs)
    own = [leg for leg in ordered if leg.kind is not LegKind.ANNOUNCED and not leg.by_announcement]
    groups: list[list[Leg]] = []
    for leg in own:
        if groups and overlap(groups[-1], leg):
            groups[-1].append(leg)
        else:
            groups.append([leg])
    for leg in ordered:
        if leg in own:
            continue
        group = next((group for group in groups if overlap(group, leg)), None)
        if group is not None:
            group.append(leg)
        else:
            groups.append([leg])
    return groups


def open_episodes(call: PhoneCall, user_id: int) -> list[Episode]:
    """His episodes of this phone call about which there is still something to say."""
    found = {one.call_id: one for leg in call.legs for one in leg.episodes if one.user_id == user_id and not one.closed}
    return list(found.values())


def record(episode: Episode) -> Changed:
    """The journal's record of what was said last, with what a restart needs."""
    assert episode.shown is not None
    return Changed(
        call=msgspec.structs.replace(episode.shown, rev=episode.rev),
        caller_number=episode.caller_number,
        legs=episode.recorded,
    )


def leg_record(leg: Leg) -> LegRecord:
    """A leg as the journal keeps it."""
    return LegRecord(
        uniqueid=leg.uniqueid,
        channel=leg.channel_name,
        source=leg.source.uniqueid if leg.source is not None else None,
        dialled_by=leg.callers[0].uniqueid if leg.callers else None,
        announced=leg.kind is LegKind.ANNOUNCED,
        taken=leg.kind is LegKind.TAKEN,
        number=leg.number,
        by_announcement=leg.by_announcement,
        began_at=leg.began_at,
        talked_at=leg.talked_at,
        ended_at=leg.ended_at,
        reason=leg.reason,
        cause=leg.cause,
        transferred=leg.transferred,
        lent=leg.lent,
        answered_by=leg.answered_by.uniqueid if leg.answered_by is not None else None,
        owners=leg.owners or (),
    )


def peer(leg: Leg) -> tuple[str | None, str | None]:
    """The caller's number and name as this leg's phone shows them; no number if it is hidden or absent."""
    number, name = raw_peer(leg)
    if number is None or number.lower() in _HIDDEN or number.lower() in _ABSENT:
        return None, name
    return number, name


def raw_peer(leg: Leg) -> tuple[str | None, str | None]:
    if leg.peer_number is not None:
        return leg.peer_number, leg.peer_name
    root = leg.root
    return root.caller_number, root.caller_name


def is_hidden(number: str | None, name: str | None) -> bool:
    return any(text is not None and text.lower() in _HIDDEN for text in (number, name))
