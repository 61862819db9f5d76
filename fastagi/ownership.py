"""Whose a leg is: its own number's owners, else those of the announced number; asked until it is known. Pure."""

from collections.abc import Callable, Iterable
from typing import Final

from fastagi.episode import Episode, leg_record, peer
from fastagi.episodes import ANSWERER_WAIT_MS, Episodes
from fastagi.facts import Owner
from fastagi.legs import Leg, LegKind
from fastagi.questions import Questions
from fastagi.records import AskOwners, Output, Resolved, Unresolved
from fastagi.switchboard import PhoneCall
from zvonok.call import AnsweredBy, Caller

MAX_UNRESOLVED: Final = 20_000
"""Legs that wait for a database that is away, some 4 KB each: hours of that must not take the PBX host's memory."""


class Ownership:
    """Resolves legs and attaches them to episodes. Owners are fixed once a leg is resolved."""

    def __init__(
        self,
        episodes: Episodes,
        *,
        new_id: Callable[[], str],
        out: list[Output],
        note: Callable[[Leg, str], None],
    ) -> None:
        self._episodes = episodes
        self._new_id = new_id
        self._out = out
        self._note = note
        self._questions: Questions[Leg] = Questions(AskOwners)
        self._undecided: dict[int, Leg] = {}
        self._off_record: dict[int, Leg] = {}
        """Those undecided that are not on record."""
        self._unresolved: dict[str, Leg] = {}
        self._decided: dict[str, Leg] = {}
        """Those on record whose owners are known by now."""
        self._to_close: dict[str, Leg] = {}
        """Those of them that something was heard of since: in a long outage a look at all of them takes too long."""

    def __len__(self) -> int:
        return len(self._questions) + len(self._undecided) + len(self._unresolved)

    @property
    def waiting(self) -> int:
        """How many legs are on record because the directory could not tell their owners yet."""
        return len(self._unresolved)

    def resolve(self, leg: Leg, now: int) -> None:
        """Find the leg's owners; they may be known at once, later, or never."""
        if leg.number is None:
            self._own(leg, ())
            return
        caller, _ = peer(leg)
        if caller in leg.call.callers:
            caller = None
        question, ask = self._questions.ask(leg.number, leg, now=now, caller=caller)
        if ask is not None:
            self._out.append(ask)
        if question.failed:
            self._remember(leg)

    def found(self, ask_id: str, owners: tuple[Owner, ...], now: int) -> list[Leg]:
        """The directory's answer; the legs that have their owners by it."""
        question = self._questions.answered(ask_id)
        if question is None:
            return []
        unique = tuple({owner.user_id: owner for owner in reversed(owners)}.values())[::-1]
        took = f" after {now - question.asked_at} ms" if now > question.asked_at else ""
        settled = []
        for leg in question.waiting:
            whose = ", ".join(f"user {owner.user_id} ({owner.name})" for owner in unique) or "nobody"
            self._note(leg, f"number {question.ask.number} belongs to {whose}{took}")
            settled += self._own(leg, unique)
        return settled

    def _own(self, leg: Leg, owners: tuple[Owner, ...]) -> list[Leg]:
        settled = [leg] if self._decide(leg, owners) else []
        progress = bool(self._undecided)
        while progress:
            progress = False
            for other in [one for one in leg.call.legs if id(one) in self._undecided]:
                if self._decide(other, ()):
                    settled.append(other)
                    progress = True
        return settled

    def _decide(self, leg: Leg, owners: tuple[Owner, ...]) -> bool:
        """Whether the leg's owners are known now, `owners` being its own number's."""
        by_announcement = False
        if not owners and leg.fallback:
            announced = self._announced(leg)
            if announced is None:
                self._undecided[id(leg)] = leg
                if _on_record(leg.call):
                    self._remember(leg)
                elif leg.unresolved_id is None:
                    self._off_record[id(leg)] = leg
                return False
            if announced:
                by_announcement = True
                self._note(leg, "has no owner of its own: it counts for the announced number's")
            owners = announced
        leg.by_announcement = by_announcement
        if leg.lent:
            leg.lent = False
            self._episodes.take_back(leg, all_but=owners)
        self._known(leg, owners)
        if leg.kind is not LegKind.TAKEN or leg.talked_at is not None:
            self._episodes.attach(leg, owners)
        if any(episode.shown is None for episode in leg.episodes) and _on_record(leg.call):
            self._remember(leg)
        for other in leg.call.legs:  # those who wait for who answered, for this decision, or show a group's number
            self._episodes.touch_legs([other])
        return True

    def _known(self, leg: Leg, owners: tuple[Owner, ...]) -> None:
        leg.owners = owners
        self._undecided.pop(id(leg), None)
        self._off_record.pop(id(leg), None)
        if leg.unresolved_id is not None:
            self._decided[leg.unresolved_id] = self._to_close[leg.unresolved_id] = leg

    def _announced(self, leg: Leg) -> tuple[Owner, ...] | None:
        """The owners of the number that the caller was announced for; None while they are not known."""
        for party in leg.callers:
            local = party.half.leg if party.is_local and party.half is not None else None
            for candidate in (party.announcement, local):
                if candidate is None or candidate is leg:
                    continue
                if candidate.owners is None:
                    return None
                if candidate.owners:
                    return candidate.owners
        return ()

    def failed(self, ask_id: str, now: int) -> None:
        """No answer now: what waits for it goes on record, and it is asked again."""
        question = self._questions.failed(ask_id, now=now)
        for leg in question.waiting if question is not None else ():
            self._note(leg, f"the directory could not tell who owns {leg.number}; it is asked again")
            self._remember(leg)
            for other in leg.call.legs:  # what is held back on account of this one must not be lost either
                if any(episode.shown is None for episode in other.episodes):
                    self._remember(other)
        if question is not None:
            for leg in list(self._off_record.values()):
                self._remember(leg)

    def tick(self, now: int) -> None:
        """Ask again what is due; nobody waits for long to see that a phone of unknown owner was answered."""
        self._out += self._questions.due(now=now)
        self._to_close |= self._decided
        for leg in self._unresolved.values():
            talks = leg.owners is None and leg.open and leg.talked_at is not None
            if talks and leg.fallback and not leg.lent and now >= (leg.talked_at or 0) + ANSWERER_WAIT_MS:
                self._lend(leg)

    def _lend(self, leg: Leg) -> None:
        """The announced number's owners see that somebody talks, until the directory says whose the phone is."""
        owners = self._announced(leg)
        if owners:
            leg.by_announcement = leg.lent = True
            self._note(leg, "its owner is still unknown: for now it counts for the announced number's")
            self._episodes.lend(leg, owners)

    def give_up_oldest(self) -> list[PhoneCall]:
        """The phone calls that were given up because more than `MAX_UNRESOLVED` legs wait for their owners.

        The oldest calls that are over: of these the history loses a row, of a call that goes on somebody a card. What
        a given-up leg's owners would have seen is not told to anybody else.
        """
        excess = len(self._unresolved) - MAX_UNRESOLVED
        calls: dict[int, PhoneCall] = {}
        for leg in self._unresolved.values():
            if excess <= 0:
                break
            if id(leg.call) not in calls and not any(one.open for one in leg.call.legs):
                calls[id(leg.call)] = leg.call
                excess -= sum(one.unresolved_id is not None for one in leg.call.legs)
        for call in calls.values():
            for leg in call.legs:
                self._give_up(leg)
            self._episodes.touch_legs(call.legs)
        return list(calls.values())

    def _give_up(self, leg: Leg) -> None:
        if leg.owners is not None:
            return
        self._known(leg, ())
        if leg.number is not None:
            self._questions.leave(leg.number, leg)
        if leg.lent:
            leg.lent = False
            self._episodes.take_back(leg, all_but=())
        self._note(leg, "too many calls wait for the database: whose this one was will not be known")

    # --- on record ----------------------------------------------------------------------------------------------------

    def is_settled(self, leg: Leg) -> bool:
        """Whether nothing about the leg's owners is left to be done."""
        return leg.owners is not None and leg.unresolved_id is None and all(e.closed for e in leg.episodes)

    def _remember(self, leg: Leg) -> None:
        if leg.unresolved_id is None:
            leg.unresolved_id = self._new_id()
            self._off_record.pop(id(leg), None)
            self._unresolved[leg.unresolved_id] = leg
            if leg.owners is not None:
                self._decided[leg.unresolved_id] = self._to_close[leg.unresolved_id] = leg
            self._out.append(unresolved(leg, leg.unresolved_id))

    def remembered(self, leg: Leg, unresolved_id: str) -> None:
        """After a restart: this leg is on record."""
        leg.unresolved_id = unresolved_id
        self._unresolved[unresolved_id] = leg
        if leg.owners is not None:
            self._decided[unresolved_id] = leg  # looked at with the next tick

    def keep_unresolved(self, changed: Iterable[Leg]) -> None:
        """Bring the records of those among `changed` that are still on record up to date."""
        for leg in changed:
            if leg.unresolved_id is not None:
                self._look_at(leg)
                self._out.append(unresolved(leg, leg.unresolved_id))

    def told(self, episode: Episode) -> None:
        """Something was said of this episode: records of its legs may be closed now."""
        for leg in episode.legs:
            self._look_at(leg)

    def _look_at(self, leg: Leg) -> None:
        if leg.unresolved_id in self._decided:
            self._to_close[leg.unresolved_id] = leg

    def say_resolved(self) -> None:
        """Close the records of legs whose owners are known and have been told."""
        looked_at, self._to_close = self._to_close, {}
        for unresolved_id, leg in looked_at.items():
            told = leg.owners is not None and all(episode.shown is not None for episode in leg.episodes)
            if told and (leg.kind is not LegKind.TAKEN or not leg.open or leg.episodes):
                del self._unresolved[unresolved_id], self._decided[unresolved_id]
                leg.unresolved_id = None
                self._out.append(Resolved(unresolved_id=unresolved_id))

    def unresolved(self) -> list[Unresolved]:
        """All open records."""
        return [unresolved(leg, key) for key, leg in self._unresolved.items()]


def _on_record(call: PhoneCall) -> bool:
    """Whether one of its legs waits for a directory that has failed."""
    return any(leg.owners is None and leg.unresolved_id is not None for leg in call.legs)


def unresolved(leg: Leg, unresolved_id: str) -> Unresolved:
    """The record of a leg whose owners are not known."""
    number, display = peer(leg)
    by = leg.answered_by
    who = None
    if by is not None:
        first = by.owners[0] if by.owners else None
        who = AnsweredBy(user_id=first.user_id if first else None, name=first.name if first else None)
    return Unresolved(
        unresolved_id=unresolved_id,
        first_linkedid=leg.call.first_linkedid,
        number=leg.number or "",
        leg=leg_record(leg),
        caller=Caller(number=number, display=display),
        queue=leg.queue,
        answered_by=who,
    )
