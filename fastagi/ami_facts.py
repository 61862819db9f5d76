"""AMI's words to facts, whatever the PBX's version. Pure.

Asterisk 12 and later say DialBegin, BridgeEnter, Hangup and so on, with a whole snapshot of each channel. Older ones
say Dial (Begin, End), Bridge (Link, Unlink), Newstate and Transfer, with less in them; some tools say a plain Answer.
The spelling of headers is that of Asterisk's `manager` documentation; where versions differ, both are tried.
"""

from collections.abc import Callable, Iterable
from typing import Final

from fastagi.ami_channel import MAX_TEXT, Headers, Keys, channel_of, text_of
from fastagi.ami_wire import Message, every_value
from fastagi.facts import (
    AgentCalled,
    AmiFact,
    AttendedTransferred,
    BlindTransferred,
    BridgeEntered,
    BridgeLeft,
    BridgesMerged,
    Channel,
    ChannelChanged,
    ChannelNew,
    DialBegan,
    DialEnded,
    HungUp,
    ListedChannel,
    LocalsPaired,
    Parked,
    PbxStarted,
    PickedUp,
    QueueJoined,
    QueueLeft,
    Renamed,
    Unparked,
)

UP: Final = 6
_STATES: Final = {"Down": 0, "Rsrvd": 1, "OffHook": 2, "Dialing": 3, "Ring": 4, "Ringing": 5, "Up": 6, "Busy": 7}
_HOLDING: Final = "holding_bridge"

_DEST: Final = Keys("Dest")
_TRANSFERER: Final = Keys("Transferer")
_TRANSFEREE: Final = Keys("Transferee")
_FIRST: Final = Keys("OrigTransferer")
_SECOND: Final = Keys("SecondTransferer")
_TARGET: Final = Keys("TransferTarget")
_PICKUP_TARGET: Final = Keys("Target")
_PARKEE: Final = Keys("Parkee")
_RETRIEVER: Final = Keys("Retriever")
_ONE: Final = Keys("LocalOne")
_TWO: Final = Keys("LocalTwo")


def translate(message: Message) -> tuple[AmiFact, ...]:
    """The facts in an event; none if it is not of interest, or lacks what it must have. Never raises."""
    handler = _EVENTS.get(message.event)
    return handler(message.headers) if handler is not None else ()


def listed(rows: Iterable[Message], statuses: Iterable[Message] = ()) -> tuple[ListedChannel, ...]:
    """The rows of CoreShowChannels, completed from those of Status. Rows without a uniqueid are left out."""
    dialled: dict[str, str] = {}
    for status in statuses:
        uniqueid = status.headers.get("Uniqueid")
        for variable in every_value(status.headers, "Variable"):
            name, _, value = variable.partition("=")
            if uniqueid and name == "DIALEDPEERNUMBER" and value:
                dialled[uniqueid] = value[:MAX_TEXT]
    return tuple(
        ListedChannel(
            channel=channel,
            application=text_of(row.headers, "Application"),
            queue=_queue(row.headers),
            bridge_id=text_of(row.headers, "BridgeId"),
            dial_string=dialled.get(channel.uniqueid),
            duration_ms=_duration_ms(row.headers.get("Duration", "")),
        )
        for row in rows
        if (channel := channel_of(row.headers)) is not None
    )


def pbx_started(core_status: Message) -> PbxStarted | None:
    """The PBX's start time from CoreStatus's response; None if it does not say."""
    date = core_status.headers.get("CoreStartupDate", "")
    clock = core_status.headers.get("CoreStartupTime", "")
    return PbxStarted(started=f"{date} {clock}".strip()[:MAX_TEXT]) if date or clock else None


def _queue(headers: Headers) -> str | None:
    """The queue that the channel waits in: what the dialplan's Queue() was called with says it."""
    if headers.get("Application") != "Queue" or headers.get("BridgeId"):
        return None
    return headers.get("ApplicationData", "").partition(",")[0].strip()[:MAX_TEXT] or None


def _duration_ms(text: str) -> int:
    parts = text.split(":")
    if not all(part.isascii() and part.isdigit() and len(part) < 8 for part in parts):
        return 0
    seconds = 0
    for part in parts:
        seconds = seconds * 60 + int(part)
    return seconds * 1000


def _new_channel(headers: Headers) -> tuple[AmiFact, ...]:
    channel = channel_of(headers)
    return (ChannelNew(channel=channel),) if channel else ()


def _changed(headers: Headers) -> tuple[AmiFact, ...]:
    channel = channel_of(headers)
    if channel is None:
        return ()
    if channel.state is None and headers.get("State") in _STATES:  # Asterisk 1.4
        channel = Channel(uniqueid=channel.uniqueid, name=channel.name, state=_STATES[headers["State"]])
    return (ChannelChanged(channel=channel),)


def _dial_state(headers: Headers) -> tuple[AmiFact, ...]:
    channel = channel_of(headers, _DEST)
    return (ChannelChanged(channel=channel),) if channel else ()


