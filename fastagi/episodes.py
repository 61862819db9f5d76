"""Episodes: what one owner sees of a phone call, as the sum of his legs. Pure.

An episode begins with his first leg and ends with his last. Everything in its `Call` follows from its legs, so it comes
out the same whenever the directory says whose the legs are. A phone call some of whose legs' owners are not known yet
may still tell more about an episode that has ended: why it ended, and who answered; never that it goes on.
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from fastagi.episode import Episode, grouped, is_hidden, leg_record, open_episodes, peer, raw_peer, record, undecided
from fastagi.facts import Owner
from fastagi.legs import Leg, LegKind
from fastagi.questions import Questions
from fastagi.records import AskCaller, Output
from zvonok.call import AnsweredBy, Call, Caller, End, Line, Reason, State, next_rev

CALLER_WAIT_MS: Final = 250
"""A new card waits so long for the caller's name."""
ANSWERER_WAIT_MS: Final = 1_500
"""An end as answered_elsewhere waits so long for who answered: one more try of the directory fits in."""

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


class Episodes:
    """All episodes that have not been said to have ended. What they say goes to `out`."""

    def __init__(self, *, pbx: str, new_id: Callable[[], str], out: list[Output]) -> None:
        self._pbx = pbx
        self._new_id = new_id
        self._out = out
        self._dirty: dict[str, Episode] = {}
        self._held: dict[str, Episode] = {}
        self.live: dict[str, Episode] = {}
        self.said: list[Episode] = []
        """Of which something was said since this was last cleared."""
        self.callers: Questions[Episode] = Questions(AskCaller)

    def attach(self, leg: Leg, owners: Iterable[Owner]) -> None:
        """The leg counts for these owners: each gets it into his episode of this phone call, or a new one."""
        for owner in owners:
            if any(episode.user_id == owner.user_id for episode in leg.episodes):
                continue
            his = open_episodes(leg.call, owner.user_id)
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
            for episode in open_episodes(leg.call, owner.user_id):
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
            self.said.append(episode)
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
                episode.caller = Caller(restricted=is_hidden(*raw_peer(episode.face)))
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
