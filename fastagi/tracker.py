"""The call tracker: facts and time in, changes out. Pure, and the only place that knows what a call is.

docs/tracker.md explains how it decides. This file takes each fact to where it belongs: channels and bridges to
`fastagi.switchboard`, the life of legs to `fastagi.answering`, owners to `fastagi.ownership`, what an owner sees to
`fastagi.episodes`.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from fastagi import restoring, resync
from fastagi.answering import Answering
from fastagi.endpoints import endpoint, is_dialled_number, leg_number
from fastagi.episodes import Episodes
from fastagi.facts import (
    AgentCalled,
    AmiDown,
    AmiUp,
    Announced,
    AttendedTransferred,
    BlindTransferred,
    BridgeEntered,
    BridgeLeft,
    BridgesMerged,
    CallerFound,
    Channel,
    ChannelChanged,
    ChannelNew,
    ChannelsListed,
    DialBegan,
    DialEnded,
    Fact,
    HungUp,
    LocalsPaired,
    LookupFailed,
    OwnersFound,
    Parked,
    PbxStarted,
    PickedUp,
    QueueJoined,
    QueueLeft,
    Renamed,
    Unparked,
)
from fastagi.legs import Leg, LegKind
from fastagi.ownership import Ownership
from fastagi.records import AskCaller, AskOwners, Note, Output, PbxSeen, Record
from fastagi.switchboard import (
    UP,
    Party,
    PhoneCall,
    Switchboard,
    chain,
    nobody_calls,
    who_hear_each_other,
)
from zvonok.call import Reason

ANNOUNCED_WAIT_MS: Final = 2_000
"""A card that an announcement opened ends if AMI does not show the channel within this time."""
EARLY_WAIT_MS: Final = 4_000
"""An announcement waits so long for AMI to show its channel: longer than a dead AMI connection looks alive."""
LATE_WAIT_MS: Final = 1_000
"""The same for one that is older than the AMI connection: the list of channels that follows the login will tell."""
STALE_MS: Final = 5_000
"""An announcement older than this opens no card by itself: its call may be over."""
WATCH_EVERY_MS: Final = 1_000
_RINGING: Final = 5


class Tracker:
    """Follows every call of one PBX and says what each owner's card must show.

    The tap feeds it every fact in the order of arrival, and calls `tick` about ten times a second. What comes out is to
    be handled in order: `Record`s go to the journal, `Ask`s to the directory (whose answer is fed back as a fact; a
    cached one at once), `Note`s to the trace. Nothing ever raises on account of a fact.

    A resync, which the tap drives after each `AmiUp` and about every 30 s (a Hangup may get lost):
    1. after login: feed `AmiUp`, then `PbxStarted` from CoreStatus;
    2. send CoreShowChannels (and Status with `Variables: DIALEDPEERNUMBER`), remember the time of sending as
       `asked_at`, keep feeding events as they come, and at the list's Complete event feed `ChannelsListed`;
    3. after a login, and whenever `suspects` is not zero, list once more at least 500 ms after the first: channels
       absent from both, with no event between, are given up, and their calls end as `unknown`.
    After the second list the state is in step with the PBX (`live` of the intake contract may be sent).

    `now` is always ms, Unix, never going back (one wall-clock anchor plus the monotonic clock).
    """

    def __init__(self, *, pbx: str, new_id: Callable[[], str], ring_watchdog_ms: int = 120_000) -> None:
        """`new_id` makes call ids; `ring_watchdog_ms` ends a ringing card of which nothing is heard for so long."""
        self._out: list[Output] = []
        self._now = 0
        self._watchdog_ms = ring_watchdog_ms
        self._watched_at = 0
        self._early: dict[str, tuple[Announced, int]] = {}
        self._unknown: dict[str, int] = {}
        self._warmed = 0
        self.ami_up = False
        self.ami_up_at = 0
        self.pbx_started: str | None = None
        self.board = Switchboard()
        self.episodes = Episodes(pbx=pbx, new_id=new_id, out=self._out)
        self.answering = Answering(self.episodes, note=self._note)
        self.ownership = Ownership(self.episodes, new_id=new_id, out=self._out, note=self._note)
        self._closing: dict[int, PhoneCall] = {}
        self._handlers: dict[type[Any], Callable[[Any], None]] = {
            Announced: self._announced,
            ChannelNew: self._channel_new,
            ChannelChanged: self._channel_changed,
            Renamed: self._renamed,
            HungUp: self._hung_up,
            DialBegan: self._dial_began,
            DialEnded: self._dial_ended,
            BridgeEntered: self._bridge_entered,
            BridgeLeft: self._bridge_left,
            BridgesMerged: self._bridges_merged,
            LocalsPaired: self._locals_paired,
            BlindTransferred: self._blind_transferred,
            AttendedTransferred: self._attended_transferred,
            PickedUp: self._picked_up,
            Parked: self._parked,
            Unparked: self._unparked,
            QueueJoined: self._queue_joined,
            QueueLeft: self._queue_left,
            AgentCalled: self._agent_called,
            AmiUp: self._ami_is_up,
            AmiDown: self._ami_is_down,
            PbxStarted: self._pbx_has_started,
            ChannelsListed: self._channels_listed,
            OwnersFound: self._owners_found,
            CallerFound: self._caller_found,
            LookupFailed: self._lookup_failed,
        }

    # --- the tap's side -----------------------------------------------------------------------------------------------

    def feed(self, fact: Fact, *, now: int) -> list[Output]:
        """What follows from `fact`, seen at `now`."""
        self._now = now
        handler = self._handlers.get(type(fact))
        if handler is None:
            self.board.counters["unknown_facts"] += 1
            return []
        handler(fact)
        return self._finish()

    def tick(self, *, now: int) -> list[Output]:
        """What follows from time alone: watchdog, repeated lookups, announcements that nothing came of."""
        self._now = now
        self.answering.tick(now)
        self.episodes.tick(now)
        self.ownership.tick(now)
        self.board.forget_ended(now)
        for uniqueid, (fact, until) in list(self._early.items()):
            if until <= now:
                del self._early[uniqueid]
                self._never_shown(fact)
        for uniqueid, until in list(self._unknown.items()):
            if until <= now:
                self._give_up_unknown(uniqueid)
        if now >= self._watched_at + WATCH_EVERY_MS:
            self._watched_at = now
            for call in list(dict.fromkeys(self.board.calls.values())):
                self.answering.watch(call.legs, silent_since=now - self._watchdog_ms, now=now)
                self._closing[id(call)] = call
        return self._finish()

    def restore(self, records: Iterable[Record]) -> None:
        """Take up the calls of an earlier run. Before the first fact; `records` in the journal's order.

        Only each call's newest `Changed` and the open `Unresolved`s matter, so a compacted journal does.
        """
        restoring.restore(self, records)

    def records(self) -> list[Record]:
        """Everything that `restore` needs, as it is now: the journal's checkpoint."""
        return restoring.records(self)

    @property
    def suspects(self) -> int:
        """Channels that the last list did not show: list again after 500 ms."""
        return sum(party.missing_since is not None for party in self.board.parties.values())

    @property
    def live(self) -> list[str]:
        """The `call_id`s of all calls that are shown and have not ended (for `live` of the intake contract)."""
        return [
            episode.call_id
            for episode in self.episodes.live.values()
            if episode.shown is not None and not episode.is_over
        ]

    @property
    def counters(self) -> dict[str, int]:
        """What was seen and skipped, by name, for the metrics."""
        return dict(self.board.counters)

    @property
    def size(self) -> int:
        """How many channels, legs, calls, questions and remembered uniqueids are held: zero when all is over."""
        legs = sum(len(call.legs) for call in set(self.board.calls.values()))
        waiting = len(self.answering) + len(self.ownership) + len(self.episodes.callers)
        return self.board.size + legs + waiting + len(self.episodes.live) + len(self._early) + len(self._unknown)

    def _finish(self) -> list[Output]:
        """Say what has changed, and let go of what is over."""
        while True:
            self.ownership.keep_unresolved([*self.answering.changed, *self.board.merged])
            self.answering.changed.clear()
            self.board.merged.clear()
            ended = self.episodes.review(self._now)
            if not ended:
                break
            for episode in ended:
                self.answering.close_announcements(episode.legs, self._now)
                call = episode.legs[0].call
                self._closing[id(call)] = call
        self.ownership.say_resolved()
        if self._closing:
            closing = list(self._closing.values())
            self._closing.clear()
            for call in closing:
                self._drop_if_over(call)
        if not self._out:
            return []
        out = self._out[:]
        self._out.clear()
        return out

    def _drop_if_over(self, call: PhoneCall) -> None:
        if any(party.known or (party.leg is not None and party.leg.open) for party in call.parties.values()):
            return
        if all(leg.ended_at is not None and self.ownership.is_settled(leg) for leg in call.legs):
            for party in list(call.parties.values()):
                self.board.end(party.uniqueid, self._now)
                self._unknown.pop(party.uniqueid, None)
            self.board.drop(call)

    def _note(self, leg: Leg, text: str) -> None:
        name = f"announced {leg.number}" if leg.kind is LegKind.ANNOUNCED else leg.channel_name
        self._out.append(Note(linkedid=leg.call.first_linkedid, uniqueid=leg.uniqueid, text=f"{name}: {text}"))

    def say(self, output: Output) -> None:
        """Put out something besides, in order."""
        self._out.append(output)

    # --- channels -----------------------------------------------------------------------------------------------------

    def see(self, channel: Channel | None, *, stale: bool = False) -> Party | None:
        """The channel's party brought up to date, with what follows from that. None if it is over."""
        seen = self.board.see(channel, self._now, stale=stale) if channel is not None else None
        if seen is None:
            return None
        party, changed = seen
        leg = party.leg
        if leg is not None and leg.open:
            leg.rang = leg.rang or party.state == _RINGING
            if changed and not _consults(leg):
                leg.peer_number, leg.peer_name = party.connected_number, party.connected_name
                self.episodes.touch_legs([leg])
        if self._unknown:
            self._unknown.pop(party.uniqueid, None)
        early = self._early.pop(party.uniqueid, None) if self._early else None
        if early is not None:
            self._take_announcement(party, early[0])
        return party

    def _channel_new(self, fact: ChannelNew) -> None:
        party = self.see(fact.channel)
        if party is not None and party.exten is None:
            party.exten = fact.channel.exten

    def _channel_changed(self, fact: ChannelChanged) -> None:
        self.see(fact.channel)

    def _renamed(self, fact: Renamed) -> None:
        party = self.board.parties.get(fact.uniqueid)
        if party is not None:
            self.board.rename(party, fact.name)
            party.seen_at = self._now

    def _hung_up(self, fact: HungUp) -> None:
        uniqueid = fact.channel.uniqueid
        self._early.pop(uniqueid, None)
        self._unknown.pop(uniqueid, None)
        party = self.board.end(uniqueid, self._now)
        if party is None:
            self.board.counters["unknown_hangups"] += 1
            return
        self.answering.hung_up(party, fact.cause, self._now)
        self._closing[id(party.call)] = party.call

    def _locals_paired(self, fact: LocalsPaired) -> None:
        one, two = self.see(fact.one), self.see(fact.two)
        if one is not None and two is not None and one.half is not two:
            self.board.pair(one, two)

    # --- announcements ------------------------------------------------------------------------------------------------

    def _announced(self, fact: Announced) -> None:
        if self.board.has_ended(fact.uniqueid):
            self.board.counters["late_facts"] += 1
            return
        party = self.board.parties.get(fact.uniqueid)
        stale = 0 < fact.at < self._now - STALE_MS
        if party is None and (stale or (self.ami_up and not fact.now)):
            wait = LATE_WAIT_MS if 0 < fact.at < self.ami_up_at else EARLY_WAIT_MS
            self._early[fact.uniqueid] = (fact, self._now + wait)
            return
        if party is None:
            party = self.board.add(fact.uniqueid, fact.linkedid or fact.uniqueid, self._now)
            self.board.rename(party, fact.channel)
            party.known = False
            if self.ami_up:
                self._unknown[fact.uniqueid] = self._now + ANNOUNCED_WAIT_MS
        self._take_announcement(party, fact)

    def _take_announcement(self, party: Party, fact: Announced) -> None:
        party.announced = fact.number
        if party.caller_number is None:
            party.caller_number, party.caller_name = fact.caller_number, fact.caller_name
        if fact.caller is not None and fact.caller_number is not None:
            party.call.callers[fact.caller_number] = fact.caller
        at_once = fact.now or not self.ami_up
        if at_once or party.dialled:
            self._announce(party, at_once=at_once)
        else:
            self._warm(fact)

    def _warm(self, fact: Announced) -> None:
        """Ask now what the card will need at the dial, so that it is in the directory's cache by then."""
        self._warmed += 1
        if is_dialled_number(fact.number):
            self._out.append(AskOwners(ask_id=f"warm-owners-{self._warmed}", number=fact.number))
        if fact.caller_number is not None and fact.caller is None:
            self._out.append(AskCaller(ask_id=f"warm-caller-{self._warmed}", number=fact.caller_number))

    def _announce(self, party: Party, *, at_once: bool = False) -> None:
        """The number that `party` calls counts from now on, if it has one and it is not known already."""
        number = party.announced if party.announced is not None else party.exten
        known = party.announcement
        if not is_dialled_number(number):
            return
        if known is not None and known.number == number and (known.open or not _was_in_vain(known)):
            return
        leg = party.announcement = Leg(LegKind.ANNOUNCED, party, party, number, now=self._now)
        leg.at_once = at_once
        party.call.legs.append(leg)
        self.ownership.resolve(leg, self._now)

    def _never_shown(self, fact: Announced) -> None:
        """AMI has not shown the announced channel. If it was followed since then, no phone rang. If not, the call began
        and ended unseen: its owner gets to know of it, as one that ended nobody knows how.
        """
        self.board.counters["announcements_dropped"] += 1
        if fact.at == 0 or (self.ami_up and fact.at >= self.ami_up_at):
            return
        party = self.board.add(fact.uniqueid, fact.linkedid or fact.uniqueid, self._now)
        party.known = False
        self.board.rename(party, fact.channel)
        self._take_announcement(party, fact)
        self._announce(party, at_once=True)
        if party.announcement is not None:
            party.announcement.began_at = fact.at
        self.lose(party)

    def _give_up_unknown(self, uniqueid: str) -> None:
        """An announcement that was shown at once, but AMI does not know its channel."""
        del self._unknown[uniqueid]
        self.board.counters["announcements_dropped"] += 1
        party = self.board.end(uniqueid, self._now)
        if party is not None:
            self.answering.give_up(party, self._now)
            self._closing[id(party.call)] = party.call

    # --- dials --------------------------------------------------------------------------------------------------------

    def _dial_began(self, fact: DialBegan) -> None:
        source, dest = self.see(fact.source), self.see(fact.dest)
        if dest is None:
            return
        if source is None:
            dest.originated = fact.source is None
            return
        self.board.merge(source.call, dest.call)
        source.dialled = True
        if dest.leg is not None:
            return
        callers = chain(source)
        root = callers[-1]
        if nobody_calls(root):
            text = f"{dest.name}: an Originate that nobody has answered calls it: no card"
            self._out.append(Note(linkedid=dest.call.first_linkedid, uniqueid=dest.uniqueid, text=text))
            return
        self.searches(callers)
        number = leg_number(dest.name, fact.dial_string)
        leg = self.begin(LegKind.DIALLED, dest, source, number, queue=dest.queue or source.queue or root.queue)
        self.group(leg)

    def group(self, leg: Leg) -> None:
        """A leg began: with those that its caller's dial rings beside it, it is a ring group."""
        others = [
            other for other in leg.call.legs if other.source is leg.source and other.trying and other.status is None
        ]
        if any(other.number != leg.number for other in others):
            for other in others:
                other.grouped = True
            self.episodes.touch_legs(others)

    def searches(self, callers: list[Party]) -> None:
        """The chain `callers` dials somebody: from now on the numbers that it was announced for count."""
        for party in reversed(callers):
            if party is callers[-1] or party.announced is not None:
                self._announce(party)
            if party.announcement is not None:
                party.announcement.at_once = False
                party.announcement.gap_since = None

    def begin(
        self,
        kind: LegKind,
        party: Party,
        source: Party,
        number: str | None,
        *,
        queue: str | None,
        fallback: bool = True,
    ) -> Leg:
        """A leg begins at `party`, dialled (or handed over) by `source`."""
        self.board.merge(source.call, party.call)
        leg = party.leg = Leg(kind, party, source, number, now=self._now, fallback=fallback)
        leg.queue = queue
        leg.rang = party.state == _RINGING
        leg.peer_number, leg.peer_name = party.connected_number, party.connected_name
        party.call.legs.append(leg)
        for inner in party.call.legs:  # a Local channel's own dial may be told before the dial that called it
            if party.half is not None and inner.source is party.half and inner.queue is None:
                inner.queue = queue
                self.episodes.touch_legs([inner])
        self.ownership.resolve(leg, self._now)
        if party.bridge is not None:
            self.answering.check(party, self._now)
        return leg

    def _dial_ended(self, fact: DialEnded) -> None:
        self.see(fact.source)
        party = self.see(fact.dest)
        if party is not None and fact.status == "ANSWER":
            party.state = UP
        if party is not None and party.leg is not None:
            self.answering.dial_ended(party.leg, fact.status, fact.forward, self._now)

    # --- bridges ------------------------------------------------------------------------------------------------------

    def _bridge_entered(self, fact: BridgeEntered) -> None:
        party = self.see(fact.channel)
        if party is None:
            return
        if fact.holding:
            self.board.leave(party)
            self.passed_on(party)
            return
        self.board.enter(party, fact.bridge_id, fact.swap)
        self._connected(party)

    def _connected(self, party: Party) -> None:
        """`party` is in a bridge with others, perhaps."""
        for phone in who_hear_each_other(party):
            announcement = phone.announcement
            if announcement is not None and announcement.at_once and announcement.open:
                self._take_those_with(phone)
        self.answering.check(party, self._now)

    def _take_those_with(self, caller: Party) -> None:
        """A dialplan without Dial: whoever the announced caller is connected with, has answered."""
        for phone in who_hear_each_other(caller):
            if phone is not caller and phone.leg is None and phone.announcement is None:
                self.begin(LegKind.TAKEN, phone, caller, endpoint(phone.name), queue=None)

    def _bridge_left(self, fact: BridgeLeft) -> None:
        party = self.see(fact.channel)
        if party is not None:
            self.board.leave(party, fact.bridge_id)
            self.passed_on(party)

    def passed_on(self, party: Party) -> None:
        """End the leg at `party` if its owner has transferred the call and it is out of the bridge."""
        leg = party.leg
        if leg is not None and leg.open and leg.transferred and party.bridge is None:
            self.answering.finish(leg, Reason.TRANSFERRED, self._now)

    def _bridges_merged(self, fact: BridgesMerged) -> None:
        moved = self.board.merge_bridges(fact.from_bridge_id, fact.to_bridge_id)
        if moved is not None:
            self._connected(moved)

    # --- transfers, pickup, parking -----------------------------------------------------------------------------------

    def _transferred(self, party: Party | None) -> None:
        """Its owner has passed the call on: his leg ends as transferred as soon as it is out of the bridge."""
        if party is None or party.leg is None or not party.leg.open or party.leg.talked_at is None:
            return
        party.leg.transferred = True
        self.passed_on(party)

    def _blind_transferred(self, fact: BlindTransferred) -> None:
        transferer, transferee = self.see(fact.transferer, stale=True), self.see(fact.transferee, stale=True)
        if transferee is not None:
            transferee.announced = fact.extension or ""
            transferee.announcement = None
            transferee.queue = None
        self._transferred(transferer)

    def _attended_transferred(self, fact: AttendedTransferred) -> None:
        first, second = self.see(fact.first, stale=True), self.see(fact.second, stale=True)
        transferee = self.see(fact.transferee, stale=True)
        self.see(fact.target, stale=True)
        if fact.dest_type in ("Fail", "Threeway"):
            return
        if first is not None and second is not None:
            self.board.merge(first.call, second.call)
            self.episodes.touch_legs(first.call.legs)
        if second is not None and transferee is not None:
            for leg in second.call.legs:
                if leg.source is second and leg.party is not transferee:
                    leg.source = transferee
        self._transferred(first)
        self._transferred(second)

    def _picked_up(self, fact: PickedUp) -> None:
        picker, target = self.see(fact.picker), self.board.parties.get(fact.target.uniqueid)
        if picker is None or target is None or target.leg is None or target.leg.source is None:
            return
        self.board.merge(picker.call, target.call)
        if picker.leg is None:
            leg = target.leg
            source = target.leg.source
            number = endpoint(picker.name)
            taken = self.begin(LegKind.TAKEN, picker, source, number, queue=leg.queue, fallback=False)
            taken.grouped = leg.grouped

    def _parked(self, fact: Parked) -> None:
        parkee = self.see(fact.parkee)
        if parkee is None or fact.parker_dial_string is None:
            return
        for leg in list(parkee.call.legs):
            if leg.party.name.startswith(fact.parker_dial_string + "-") and leg.party is not parkee:
                self._transferred(leg.party)

    def _unparked(self, fact: Unparked) -> None:
        parkee, retriever = self.see(fact.parkee), self.see(fact.retriever)
        if parkee is None or retriever is None:
            return
        self.board.merge(parkee.call, retriever.call)
        if retriever.leg is None:
            self.begin(LegKind.TAKEN, retriever, parkee, endpoint(retriever.name), queue=None, fallback=False)

    # --- queues -------------------------------------------------------------------------------------------------------

    def _queue_joined(self, fact: QueueJoined) -> None:
        party = self.see(fact.channel)
        if party is not None:
            party.queue = fact.queue

    def _queue_left(self, fact: QueueLeft) -> None:
        party = self.see(fact.channel)
        if party is not None:
            party.queue = None

    def _agent_called(self, fact: AgentCalled) -> None:
        party = self.see(fact.dest)
        if party is not None:
            party.queue = fact.queue

    # --- the AMI connection -------------------------------------------------------------------------------------------

    def _ami_is_up(self, _: AmiUp) -> None:
        self.ami_up, self.ami_up_at = True, self._now

    def _ami_is_down(self, _: AmiDown) -> None:
        self.ami_up = False
        early = [fact for fact, _until in self._early.values()]
        self._early.clear()
        self._unknown.clear()
        for fact in early:
            self._announced(fact)

    def _pbx_has_started(self, fact: PbxStarted) -> None:
        if fact.started == self.pbx_started:
            return
        if self.pbx_started is not None:
            for party in [p for p in self.board.parties.values() if p.created_at < self.ami_up_at]:
                self.lose(party)
        self.pbx_started = fact.started
        self._out.append(PbxSeen(started=fact.started))

    def _channels_listed(self, fact: ChannelsListed) -> None:
        resync.apply(self, fact, self._now)

    def lose(self, party: Party) -> None:
        """The channel is gone, and nobody knows how."""
        self.board.counters["channels_lost"] += party.seen_at > 0  # a restored one may have ended long ago
        self.board.end(party.uniqueid, self._now)
        self.answering.give_up(party, self._now)
        self._closing[id(party.call)] = party.call

    # --- the directory ------------------------------------------------------------------------------------------------

    def _owners_found(self, fact: OwnersFound) -> None:
        for leg in self.ownership.found(fact.ask_id, fact.owners, self._now):
            self._closing[id(leg.call)] = leg.call

    def _caller_found(self, fact: CallerFound) -> None:
        self.episodes.caller_found(fact.ask_id, fact.caller)

    def _lookup_failed(self, fact: LookupFailed) -> None:
        self.ownership.failed(fact.ask_id, self._now)
        self.episodes.caller_failed(fact.ask_id, self._now)


def _was_in_vain(announcement: Leg) -> bool:
    """Whether it ended because nothing rang for a while, and no phone of its owners was tried: it may ring again."""
    reached = [leg for episode in announcement.episodes for leg in episode.answering if leg is not announcement]
    return announcement.reason is Reason.MISSED and all(leg.by_announcement for leg in reached)


def _consults(leg: Leg) -> bool:
    """Whether its owner talks to somebody else while the caller waits for him in another bridge.

    A consultation by feature code: his phone then shows whom he consults, but the card stays the caller's.
    """
    caller = leg.root
    if leg.talked_at is None or caller.is_local or caller.bridge is None or leg.party.bridge is None:
        return False
    return caller not in who_hear_each_other(leg.party)