def _answer(headers: Headers) -> tuple[AmiFact, ...]:
    channel = channel_of(headers)
    if channel is None:
        return ()
    return (
        ChannelChanged(
            channel=Channel(uniqueid=channel.uniqueid, linkedid=channel.linkedid, name=channel.name, state=UP)
        ),
    )


def _rename(headers: Headers) -> tuple[AmiFact, ...]:
    uniqueid, name = text_of(headers, "Uniqueid"), text_of(headers, "Newname")
    return (Renamed(uniqueid=uniqueid, name=name),) if uniqueid and name else ()


def _hangup(headers: Headers) -> tuple[AmiFact, ...]:
    channel = channel_of(headers)
    cause = headers.get("Cause", "")
    if channel is None:
        return ()
    return (HungUp(channel=channel, cause=int(cause) if cause.isascii() and cause.isdigit() else None),)


def _dial_begin(headers: Headers) -> tuple[AmiFact, ...]:
    dest = channel_of(headers, _DEST)
    if dest is None:
        return ()
    return (DialBegan(source=channel_of(headers), dest=dest, dial_string=text_of(headers, "DialString")),)


def _dial_end(headers: Headers) -> tuple[AmiFact, ...]:
    dest = channel_of(headers, _DEST)
    status = headers.get("DialStatus")
    if dest is None or not status:
        return ()
    return (
        DialEnded(source=channel_of(headers), dest=dest, status=status.upper(), forward=text_of(headers, "Forward")),
    )


def _old_dial(headers: Headers) -> tuple[AmiFact, ...]:
    """Dial: 1.6 to 11 with SubEvent, 1.4 without; `Destination` names the called channel."""
    uniqueid = text_of(headers, "UniqueID") or text_of(headers, "Uniqueid") or text_of(headers, "SrcUniqueID")
    if headers.get("SubEvent") == "End":
        status = headers.get("DialStatus")
        if not uniqueid or not status:
            return ()
        caller = Channel(uniqueid=uniqueid, name=text_of(headers, "Channel"))
        return (DialEnded(source=caller, dest=None, status=status.upper()),)
    dest_id = text_of(headers, "DestUniqueID") or text_of(headers, "DestUniqueid")
    if not dest_id:
        return ()
    number, name = text_of(headers, "CallerIDNum") or text_of(headers, "CallerID"), text_of(headers, "CallerIDName")
    source: Channel | None = None
    if uniqueid:
        channel = text_of(headers, "Channel") or text_of(headers, "Source")
        source = Channel(uniqueid=uniqueid, name=channel, caller_number=number, caller_name=name)
    dest = Channel(uniqueid=dest_id, name=text_of(headers, "Destination"), connected_number=number, connected_name=name)
    return (DialBegan(source=source, dest=dest, dial_string=text_of(headers, "Dialstring")),)


def _bridge_enter(headers: Headers) -> tuple[AmiFact, ...]:
    channel, bridge = channel_of(headers), text_of(headers, "BridgeUniqueid")
    if channel is None or bridge is None:
        return ()
    holding = headers.get("BridgeTechnology") == _HOLDING
    return (BridgeEntered(channel=channel, bridge_id=bridge, swap=text_of(headers, "SwapUniqueid"), holding=holding),)


def _bridge_leave(headers: Headers) -> tuple[AmiFact, ...]:
    channel, bridge = channel_of(headers), text_of(headers, "BridgeUniqueid")
    return (BridgeLeft(channel=channel, bridge_id=bridge),) if channel and bridge else ()


def _bridge_merge(headers: Headers) -> tuple[AmiFact, ...]:
    source, target = text_of(headers, "FromBridgeUniqueid"), text_of(headers, "ToBridgeUniqueid")
    return (BridgesMerged(from_bridge_id=source, to_bridge_id=target),) if source and target else ()


def _old_bridge(headers: Headers) -> tuple[AmiFact, ...]:
    return _unlink(headers) if headers.get("Bridgestate") == "Unlink" else _link(headers)


def _ends(headers: Headers) -> tuple[Channel, Channel, str] | None:
    one, two = text_of(headers, "Uniqueid1"), text_of(headers, "Uniqueid2")
    if not one or not two:
        return None
    first = Channel(uniqueid=one, name=text_of(headers, "Channel1"))
    second = Channel(uniqueid=two, name=text_of(headers, "Channel2"))
    return first, second, "link:" + ":".join(sorted((one, two)))


def _link(headers: Headers) -> tuple[AmiFact, ...]:
    ends = _ends(headers)
    if ends is None:
        return ()
    first, second, bridge = ends
    return (BridgeEntered(channel=first, bridge_id=bridge), BridgeEntered(channel=second, bridge_id=bridge))


def _unlink(headers: Headers) -> tuple[AmiFact, ...]:
    ends = _ends(headers)
    if ends is None:
        return ()
    first, second, bridge = ends
    return (BridgeLeft(channel=first, bridge_id=bridge), BridgeLeft(channel=second, bridge_id=bridge))


