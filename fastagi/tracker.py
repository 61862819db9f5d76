"""The call tracker: facts and time in, changes out. Pure, and the only place that knows what a call is.

docs/tracker.md explains how it decides. This file takes each fact to where it belongs: channels and bridges to
`fastagi.switchboard`, the life of legs to `fastagi.answering`, owners to `fastagi.ownership`, what an owner sees to
`fastagi.episodes`.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from fastagi import restoring, resync, transfers
from fastagi.announcements import Announcements
from fastagi.answering import Answering
from fastagi.endpoints import endpoint, leg_number
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
from fastagi.records import Changed, Note, Output, PbxSeen, Record
from fastagi.switchboard import (
    REMEMBER_ENDED_MS,
    UP,
    Party,
    PhoneCall,
    Switchboard,
    chain,
    nobody_calls,
    who_hear_each_other,
)

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

    `given_up` counts phone calls that waited for their owners when there were too many of them.

    `now` is always ms, Unix, never going back (one wall-clock anchor plus the monotonic clock).
    """

    def __init__(self, *, pbx: str, new_id: Callable[[], str], ring_watchdog_ms: int = 120_000) -> None:
        """`new_id` makes call ids; `ring_watchdog_ms` ends a ringing card of which nothing is heard for so long."""
        self._out: list[Output] = []
        self.now = 0
        self._watchdog_ms = ring_watchdog_ms
        self._watched_at = 0
        self.ami_up = False
        self.ami_up_at = 0
        self.pbx_started: str | None = None
        self.given_up = 0
        self.board = Switchboard()
        self.episodes = Episodes(pbx=pbx, new_id=new_id, out=self._out)
        self.answering = Answering(self.episodes, note=self._note)
        self.ownership = Ownership(self.episodes, new_id=new_id, out=self._out, note=self._note)
        self.announcements = Announcements(self)
        self._closing: dict[int, PhoneCall] = {}
        self.asleep: dict[str, list[Changed]] = {}
        self.awake: set[str] = set()
        """Calls of an earlier run that are over, by their channels, until one of these is heard of; those that were."""
        self._asleep_until: int | None = None
        self._handlers: dict[type[Any], Callable[[Any], None]] = {
            Announced: self.announcements.heard,
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
            BlindTransferred: partial(transfers.blind, self),
            AttendedTransferred: partial(transfers.attended, self),
            PickedUp: partial(transfers.picked_up, self),
            Parked: partial(transfers.parked, self),
            Unparked: partial(transfers.unparked, self),
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
        self.now = now
        if self.asleep:
            restoring.wake(self, fact)
        handler = self._handlers.get(type(fact))
        if handler is None:
            self.board.counters["unknown_facts"] += 1
            return []
        handler(fact)
        return self._finish()

    def tick(self, *, now: int) -> list[Output]:
        """What follows from time alone: watchdog, repeated lookups, announcements that nothing came of."""
        self.now = now
        self.answering.tick(now)
        self.episodes.tick(now)
        self.ownership.tick(now)
        for call in self.ownership.give_up_oldest():
            self.given_up += 1
            self._closing[id(call)] = call
        self.board.forget_ended(now)
        self.announcements.tick()
        if self.asleep and self._asleep_until is not None and now >= self._asleep_until:
            self.asleep.clear()
            self.awake.clear()
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
    def unresolved(self) -> int:
        """Legs that wait for a directory that could not tell their owners yet."""
        return self.ownership.waiting

    @property
    def counters(self) -> dict[str, int]:
        """What was seen and skipped, by name, for the metrics."""
        return dict(self.board.counters)

    @property
    def size(self) -> int:
        """How many channels, legs, calls, questions and remembered uniqueids are held: zero when all is over."""
        legs = sum(len(call.legs) for call in set(self.board.calls.values()))
        waiting = len(self.answering) + len(self.ownership) + len(self.episodes.callers)
        return self.board.size + legs + waiting + len(self.episodes.live) + len(self.announcements)

    def _finish(self) -> list[Output]:
        """Say what has changed, and let go of what is over."""
        while True:
            self.ownership.keep_unresolved([*self.answering.changed, *self.board.merged])
            self.answering.changed.clear()
            self.board.merged.clear()
            ended = self.episodes.review(self.now)
            if not ended:
                break
            for episode in ended:
                self.answering.close_announcements(episode.legs, self.now)
                call = episode.legs[0].call
                self._closing[id(call)] = call
        for episode in self.episodes.said:
            self.ownership.told(episode)
        self.episodes.said.clear()
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
                self.board.end(party.uniqueid, self.now)
                self.announcements.forget(party.uniqueid)
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
        seen = self.board.see(channel, self.now, stale=stale) if channel is not None else None
        if seen is None:
            return None
        party, changed = seen
        leg = party.leg
        if leg is not None and leg.open:
            leg.rang = leg.rang or party.state == _RINGING
            if changed and not _consults(leg):
                leg.peer_number, leg.peer_name = party.connected_number, party.connected_name
                self.episodes.touch_legs([leg])
        self.announcements.shown(party)
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
            party.seen_at = self.now

    def _hung_up(self, fact: HungUp) -> None:
        uniqueid = fact.channel.uniqueid
        party = self.board.end(uniqueid, self.now)
        if party is None:
            self.board.counters["unknown_hangups"] += 1
            self.announcements.hung_up(uniqueid, None)
            return
        self.announcements.hung_up(uniqueid, party)
        self.answering.hung_up(party, fact.cause, self.now)
        self._closing[id(party.call)] = party.call

    def _locals_paired(self, fact: LocalsPaired) -> None:
        one, two = self.see(fact.one), self.see(fact.two)
        if one is not None and two is not None and one.half is not two:
            self.board.pair(one, two)

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
        self.announcements.dialled(callers)
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
        leg = party.leg = Leg(kind, party, source, number, now=self.now, fallback=fallback)
        leg.queue = queue
        leg.rang = party.state == _RINGING
        leg.peer_number, leg.peer_name = party.connected_number, party.connected_name
        party.call.legs.append(leg)
        for inner in party.call.legs:  # a Local channel's own dial may be told before the dial that called it
            if party.half is not None and inner.source is party.half and inner.queue is None:
                inner.queue = queue
                self.episodes.touch_legs([inner])
        self.ownership.resolve(leg, self.now)
        if party.bridge is not None:
            self.answering.check(party, self.now)
        return leg

    def _dial_ended(self, fact: DialEnded) -> None:
        self.see(fact.source)
        party = self.see(fact.dest)
        if party is not None and fact.status == "ANSWER":
            party.state = UP
        if party is not None and party.leg is not None:
            self.answering.dial_ended(party.leg, fact.status, fact.forward, self.now)

    # --- bridges ------------------------------------------------------------------------------------------------------

    def _bridge_entered(self, fact: BridgeEntered) -> None:
        party = self.see(fact.channel)
        if party is None:
            return
        if fact.holding:
            self.board.leave(party)
            transfers.passed_on(self, party)
            return
        self.board.enter(party, fact.bridge_id, fact.swap)
        self._connected(party)

    def _connected(self, party: Party) -> None:
        """`party` is in a bridge with others, perhaps."""
        for phone in who_hear_each_other(party):
            announcement = phone.announcement
            if announcement is not None and announcement.at_once and announcement.open:
                self._take_those_with(phone)
        self.answering.check(party, self.now)

    def _take_those_with(self, caller: Party) -> None:
        """A dialplan without Dial: whoever the announced caller is connected with, has answered."""
        for phone in who_hear_each_other(caller):
            if phone is not caller and phone.leg is None and phone.announcement is None:
                self.begin(LegKind.TAKEN, phone, caller, endpoint(phone.name), queue=None)

    def _bridge_left(self, fact: BridgeLeft) -> None:
        party = self.see(fact.channel)
        if party is not None:
            self.board.leave(party, fact.bridge_id)
            transfers.passed_on(self, party)

    def _bridges_merged(self, fact: BridgesMerged) -> None:
        moved = self.board.merge_bridges(fact.from_bridge_id, fact.to_bridge_id)
        if moved is not None:
            self._connected(moved)

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
        self.ami_up, self.ami_up_at = True, self.now
        self.answering.unlisted_since = self.now

    def _ami_is_down(self, _: AmiDown) -> None:
        self.ami_up = False
        self.announcements.ami_is_down()

    def _pbx_has_started(self, fact: PbxStarted) -> None:
        if fact.started == self.pbx_started:
            return
        if self.pbx_started is not None:
            for party in [p for p in self.board.parties.values() if p.created_at < self.ami_up_at]:
                self.gone(party)  # AMI ended with the PBX, so nothing was dialled unheard
        self.pbx_started = fact.started
        self._out.append(PbxSeen(started=fact.started))

    def _channels_listed(self, fact: ChannelsListed) -> None:
        resync.apply(self, fact, self.now)
        self.announcements.listed(fact.asked_at)
        if fact.asked_at >= self.ami_up_at + resync.APART_MS:
            self.answering.unlisted_since = None
            if self._asleep_until is None:
                self._asleep_until = self.now + REMEMBER_ENDED_MS

    def lose(self, party: Party) -> None:
        """The channel is gone, and nobody knows how."""
        self.board.counters["channels_lost"] += party.seen_at > 0  # a restored one may have ended long ago
        self.announcements.lost(party)
        self.gone(party)

    def gone(self, party: Party) -> None:
        """The channel is over without a Hangup; what rang or talked there ends as unknown."""
        self.board.end(party.uniqueid, self.now)
        self.answering.give_up(party, self.now)
        self._closing[id(party.call)] = party.call

    # --- the directory ------------------------------------------------------------------------------------------------

    def _owners_found(self, fact: OwnersFound) -> None:
        for leg in self.ownership.found(fact.ask_id, fact.owners, self.now):
            self._closing[id(leg.call)] = leg.call

    def _caller_found(self, fact: CallerFound) -> None:
        self.episodes.caller_found(fact.ask_id, fact.caller)

    def _lookup_failed(self, fact: LookupFailed) -> None:
        self.ownership.failed(fact.ask_id, self.now)
        self.episodes.caller_failed(fact.ask_id, self.now)


def _consults(leg: Leg) -> bool:
    """Whether its owner talks to somebody else while the caller waits for him in another bridge.

    A consultation by feature code: his phone then shows whom he consults, but the card stays the caller's.
    """
    caller = leg.root
    if leg.talked_at is None or caller.is_local or caller.bridge is None or leg.party.bridge is None:
        return False
    return caller not in who_hear_each_other(leg.party)
