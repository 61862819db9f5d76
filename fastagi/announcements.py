"""The numbers that callers call: announced, or dialled; when they count, and what AMI never shows. Pure."""

from typing import TYPE_CHECKING, Final

from fastagi.endpoints import is_dialled_number
from fastagi.facts import Announced
from fastagi.legs import Leg, LegKind
from fastagi.records import AskCaller, AskOwners
from fastagi.switchboard import Party
from zvonok.call import Reason

if TYPE_CHECKING:
    from fastagi.tracker import Tracker

ANNOUNCED_WAIT_MS: Final = 2_000
"""A card that an announcement opened ends if AMI does not show the channel within this time."""
EARLY_WAIT_MS: Final = 15_000
"""An announcement waits so long for AMI to show its channel: longer than a dead AMI connection looks alive."""
LATE_WAIT_MS: Final = 1_000
"""The same for one that is older than the AMI connection, once the lists after the login have told what there is."""
STALE_MS: Final = 5_000
"""An announcement older than this opens no card by itself: its call may be over."""


class Announcements:
    """Announcements that wait for AMI's word, and those that were shown without it. `len` is how many."""

    def __init__(self, tracker: "Tracker") -> None:
        self._tracker = tracker
        self._early: dict[str, tuple[Announced, int]] = {}
        self._unknown: dict[str, int] = {}
        self._unseen: set[str] = set()
        self._warmed = 0

    def __len__(self) -> int:
        return len(self._early) + len(self._unknown)

    def heard(self, fact: Announced) -> None:
        """The FastAGI server says that a channel is about to call a number."""
        tracker = self._tracker
        board, now = tracker.board, tracker.now
        if board.has_ended(fact.uniqueid):
            if fact.uniqueid in self._unseen and 0 < fact.at < tracker.ami_up_at:
                self._unseen.discard(fact.uniqueid)
                self._never_shown(fact)
            else:
                board.counters["late_facts"] += 1
            return
        party = board.parties.get(fact.uniqueid)
        stale = 0 < fact.at < now - STALE_MS
        if party is None and (stale or (tracker.ami_up and not fact.now)):
            in_step = tracker.ami_up and tracker.answering.unlisted_since is None
            wait = LATE_WAIT_MS if in_step and 0 < fact.at < tracker.ami_up_at else EARLY_WAIT_MS
            self._early[fact.uniqueid] = (fact, now + wait)
            return
        if party is None:
            party = board.add(fact.uniqueid, fact.linkedid or fact.uniqueid, now)
            board.rename(party, fact.channel)
            party.known = False
            if tracker.ami_up:
                self._unknown[fact.uniqueid] = now + ANNOUNCED_WAIT_MS
        self._take(party, fact)

    def shown(self, party: Party) -> None:
        """AMI shows the channel: what was announced of it early counts now."""
        if self._unknown:
            self._unknown.pop(party.uniqueid, None)
        early = self._early.pop(party.uniqueid, None) if self._early else None
        if early is not None:
            self._take(party, early[0])

    def forget(self, uniqueid: str) -> None:
        """The channel is gone."""
        self._early.pop(uniqueid, None)
        self._unknown.pop(uniqueid, None)

    def hung_up(self, uniqueid: str, party: Party | None) -> None:
        """A channel is gone; `party` if AMI had told of it.

        Before the first list its dial may have been missed, and its announcement may yet be told again.
        """
        self._unknown.pop(uniqueid, None)
        early = self._early.pop(uniqueid, None)
        unlisted_since = self._tracker.answering.unlisted_since
        if early is not None:
            self._never_shown(early[0])
        elif party is None:
            self._unseen.add(uniqueid)
        elif unlisted_since is None:
            return
        elif party.announced is None:
            if not party.dialled and party.leg is None:
                self._unseen.add(uniqueid)
        elif party.announced_at < unlisted_since:
            self.lost(party)

    def listed(self, asked_at: int) -> None:
        """The channels that there were at `asked_at` are known: what was announced before AMI came up is over."""
        for uniqueid, (fact, _until) in list(self._early.items()):
            if 0 < fact.at < min(self._tracker.ami_up_at, asked_at):
                del self._early[uniqueid]
                self._never_shown(fact)

    def _take(self, party: Party, fact: Announced) -> None:
        if _was_taken(party, fact):
            return
        party.announced = fact.number
        party.announced_at = fact.at or self._tracker.now
        if party.caller_number is None:
            party.caller_number, party.caller_name = fact.caller_number, fact.caller_name
        if fact.caller is not None and fact.caller_number is not None:
            party.call.callers[fact.caller_number] = fact.caller
        at_once = fact.now or not self._tracker.ami_up
        if at_once or party.dialled:
            self._count(party, at_once=at_once)
        else:
            self._warm(fact)

    def _warm(self, fact: Announced) -> None:
        """Ask now what the card will need at the dial, so that it is in the directory's cache by then."""
        self._warmed += 1
        if is_dialled_number(fact.number):
            self._tracker.say(AskOwners(ask_id=f"warm-owners-{self._warmed}", number=fact.number))
        if fact.caller_number is not None and fact.caller is None:
            self._tracker.say(AskCaller(ask_id=f"warm-caller-{self._warmed}", number=fact.caller_number))

    def dialled(self, callers: list[Party]) -> None:
        """The chain `callers` dials somebody: from now on the numbers that it was announced for count."""
        for party in reversed(callers):
            if party is callers[-1] or party.announced is not None:
                self._count(party)
            if party.announcement is not None:
                party.announcement.at_once = False
                party.announcement.gap_since = None

    def _count(self, party: Party, *, at_once: bool = False) -> None:
        """The number that `party` calls counts from now on, if it has one and it does not already."""
        number = party.announced if party.announced is not None else party.exten
        known = party.announcement
        if not is_dialled_number(number):
            return
        if known is not None and known.number == number and (known.open or not _was_in_vain(known)):
            return
        leg = party.announcement = Leg(LegKind.ANNOUNCED, party, party, number, now=self._tracker.now)
        leg.at_once = at_once
        party.call.legs.append(leg)
        self._tracker.ownership.resolve(leg, self._tracker.now)

    def tick(self) -> None:
        """Give up those whose channel AMI has not shown in time."""
        now = self._tracker.now
        if self._unseen:
            self._unseen = {uniqueid for uniqueid in self._unseen if self._tracker.board.has_ended(uniqueid)}
        for uniqueid, (fact, until) in list(self._early.items()):
            if until <= now:
                del self._early[uniqueid]
                self._never_shown(fact)
        for uniqueid, until in list(self._unknown.items()):
            if until <= now:
                del self._unknown[uniqueid]
                self._tracker.board.counters["announcements_dropped"] += 1
                party = self._tracker.board.parties.get(uniqueid)
                if party is not None:
                    self._tracker.gone(party)

    def _never_shown(self, fact: Announced) -> None:
        """AMI has not shown the announced channel. If it was followed since then, no phone rang. If not, the call began
        and ended unseen: its owner gets to know of it, as one that ended nobody knows how.
        """
        tracker = self._tracker
        tracker.board.counters["announcements_dropped"] += 1
        if fact.at == 0 or (tracker.ami_up and fact.at >= tracker.ami_up_at):
            return
        party = tracker.board.add(fact.uniqueid, fact.linkedid or fact.uniqueid, tracker.now)
        party.known = False
        tracker.board.rename(party, fact.channel)
        self._take(party, fact)
        self._count(party, at_once=True)
        if party.announcement is not None:
            party.announcement.began_at = fact.at
        tracker.gone(party)

    def lost(self, party: Party) -> None:
        """The announced channel is gone, and AMI was away when it may have dialled: a phone may have rung."""
        if party.announced is not None and not party.dialled and party.announcement is None and party.leg is None:
            self._count(party, at_once=True)
            if party.announcement is not None:
                party.announcement.began_at = party.announced_at

    def ami_is_down(self) -> None:
        """Nobody will show their channels now: they count at once."""
        early = [fact for fact, _until in self._early.values()]
        self._early.clear()
        self._unknown.clear()
        for fact in early:
            self.heard(fact)


def _was_in_vain(announcement: Leg) -> bool:
    """Whether it ended because nothing rang for a while, and no phone of its owners was tried: it may ring again."""
    reached = [leg for episode in announcement.episodes for leg in episode.answering if leg is not announcement]
    return announcement.reason is Reason.MISSED and all(leg.by_announcement for leg in reached)


def _was_taken(party: Party, fact: Announced) -> bool:
    """Whether this announcement is told again (a new tap gets the last ones twice): its leg began since.

    The caller may have been passed on meanwhile, and is announced for somebody else now.
    """
    return fact.at > 0 and any(
        leg.kind is LegKind.ANNOUNCED and leg.party is party and leg.number == fact.number and leg.began_at >= fact.at
        for leg in party.call.legs
    )
