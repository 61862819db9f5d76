"""Episodes: what one owner sees of a phone call, as the sum of his legs. Pure.

An episode begins with his first leg and ends with his last. Everything in its `Call` follows from its legs, so it comes
out the same whenever the directory says whose the legs are. A phone call some of whose legs' owners are not known yet
may still tell more about an episode that has ended: why it ended, and who answered; never that it goes on.
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from fastagi.facts import Owner
from fastagi.legs import Leg, LegKind
from fastagi.questions import Questions
from fastagi.records import AskCaller, Changed, LegRecord, Output
from fastagi.switchboard import PhoneCall
from zvonok.call import AnsweredBy, Call, Caller, End, Line, Reason, State, next_rev

CALLER_WAIT_MS: Final = 250
"""A new card waits so long for the caller's name."""
ANSWERER_WAIT_MS: Final = 1_500
"""An end as answered_elsewhere waits so long for who answered: one more try of the directory fits in."""

_HIDDEN: Final = frozenset({"anonymous", "restricted", "private", "withheld", "hidden"})
_ABSENT: Final = frozenset({"unknown", "unavailable", "s"})
_RANK: Final = (
    Reason.ANSWERED_ELSEWHERE,
    Reason.TRANSFERRED,
    Reason.REJECTED,
    Reason.MISSED,
    Reason.BUSY,
    Reason.FAILED,
    Reason.UNKNOWN,
    Reason.COMPLETED,  # no leg of ours ends so without having talked, but a journal may say so
)
"""Which leg's reason speaks for an owner of several, none of which talked."""


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