def _locals(headers: Headers) -> tuple[AmiFact, ...]:
    one, two = channel_of(headers, _ONE), channel_of(headers, _TWO)
    return (LocalsPaired(one=one, two=two),) if one and two else ()


def _blind_transfer(headers: Headers) -> tuple[AmiFact, ...]:
    transferer = channel_of(headers, _TRANSFERER)
    if transferer is None or headers.get("Result", "Success") != "Success":
        return ()
    transferee = channel_of(headers, _TRANSFEREE)
    return (BlindTransferred(transferer=transferer, transferee=transferee, extension=text_of(headers, "Extension")),)


def _attended_transfer(headers: Headers) -> tuple[AmiFact, ...]:
    first, second = channel_of(headers, _FIRST), channel_of(headers, _SECOND)
    if first is None or second is None or headers.get("Result", "Success") != "Success":
        return ()
    return (
        AttendedTransferred(
            first=first,
            second=second,
            transferee=channel_of(headers, _TRANSFEREE),
            target=channel_of(headers, _TARGET),
            dest_type=headers.get("DestType", ""),
            dest_app=text_of(headers, "DestApp"),
        ),
    )


def _old_transfer(headers: Headers) -> tuple[AmiFact, ...]:
    """Transfer: 1.6 to 11, from chan_sip. `Uniqueid` is the transferer's, `TargetUniqueid` the other party's."""
    uniqueid, target = text_of(headers, "Uniqueid"), text_of(headers, "TargetUniqueid")
    if not uniqueid:
        return ()
    transferer = Channel(uniqueid=uniqueid, name=text_of(headers, "Channel"))
    other = Channel(uniqueid=target, name=text_of(headers, "TargetChannel")) if target else None
    if headers.get("TransferType") != "Blind":
        return (AttendedTransferred(first=transferer, second=transferer, dest_type="Bridge"),)
    return (BlindTransferred(transferer=transferer, transferee=other, extension=text_of(headers, "TransferExten")),)


def _pickup(headers: Headers) -> tuple[AmiFact, ...]:
    picker, target = channel_of(headers), channel_of(headers, _PICKUP_TARGET)
    return (PickedUp(picker=picker, target=target),) if picker and target else ()


def _parked(headers: Headers) -> tuple[AmiFact, ...]:
    parkee = channel_of(headers, _PARKEE) or channel_of(headers)
    if parkee is None:
        return ()
    return (Parked(parkee=parkee, parker_dial_string=text_of(headers, "ParkerDialString")),)


def _unparked(headers: Headers) -> tuple[AmiFact, ...]:
    parkee, retriever = channel_of(headers, _PARKEE), channel_of(headers, _RETRIEVER)
    return (Unparked(parkee=parkee, retriever=retriever),) if parkee and retriever else ()


def _joined(headers: Headers) -> tuple[AmiFact, ...]:
    channel, queue = channel_of(headers), text_of(headers, "Queue")
    return (QueueJoined(channel=channel, queue=queue),) if channel and queue else ()


def _left(headers: Headers) -> tuple[AmiFact, ...]:
    channel, queue = channel_of(headers), text_of(headers, "Queue")
    return (QueueLeft(channel=channel, queue=queue),) if channel and queue else ()


def _agent_called(headers: Headers) -> tuple[AmiFact, ...]:
    dest, queue = channel_of(headers, _DEST), text_of(headers, "Queue")
    return (AgentCalled(dest=dest, queue=queue),) if dest and queue else ()


_EVENTS: Final[dict[str, Callable[[Headers], tuple[AmiFact, ...]]]] = {
    "Newchannel": _new_channel,
    "Newstate": _changed,
    "NewConnectedLine": _changed,
    "NewCallerid": _changed,
    "Rename": _rename,
    "Hangup": _hangup,
    "DialBegin": _dial_begin,
    "DialState": _dial_state,
    "DialEnd": _dial_end,
    "BridgeEnter": _bridge_enter,
    "BridgeLeave": _bridge_leave,
    "BridgeMerge": _bridge_merge,
    "LocalBridge": _locals,
    "BlindTransfer": _blind_transfer,
    "AttendedTransfer": _attended_transfer,
    "Pickup": _pickup,
    "ParkedCall": _parked,
    "UnParkedCall": _unparked,
    "QueueCallerJoin": _joined,
    "QueueCallerLeave": _left,
    "AgentCalled": _agent_called,
    # before Asterisk 12, and from tools
    "Answer": _answer,
    "Newcallerid": _changed,
    "Dial": _old_dial,
    "Bridge": _old_bridge,
    "Link": _link,
    "Unlink": _unlink,
    "Transfer": _old_transfer,
    "Join": _joined,
    "Leave": _left,
}

LIST_EVENTS: Final = frozenset({"CoreShowChannel", "CoreShowChannelsComplete", "Status", "StatusComplete"})
WANTED: Final = frozenset(_EVENTS) | LIST_EVENTS
"""The events' names that `AmiParser` is to parse."""
