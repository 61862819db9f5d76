"""A small telephone exchange that says what Asterisk would: for generated call graphs, which no recording has.

It knows by itself who must see what (`cards`), from who rings and who is connected, never from our tracker.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from fastagi.facts import Channel, ChannelsListed, Fact, ListedChannel
from tests.pbx_words import (
    Pbx,
    announced,
    attended,
    blind,
    changed,
    dial,
    dial_end,
    enter,
    hangup,
    leave,
    new,
    pickup,
)


@dataclass(eq=False)
class Leg:
    """A phone that rings for a call, or talks in it (`up`)."""

    phone: str
    channel: Channel
    up: bool = False

    def __repr__(self) -> str:
        return f"{self.phone}{' talks' if self.up else ''}"


@dataclass(eq=False)
class Call:
    """One caller. `called`: the number that he dialled or was sent to; `tried`: the phones that were tried for it.

    `taken`: somebody took the call who was not tried, so the number's owners are out of it.
    """

    caller: Channel
    called: str
    bridge: str
    legs: list[Leg] = field(default_factory=list)
    tried: set[str] = field(default_factory=set)
    taken: bool = False

    def __repr__(self) -> str:
        return f"<{self.caller.uniqueid} to {self.called}: {self.legs}>"

    @property
    def talking(self) -> Leg | None:
        return next((leg for leg in self.legs if leg.up), None)

    @property
    def ringing(self) -> list[Leg]:
        return [leg for leg in self.legs if not leg.up]


class Exchange:
    """Calls between callers from outside and phones. Each method gives the facts of what it does, in Asterisk's order.

    `owners`: whose a number is. Numbers of phones are those that `dial` is given.
    """

    def __init__(self, owners: dict[str, tuple[int, ...]]) -> None:
        self.owners = owners
        self.calls: list[Call] = []
        self._pbx = Pbx()
        self._bridges = 0

    def busy(self, phone: str) -> bool:
        """Whether the phone is in some call already."""
        return any(leg.phone == phone for call in self.calls for leg in call.legs)

    def begin(self, number: str, *, announce: bool, late: bool) -> Iterator[Fact]:
        """Somebody from outside calls `number`; the announcement comes before or after AMI's word."""
        self._bridges += 1
        caller = self._pbx.caller(exten=number)
        self.calls.append(Call(caller, number, f"b{self._bridges}"))
        facts: list[Fact] = [new(caller)]
        if announce:
            facts.insert(len(facts) if late else 0, announced(caller, number))
        yield from facts

    def dial(self, call: Call, phones: list[str]) -> Iterator[Fact]:
        """The dialplan tries these phones."""
        call.tried.update(phones)
        for phone in phones:
            channel = self._pbx.channel(f"PJSIP/{phone}", of=call.caller, shows=call.caller.caller_number)
            call.legs.append(Leg(phone, channel))
            yield new(channel)
            yield dial(call.caller, channel, phone)

    def ring(self, leg: Leg) -> Iterator[Fact]:
        """180 Ringing."""
        leg.channel = msgspec.structs.replace(leg.channel, state=5)
        yield changed(leg.channel)

    def answer(self, call: Call, leg: Leg, *, queue: bool) -> Iterator[Fact]:
        """`leg` answers. A Dial cancels the others before the winner's ANSWER, a queue after it, and says it twice."""
        others = [other for other in call.legs if other is not leg]
        cancels = [fact for other in others for fact in self._lose(call, other, twice=queue)]
        leg.channel = msgspec.structs.replace(leg.channel, state=6)
        won = [changed(leg.channel), dial_end(call.caller, leg.channel, "ANSWER")]
        yield from (*won, *cancels) if queue else (*cancels, *won)
        yield enter(call.caller, call.bridge)
        yield enter(leg.channel, call.bridge)
        leg.up = True
        call.legs = [leg]

    def _lose(self, call: Call, leg: Leg, *, twice: bool = False) -> Iterator[Fact]:
        for _ in range(1 + twice):
            yield dial_end(call.caller, leg.channel, "CANCEL")
        yield hangup(leg.channel, 26)

    def refuse(self, call: Call, leg: Leg, status: str, cause: int) -> Iterator[Fact]:
        """The phone is busy, declines, or nobody answers it."""
        call.legs.remove(leg)
        yield dial_end(call.caller, leg.channel, status)
        yield hangup(leg.channel, cause)

    def give_up(self, call: Call) -> Iterator[Fact]:
        """The caller hangs up, whatever the call was doing."""
        self.calls.remove(call)
        for leg in call.legs:
            if leg.up:
                yield leave(leg.channel, call.bridge)
                yield leave(call.caller, call.bridge)
            else:
                yield dial_end(call.caller, leg.channel, "CANCEL")
            yield hangup(leg.channel, 16 if leg.up else 127)
        yield hangup(call.caller, 16)

    def blind(self, call: Call, target: str) -> Iterator[Fact]:
        """Whoever talks sends the caller to `target`."""
        leg = call.talking
        assert leg is not None
        call.legs = []
        call.called, call.tried, call.taken = target, set(), False
        call.caller = msgspec.structs.replace(call.caller, exten=target)
        yield blind(leg.channel, call.caller, target)
        yield leave(leg.channel, call.bridge)
        yield leave(call.caller, call.bridge)
        yield hangup(leg.channel, 16)
        yield from self.dial(call, [target])

    def consult(self, call: Call, target: str) -> Iterator[Fact]:
        """Whoever talks asks a colleague, who answers, and connects him with the caller (REFER with Replaces)."""
        leg = call.talking
        assert leg is not None
        self._bridges += 1
        bridge = f"b{self._bridges}"
        second = self._pbx.channel(f"PJSIP/{leg.phone}", exten=target, number=leg.phone, state=4)
        theirs = self._pbx.channel(f"PJSIP/{target}", of=second, shows=leg.phone)
        up = msgspec.structs.replace(theirs, state=6)
        yield new(second)
        yield new(theirs)
        yield dial(second, theirs, target)
        yield dial_end(second, up, "ANSWER")
        yield enter(second, bridge)
        yield enter(up, bridge)
        shows = msgspec.structs.replace(up, connected_number=call.caller.caller_number)
        yield enter(call.caller, bridge, second)
        yield attended(leg.channel, second, call.caller, up)
        yield changed(shows)
        yield leave(leg.channel, call.bridge)
        yield hangup(second, 16)
        yield hangup(leg.channel, 16)
        call.bridge, call.called, call.taken = bridge, target, True
        call.legs = [Leg(target, shows, up=True)]

    def pick_up(self, call: Call, leg: Leg, phone: str) -> Iterator[Fact]:
        """`phone` takes the call that rings at `leg`."""
        picker = self._pbx.channel(f"PJSIP/{phone}", exten="*8", number=phone, state=6)
        yield new(picker)
        yield pickup(picker, leg.channel)
        for other in call.legs:
            if other is not leg:
                yield from self._lose(call, other)
        yield dial_end(call.caller, picker, "ANSWER")
        yield hangup(leg.channel, 26)
        yield enter(call.caller, call.bridge)
        yield enter(picker, call.bridge)
        call.legs, call.taken = [Leg(phone, picker, up=True)], True

    def listed(self, asked_at: int) -> ChannelsListed:
        """CoreShowChannels."""
        rows = []
        for call in self.calls:
            bridge = call.bridge if call.talking else None
            rows.append(
                ListedChannel(channel=call.caller, application="Dial" if call.tried else None, bridge_id=bridge)
            )
            rows += (
                ListedChannel(channel=leg.channel, application="AppDial", bridge_id=bridge if leg.up else None)
                for leg in call.legs
            )
        return ChannelsListed(rows=tuple(rows), asked_at=asked_at)

    def cards(self, user: int) -> list[str]:
        """The states of the live cards that this user must see, in alphabetical order, once nothing is on its way."""
        found = []
        for call in self.calls:
            own = [leg for leg in call.legs if user in self.owners.get(leg.phone, ())]
            if any(leg.up for leg in own):
                found.append("talking")
            elif own:
                found.append("ringing")
            elif user in self.owners.get(call.called, ()) and not call.taken:
                found += self._by_number(call, user)
        return sorted(found)

    def _by_number(self, call: Call, user: int) -> list[str]:
        """What the called number's owner sees: all who ring, until his own phone was tried; then nobody's phones."""
        nobodys = [leg for leg in call.legs if not self.owners.get(leg.phone)]
        if call.talking is not None:
            return ["talking"] if call.talking in nobodys else []
        tried = any(user in self.owners.get(phone, ()) for phone in call.tried)
        return ["ringing"] if (nobodys if tried else call.ringing) else []