class Episodes:
    """All episodes that have not been said to have ended. What they say goes to `out`."""

    def __init__(self, *, pbx: str, new_id: Callable[[], str], out: list[Output]) -> None:
        self._pbx = pbx
        self._new_id = new_id
        self._out = out
        self._dirty: dict[str, Episode] = {}
        self._held: dict[str, Episode] = {}
        self.live: dict[str, Episode] = {}
        self.callers: Questions[Episode] = Questions(AskCaller)

    def attach(self, leg: Leg, owners: Iterable[Owner]) -> None:
        """The leg counts for these owners: each gets it into his episode of this phone call, or a new one."""
        for owner in owners:
            if any(episode.user_id == owner.user_id for episode in leg.episodes):
                continue
            his = _open_episodes(leg.call, owner.user_id)
            episode = next((one for one in his if one.shown is not None and one.takes(leg)), None)
            if episode is not None:
                episode.add(leg)
                self.touch(episode)
            else:
                self._regroup(owner.user_id, leg, [one for one in his if one.shown is None])

    def _regroup(self, user_id: int, leg: Leg, unsaid: list[Episode]) -> None:
        """Divide his legs of which nothing was said yet anew: the order of the directory's answers must not matter."""
        groups = grouped([leg, *(one for episode in unsaid for one in episode.legs)])
        for group in groups:
            episode = next((one for one in unsaid if any(leg in group for leg in one.legs)), None)
            if episode is not None:
                unsaid.remove(episode)
            else:
                episode = Episode(self._new_id(), user_id)
                self.live[episode.call_id] = episode
            for one in set(episode.legs) - set(group):
                episode.remove(one)
            for one in set(group) - set(episode.legs):
                for before in [before for before in one.episodes if before.user_id == user_id and before.shown is None]:
                    before.remove(one)
                episode.add(one)
            self.touch(episode)
        for episode in unsaid:
            self._forget(episode)

    def lend(self, leg: Leg, owners: Iterable[Owner]) -> None:
        """Until its own owners are known, the leg counts in the episodes that these have of its phone call."""
        for owner in owners:
            for episode in _open_episodes(leg.call, owner.user_id):
                if leg not in episode.legs and episode.takes(leg):
                    episode.add(leg)
                    self.touch(episode)

    def take_back(self, leg: Leg, *, all_but: Iterable[Owner]) -> None:
        """The leg was lent; whoever does not own it loses it."""
        owners = {owner.user_id for owner in all_but}
        for episode in [one for one in leg.episodes if one.user_id not in owners]:
            episode.remove(leg)
            self.touch(episode)

    def _forget(self, episode: Episode) -> None:
        episode.closed = True
        del self.live[episode.call_id]
        self._dirty.pop(episode.call_id, None)
        self._held.pop(episode.call_id, None)
        self.callers.drop(episode)

    def touch(self, episode: Episode) -> None:
        """Something about it may have changed."""
        if not episode.closed:
            self._dirty[episode.call_id] = episode

    def touch_legs(self, legs: list[Leg]) -> None:
        """Something about these legs' episodes may have changed."""
        for leg in legs:
            for episode in leg.episodes:
                self.touch(episode)

    def review(self, now: int) -> list[Episode]:
        """Say what has changed; the episodes that ended by it."""
        ended = []
        while self._dirty:
            _, episode = self._dirty.popitem()
            if not episode.closed and self._say(episode, now):
                ended.append(episode)
        return ended

    def tick(self, now: int) -> None:
        """Look again at those that wait."""
        for episode in self._held.values():
            self.touch(episode)
        self._held.clear()
        self._out += self.callers.due(now=now)

    def _say(self, episode: Episode, now: int) -> bool:
        """Whether it has ended by what is said now, or nothing more is to be said of it."""
        was_over = episode.is_over
        call = self._build(episode, now)
        if call is None or (was_over and call.state is not State.ENDED):
            return False
        legs = tuple(leg_record(leg) for leg in episode.legs)
        if call != episode.shown:
            episode.rev = next_rev(episode.rev, now_ms=now)
        if call != episode.shown or legs != episode.recorded:  # a restart needs the legs, though nobody sees them
            # `shown` keeps rev 0, as `_build` makes it: only what a person sees makes a change
            episode.shown, episode.recorded = call, legs
            self._out.append(record(episode))
        if call.state is State.ENDED and not undecided(episode.legs[0].call):
            self._forget(episode)
        return episode.closed or episode.is_over is not was_over

    def _build(self, episode: Episode, now: int) -> Call | None:
        """The episode's `Call`, with rev 0; None while it has to wait."""
        legs = episode.answering
        ended = all(leg.ended_at is not None for leg in legs)
        if episode.shown is None and ended and undecided(legs[0].call):
            return None  # decided late: another leg of his may still be found
        talked = [leg for leg in episode.legs if leg.talked_at is not None]
        unsure = any(leg.owners is None and leg.trying for leg in legs[0].call.legs)
        if ended and unsure and not talked and not episode.is_over:
            self._held[episode.call_id] = episode
            return episode.shown  # a phone that still rings may be his, too
        caller = self._caller(episode, now)
        if caller is None:
            return None
        face = episode.face
        owner = episode.owner()
        end = ended_at = None
        if ended:
            last = max(talked or legs, key=lambda leg: leg.ended_at or 0)
            if not talked:
                last = min(_speaking(legs), key=lambda leg: _RANK.index(leg.reason or Reason.UNKNOWN))
            by = last.answered_by
            if by is not None and by.owners is None and now < (last.ended_at or 0) + ANSWERER_WAIT_MS:
                self._held[episode.call_id] = episode
                return episode.shown
            end = End(
                reason=last.reason or Reason.UNKNOWN, cause=last.cause, answered_by=last.answerer or _answered_by(by)
            )
            ended_at = max(leg.ended_at or 0 for leg in legs)
        return Call(
            call_id=episode.call_id,
            rev=0,
            first_linkedid=face.call.first_linkedid,
            user_id=episode.user_id,
            state=State.ENDED if ended else State.TALKING if talked else State.RINGING,
            caller=caller,
            line=Line(number=owner.number, label=owner.label, queue=face.queue or _group(face)),
            ring_started_at=min(leg.began_at for leg in episode.legs),
            pbx=self._pbx,
            answered_at=min((leg.talked_at or 0 for leg in talked), default=None),
            ended_at=ended_at,
            end=end,
        )

    def _caller(self, episode: Episode, now: int) -> Caller | None:
        """Who calls, or None while a new card waits for his name."""
        number, display = peer(episode.face)
        first = episode.hold_until is None
        if first or number != episode.caller_number:
            episode.caller_number = number
            episode.caller = None
            episode.hold_until = now
            if number is None:
                episode.caller = Caller(restricted=_is_hidden(*_raw_peer(episode.face)))
            else:
                episode.caller = episode.face.call.callers.get(number)
                if episode.caller is None:
                    question, ask = self.callers.ask(number, episode, now=now)
                    episode.hold_until = now if question.failed else now + CALLER_WAIT_MS
                    if ask is not None:
                        self._out.append(ask)
        if episode.caller is not None:
            return msgspec.structs.replace(episode.caller, display=display)
        if now < (episode.hold_until or 0):
            self._held[episode.call_id] = episode
            return episode.shown.caller if episode.shown is not None else None
        return Caller(number=number, display=display)

    def caller_found(self, ask_id: str, caller: Caller) -> None:
        """The directory's answer."""
        question = self.callers.answered(ask_id)
        for episode in question.waiting if question is not None else ():
            number = question.ask.number if question is not None else ""
            episode.legs[0].call.callers[number] = caller
            if episode.caller_number == number:
                episode.caller = caller
                self.touch(episode)

    def caller_failed(self, ask_id: str, now: int) -> None:
        """No answer now: the card opens without a name, and gets it later."""
        question = self.callers.failed(ask_id, now=now)
        for episode in question.waiting if question is not None else ():
            episode.hold_until = now
            self.touch(episode)


