"""Hand-made event streams in Asterisk's order (notes of real runs), for scenarios of which no recording exists.

A `Pbx` makes facts as `fastagi.ami_facts` would from Asterisk 12 and later: each with the whole snapshot of a channel.
"""

from itertools import count

from fastagi.facts import (
    Announced,
    AttendedTransferred,
    BlindTransferred,
    BridgeEntered,
    BridgeLeft,
    Channel,
    ChannelChanged,
    ChannelNew,
    DialBegan,
    DialEnded,
    Fact,
    HungUp,
    PickedUp,
    QueueJoined,
    QueueLeft,
)


class Pbx:
    """Makes channels and the facts about them."""

    def __init__(self, epoch: int = 1700000000) -> None:
        self._epoch = epoch
        self._serial = count(1)

    def channel(
        self,
        name: str,
        *,
        of: Channel | None = None,
        exten: str | None = None,
        number: str | None = None,
        shows: str | None = None,
        state: int = 0,
    ) -> Channel:
        """A channel named `name` (a serial is added); `of`: the channel whose call it belongs to; `shows`: its
        connected line."""
        serial = next(self._serial)
        uniqueid = f"{self._epoch}.{serial}"
        full = name if name.endswith((";1", ";2")) else f"{name}-{serial:08x}"
        return Channel(
            uniqueid=uniqueid,
            linkedid=of.linkedid if of is not None else uniqueid,
            name=full,
            state=state,
            exten=exten,
            caller_number=number,
            connected_number=shows,
        )

    def caller(self, number: str | None = "89271390907", *, exten: str = "101", name: str = "PJSIP/trunk") -> Channel:
        """A channel that calls `exten`."""
        return self.channel(name, exten=exten, number=number, state=4)


def new(channel: Channel) -> Fact:
    """Newchannel."""
    return ChannelNew(channel=channel)


def changed(channel: Channel) -> Fact:
    """Newstate, NewConnectedLine."""
    return ChannelChanged(channel=channel)


def announced(channel: Channel, number: str, *, now: bool = False, at: int = 0) -> Fact:
    """The dialplan announces `number`, or did at the time `at`."""
    return Announced(
        uniqueid=channel.uniqueid,
        linkedid=channel.linkedid or "",
        channel=channel.name or "",
        number=number,
        caller_number=channel.caller_number,
        now=now,
        at=at,
    )


def dial(source: Channel | None, dest: Channel, dial_string: str | None = None) -> Fact:
    """DialBegin."""
    return DialBegan(source=source, dest=dest, dial_string=dial_string)


def dial_end(source: Channel | None, dest: Channel, status: str, forward: str | None = None) -> Fact:
    """DialEnd."""
    return DialEnded(source=source, dest=dest, status=status, forward=forward)


def enter(channel: Channel, bridge: str = "b1", swap: Channel | None = None, *, holding: bool = False) -> Fact:
    """BridgeEnter."""
    swapped = swap.uniqueid if swap is not None else None
    return BridgeEntered(channel=channel, bridge_id=bridge, swap=swapped, holding=holding)


def leave(channel: Channel, bridge: str = "b1") -> Fact:
    """BridgeLeave."""
    return BridgeLeft(channel=channel, bridge_id=bridge)


def hangup(channel: Channel, cause: int = 16) -> Fact:
    """Hangup."""
    return HungUp(channel=channel, cause=cause)


def blind(transferer: Channel, transferee: Channel, extension: str) -> Fact:
    """BlindTransfer."""
    return BlindTransferred(transferer=transferer, transferee=transferee, extension=extension)


def attended(
    first: Channel,
    second: Channel,
    transferee: Channel | None,
    target: Channel | None,
    dest_type: str = "Bridge",
    dest_app: str | None = None,
) -> Fact:
    """AttendedTransfer."""
    return AttendedTransferred(
        first=first, second=second, transferee=transferee, target=target, dest_type=dest_type, dest_app=dest_app
    )


def pickup(picker: Channel, target: Channel) -> Fact:
    """Pickup."""
    return PickedUp(picker=picker, target=target)


def joined(channel: Channel, queue: str) -> Fact:
    """QueueCallerJoin."""
    return QueueJoined(channel=channel, queue=queue)


def left(channel: Channel, queue: str) -> Fact:
    """QueueCallerLeave."""
    return QueueLeft(channel=channel, queue=queue)
