"""The PBX's channels as a graph: who is bridged with whom, which Local halves belong together, what is one phone call.

Pure, and without an idea of owners or cards: `fastagi.legs` and `fastagi.tracker` stand on it.
"""

from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from fastagi.endpoints import local_pair
from fastagi.facts import Channel
from zvonok.call import Caller

if TYPE_CHECKING:
    from fastagi.legs import Leg

REMEMBER_ENDED_MS: Final = 60_000
UP: Final = 6
_DEEPEST_CHAIN: Final = 16


class PhoneCall:
    """Everything that grew out of one call: its channels (by uniqueid), legs, linkedids, and who has which number.

    Linkedids change in mid-call, so they only group: calls that turn out to be one are merged into the older.
    """

    __slots__ = ("callers", "first_linkedid", "legs", "linkedids", "number", "parties")

    def __init__(self, number: int, linkedid: str) -> None:
        self.number = number
        self.first_linkedid = linkedid
        self.linkedids = {linkedid}
        self.parties: dict[str, Party] = {}
        self.legs: list[Leg] = []
        self.callers: dict[str, Caller] = {}


class Party:
    """A channel, as far as it is known. `call` is the phone call it belongs to.

    `known` is false while only an announcement speaks of it, not AMI. `dialled` says that it has called somebody,
    `originated` that an Originate calls it, `exten` what it dialled (from Newchannel), `announced` what AGI (or a
    blind transfer) says that it calls, and `announced_at` when AGI said so. `missing_since`: asked_at of the first list
    without it. `waits_as`: the name by which the other half of a Local channel will find it.
    """

    __slots__ = (
        "announced",
        "announced_at",
        "announcement",
        "bridge",
        "call",
        "caller_name",
        "caller_number",
        "connected_name",
        "connected_number",
        "created_at",
        "dialled",
        "exten",
        "half",
        "hung",
        "is_local",
        "known",
        "leg",
        "linkedid",
        "missing_since",
        "name",
        "originated",
        "queue",
        "seen_at",
        "state",
        "uniqueid",
        "waits_as",
    )

    def __init__(self, uniqueid: str, linkedid: str, call: PhoneCall, now: int) -> None:
        self.uniqueid = uniqueid
        self.linkedid = linkedid
        self.call = call
        self.created_at = now
        self.seen_at = now
        self.name = ""
        self.waits_as: str | None = None
        self.is_local = False
        self.state: int | None = None
        self.caller_number: str | None = None
        self.caller_name: str | None = None
        self.connected_number: str | None = None
        self.connected_name: str | None = None
        self.exten: str | None = None
        self.announced: str | None = None
        self.announced_at = now
        self.announcement: Leg | None = None
        self.queue: str | None = None
        self.bridge: Bridge | None = None
        self.half: Party | None = None
        self.leg: Leg | None = None
        self.dialled = False
        self.originated = False
        self.known = True
        self.hung = False
        self.missing_since: int | None = None


class Bridge:
    """The channels that hear each other."""

    __slots__ = ("bridge_id", "members")

    def __init__(self, bridge_id: str) -> None:
        self.bridge_id = bridge_id
        self.members: dict[str, Party] = {}