def undecided(call: PhoneCall) -> bool:
    """Whether the owners of one of its legs are not known yet."""
    return any(leg.owners is None for leg in call.legs)


def overlap(legs: Iterable[Leg], leg: Leg) -> bool:
    """Whether `leg` was there while one of `legs` was, so that both are parts of one episode.

    A leg that took another's place may have begun in the millisecond that ended it.
    """
    began = leg.began_at - (leg.kind is LegKind.TAKEN)
    return any(
        (one.ended_at is None or began < one.ended_at) and (leg.ended_at is None or one.began_at <= leg.ended_at)
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


def _open_episodes(call: PhoneCall, user_id: int) -> list[Episode]:
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
    number, name = _raw_peer(leg)
    if number is None or number.lower() in _HIDDEN or number.lower() in _ABSENT:
        return None, name
    return number, name


def _raw_peer(leg: Leg) -> tuple[str | None, str | None]:
    if leg.peer_number is not None:
        return leg.peer_number, leg.peer_name
    root = leg.root
    return root.caller_number, root.caller_name


def _is_hidden(number: str | None, name: str | None) -> bool:
    return any(text is not None and text.lower() in _HIDDEN for text in (number, name))


def _speaking(legs: list[Leg]) -> list[Leg]:
    """The legs whose reason may speak for the episode: the announcement's only if no phone was reached."""
    reached = [leg for leg in legs if leg.kind is not LegKind.ANNOUNCED]
    if any(leg.reason is Reason.ANSWERED_ELSEWHERE for leg in legs):
        return legs
    return reached or legs


def _answered_by(leg: Leg | None) -> AnsweredBy | None:
    if leg is None:
        return None
    if leg.owners:
        return AnsweredBy(user_id=leg.owners[0].user_id, name=leg.owners[0].name)
    return AnsweredBy(user_id=None, name=leg.party.caller_name)


def _group(leg: Leg) -> str | None:
    """The ring group's number: what was announced or dialled, if nobody owns it and several phones rang for it."""
    announcement = leg.root.announcement
    return announcement.number if leg.grouped and announcement is not None and announcement.owners == () else None