class Switchboard:
    """All channels, bridges and phone calls of one PBX at this moment."""

    def __init__(self) -> None:
        self.parties: dict[str, Party] = {}
        self.bridges: dict[str, Bridge] = {}
        self.calls: dict[str, PhoneCall] = {}
        self.counters: Counter[str] = Counter()
        self.merged: list[Leg] = []
        """Legs that came into another phone call since this was last cleared."""
        self._locals: dict[str, Party] = {}
        self._ended: dict[str, int] = {}
        self._ended_order: deque[tuple[int, str]] = deque()
        self._number = 0

    @property
    def size(self) -> int:
        """How many objects are held."""
        parts = (self.parties, self.bridges, self.calls, self._locals, self._ended)
        return sum(len(part) for part in parts)

    # --- channels -----------------------------------------------------------------------------------------------------

    def see(self, channel: Channel, now: int, *, stale: bool = False) -> tuple[Party, bool] | None:
        """The channel's party brought up to date, and whether who it is connected with changed.

        `stale`: the event shows the channel as it was a while before (AttendedTransfer does), so only that it lives
        counts. None if this channel has already ended: the fact comes late and counts for nothing.
        """
        party = self.parties.get(channel.uniqueid)
        if party is None:
            if channel.uniqueid in self._ended:
                self.counters["late_facts"] += 1
                return None
            party = self.add(channel.uniqueid, channel.linkedid or channel.uniqueid, now)
            stale = False
        party.known = True
        party.seen_at = now
        party.missing_since = None
        if stale:
            return party, False
        if channel.linkedid and channel.linkedid != party.linkedid:
            self._relink(party, channel.linkedid)
        if channel.name and channel.name != party.name:
            self.rename(party, channel.name)
        if channel.state is not None:
            party.state = channel.state
        if channel.caller_number is not None:
            party.caller_number, party.caller_name = channel.caller_number, channel.caller_name
        number, name = channel.connected_number, channel.connected_name
        if number is None or (number == party.connected_number and name == party.connected_name):
            return party, False
        party.connected_number, party.connected_name = number, name
        return party, True

    def add(self, uniqueid: str, linkedid: str, now: int) -> Party:
        """A new party, in the phone call that its linkedid names."""
        party = Party(uniqueid, linkedid, self.call_of(linkedid), now)
        self.parties[uniqueid] = party
        party.call.parties[uniqueid] = party
        return party

    def rename(self, party: Party, name: str) -> None:
        """Give the channel its name; the halves of a Local channel find each other by it."""
        first = not party.name
        party.name = name
        party.is_local = name[:6].lower() == "local/"
        pair = local_pair(name) if first else None
        if pair is not None and party.half is None:
            other = self._locals.pop(pair[0], None)
            if other is None or other is party:
                self._locals[pair[0]] = party
                party.waits_as = pair[0]  # whatever it will be renamed to
            else:
                self.pair(party, other)

    def pair(self, one: Party, two: Party) -> None:
        """The two are halves of one Local channel."""
        one.half, two.half = two, one
        self.merge(one.call, two.call)

    def end(self, uniqueid: str, now: int) -> Party | None:
        """The channel is gone; late facts about it will be ignored. Its party, if it was known."""
        if uniqueid not in self._ended:
            self._ended[uniqueid] = now
            self._ended_order.append((now, uniqueid))
        party = self.parties.pop(uniqueid, None)
        if party is None:
            return None
        self.leave(party)
        party.hung = True
        party.call.parties.pop(uniqueid, None)
        if party.waits_as is not None and self._locals.get(party.waits_as) is party:
            del self._locals[party.waits_as]
        return party

    def has_ended(self, uniqueid: str) -> bool:
        """Whether this channel ended within the last minute."""
        return uniqueid in self._ended

    def forget_ended(self, now: int) -> None:
        """Drop the memory of channels that ended a minute ago."""
        order = self._ended_order
        while order and order[0][0] + REMEMBER_ENDED_MS <= now:
            del self._ended[order.popleft()[1]]

    # --- phone calls --------------------------------------------------------------------------------------------------

    def call_of(self, linkedid: str) -> PhoneCall:
        """The phone call that has this linkedid, a new one if none has."""
        call = self.calls.get(linkedid)
        if call is None:
            self._number += 1
            call = self.calls[linkedid] = PhoneCall(self._number, linkedid)
        return call

    def _relink(self, party: Party, linkedid: str) -> None:
        party.linkedid = linkedid
        other = self.calls.get(linkedid)
        if other is None:
            self.calls[linkedid] = party.call
            party.call.linkedids.add(linkedid)
        else:
            self.merge(party.call, other)

    def merge(self, one: PhoneCall, two: PhoneCall) -> PhoneCall:
        """Both are one phone call: the older takes up the younger."""
        if one is two:
            return one
        older, younger = (one, two) if one.number < two.number else (two, one)
        for linkedid in younger.linkedids:
            self.calls[linkedid] = older
        older.linkedids |= younger.linkedids
        for party in younger.parties.values():
            party.call = older
        older.parties |= younger.parties
        for leg in younger.legs:
            leg.call = older
        older.legs += younger.legs
        self.merged += younger.legs
        older.callers |= younger.callers
        return older

    def drop(self, call: PhoneCall) -> None:
        """The phone call is over."""
        for linkedid in call.linkedids:
            self.calls.pop(linkedid, None)

    # --- bridges ------------------------------------------------------------------------------------------------------

    def enter(self, party: Party, bridge_id: str, swap: str | None = None) -> None:
        """`party` is now in this bridge and in no other; `swap` is out of it."""
        bridge = self.bridges.get(bridge_id)
        if bridge is None:
            bridge = self.bridges[bridge_id] = Bridge(bridge_id)
        if party.bridge is not bridge:
            self.leave(party)
            self.bridges.setdefault(bridge_id, bridge)
            party.bridge = bridge
            bridge.members[party.uniqueid] = party
        if swap is not None and swap != party.uniqueid and (out := bridge.members.get(swap)) is not None:
            self.leave(out)

    def leave(self, party: Party, bridge_id: str | None = None) -> None:
        """`party` is out of its bridge, or only out of the one named."""
        bridge = party.bridge
        if bridge is None or (bridge_id is not None and bridge.bridge_id != bridge_id):
            return
        party.bridge = None
        bridge.members.pop(party.uniqueid, None)
        if not bridge.members:
            self.bridges.pop(bridge.bridge_id, None)

    def merge_bridges(self, source_id: str, target_id: str) -> Party | None:
        """Move everybody; one of those moved."""
        source = self.bridges.get(source_id)
        moved = list(source.members.values()) if source is not None else []
        for party in moved:
            self.enter(party, target_id)
        return moved[0] if moved else None


def is_phone(party: Party) -> bool:
    """Whether somebody (or an application) is at this end: a device, or a Local channel that leads nowhere else."""
    if not party.is_local:
        return True
    half = party.half
    return half is not None and half.bridge is None and half.leg is None and not half.dialled


def who_hear_each_other(party: Party) -> list[Party]:
    """The phones connected with `party` through bridges and Local channels, itself included if it is bridged."""
    if party.bridge is None:
        return []
    seen = {party.uniqueid}
    todo = [party]
    phones = []
    while todo:
        one = todo.pop()
        if one.bridge is not None:
            if is_phone(one):
                phones.append(one)
            near = [member for member in one.bridge.members.values() if member.uniqueid not in seen]
            seen.update(member.uniqueid for member in near)
            todo += near
        if one.half is not None and one.half.uniqueid not in seen:
            seen.add(one.half.uniqueid)
            todo.append(one.half)
    return phones


def chain(source: Party) -> list[Party]:
    """Who calls, from the channel that dials back through Local channels to the real caller, who is the last."""
    out = [source]
    party = source
    while len(out) < _DEEPEST_CHAIN and party.is_local and party.half is not None and party.half.leg is not None:
        before = party.half.leg.source
        if before is None or before in out:
            break
        out.append(before)
        party = before
    return out


def nobody_calls(caller: Party) -> bool:
    """Whether the chain ends in an Originate that has not been answered yet: then no person calls."""
    halves = (caller, caller.half)
    return any(party is not None and party.originated and party.state != UP for party in halves)
