"""AMI's words to facts, whatever the PBX's version. Pure.

Asterisk 12 and later say DialBegin, BridgeEnter, Hangup and so on, with a whole snapshot of each channel. Older ones
say Dial (Begin, End), Bridge (Link, Unlink), Newstate and Transfer, with less in them; some tools say a plain Answer.
The spelling of headers is that of Asterisk's `manager` documentation; where versions differ, both are tried.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from fastagi.ami_wire import Headers as Block
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

Headers = Mapping[str, str]
UP: Final = 6
MAX_TEXT: Final = 256
"""Longest text taken from a header; what is longer is cut (a caller's name of 10 KB is an attack, not a name)."""

_ABSENT: Final = frozenset({"", "<unknown>", "<none>", "(null)"})
_STATES: Final = {"Down": 0, "Rsrvd": 1, "OffHook": 2, "Dialing": 3, "Ring": 4, "Ringing": 5, "Up": 6, "Busy": 7}
_HOLDING: Final = "holding_bridge"


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
            application=_text(row.headers, "Application"),
            queue=_queue(row.headers),
            bridge_id=_text(row.headers, "BridgeId"),
            dial_string=dialled.get(channel.uniqueid),
            duration_ms=_duration_ms(row.headers.get("Duration", "")),
        )
        for row in rows
        if (channel := _channel(row.headers)) is not None
    )


def pbx_started(core_status: Message) -> PbxStarted | None:
    """The PBX's start time from CoreStatus's response; None if it does not say."""
    date = core_status.headers.get("CoreStartupDate", "")
    clock = core_status.headers.get("CoreStartupTime", "")
    return PbxStarted(started=f"{date} {clock}".strip()[:MAX_TEXT]) if date or clock else None


def _text(headers: Headers, key: str) -> str | None:
    value = headers.get(key)
    if value is None or value in _ABSENT:
        return None
    return value if len(value) <= MAX_TEXT else value[:MAX_TEXT]


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


_LINE: Final = r"[^\r]*+"
_VALUE: Final = rf"([^\r]{{0,{MAX_TEXT}}}+)"
_DIGITS: Final = {str(digit): digit for digit in range(10)}


class _Keys:
    """The headers of a channel's snapshot under one prefix, such as Dest or TransferTarget.

    `snapshot` matches them all from `start` on as Asterisk 12 and later write them; what it does not match is looked
    up header by header, which takes twice as long.
    """

    def __init__(self, prefix: str) -> None:
        self.start = f"\r\n{prefix}Channel: "
        lines = {
            "Channel": _VALUE,
            "ChannelState": "([0-9])",
            "ChannelStateDesc": _LINE,
            "CallerIDNum": _VALUE,
            "CallerIDName": _VALUE,
            "ConnectedLineNum": _VALUE,
            "ConnectedLineName": _VALUE,
            "Language": _LINE,
            "AccountCode": _LINE,
            "Context": _LINE,
            "Exten": _VALUE,
            "Priority": _LINE,
            "Uniqueid": rf"([^\r]{{1,{MAX_TEXT}}}+)",
            "Linkedid": _VALUE,
        }
        self.snapshot = re.compile(
            "".join(rf"\r\n{prefix}{key}: {value}" for key, value in lines.items()) + r"(?=\r\n|\Z)"
        )
        self.uniqueid = prefix + "Uniqueid"
        self.unique_id = prefix + "UniqueID"
        self.linkedid = prefix + "Linkedid"
        self.name = prefix + "Channel"
        self.state = prefix + "ChannelState"
        self.caller_number = prefix + "CallerIDNum"
        self.caller_name = prefix + "CallerIDName"
        self.connected_number = prefix + "ConnectedLineNum"
        self.connected_name = prefix + "ConnectedLineName"
        self.exten = prefix + "Exten"


_PLAIN: Final = _Keys("")
_DEST: Final = _Keys("Dest")
_TRANSFERER: Final = _Keys("Transferer")
_TRANSFEREE: Final = _Keys("Transferee")
_FIRST: Final = _Keys("OrigTransferer")
_SECOND: Final = _Keys("SecondTransferer")
_TARGET: Final = _Keys("TransferTarget")
_PICKUP_TARGET: Final = _Keys("Target")
_PARKEE: Final = _Keys("Parkee")
_RETRIEVER: Final = _Keys("Retriever")
_ONE: Final = _Keys("LocalOne")
_TWO: Final = _Keys("LocalTwo")


def _channel(headers: Headers, keys: _Keys = _PLAIN) -> Channel | None:
    if isinstance(headers, Block):
        found = keys.snapshot.match(headers.text, headers.text.find(keys.start))
        if found is not None:
            name, state, number, who, other, whom, exten, uniqueid, linkedid = found.groups()
            return Channel(
                uniqueid=uniqueid,
                linkedid=None if linkedid in _ABSENT else linkedid,
                name=None if name in _ABSENT else name,
                state=_DIGITS[state],
                caller_number=None if number in _ABSENT else number,
                caller_name=None if who in _ABSENT else who,
                connected_number=None if other in _ABSENT else other,
                connected_name=None if whom in _ABSENT else whom,
                exten=None if exten in _ABSENT else exten,
            )
    return _channel_by_headers(headers, keys)


def _channel_by_headers(headers: Headers, keys: _Keys) -> Channel | None:
    uniqueid = headers.get(keys.uniqueid) or headers.get(keys.unique_id)
    if not uniqueid or len(uniqueid) > MAX_TEXT:
        return None
    return Channel(
        uniqueid=uniqueid,
        linkedid=_text(headers, keys.linkedid),
        name=_text(headers, keys.name),
        state=_DIGITS.get(headers.get(keys.state, "")),
        caller_number=_text(headers, keys.caller_number),
        caller_name=_text(headers, keys.caller_name),
        connected_number=_text(headers, keys.connected_number),
        connected_name=_text(headers, keys.connected_name),
        exten=_text(headers, keys.exten),
    )


def _new_channel(headers: Headers) -> tuple[AmiFact, ...]:
    channel = _channel(headers)
    return (ChannelNew(channel=channel),) if channel else ()


def _changed(headers: Headers) -> tuple[AmiFact, ...]:
    channel = _channel(headers)
    if channel is None:
        return ()
    if channel.state is None and headers.get("State") in _STATES:  # Asterisk 1.4
        channel = Channel(uniqueid=channel.uniqueid, name=channel.name, state=_STATES[headers["State"]])
    return (ChannelChanged(channel=channel),)


def _dial_state(headers: Headers) -> tuple[AmiFact, ...]:
    channel = _channel(headers, _DEST)
    return (ChannelChanged(channel=channel),) if channel else ()


def _answer(headers: Headers) -> tuple[AmiFact, ...]:
    channel = _channel(headers)
    if channel is None:
        return ()
    return (
        ChannelChanged(
            channel=Channel(uniqueid=channel.uniqueid, linkedid=channel.linkedid, name=channel.name, state=UP)
        ),
    )


def _rename(headers: Headers) -> tuple[AmiFact, ...]:
    uniqueid, name = _text(headers, "Uniqueid"), _text(headers, "Newname")
    return (Renamed(uniqueid=uniqueid, name=name),) if uniqueid and name else ()


def _hangup(headers: Headers) -> tuple[AmiFact, ...]:
    channel = _channel(headers)
    cause = headers.get("Cause", "")
    if channel is None:
        return ()
    return (HungUp(channel=channel, cause=int(cause) if cause.isascii() and cause.isdigit() else None),)


def _dial_begin(headers: Headers) -> tuple[AmiFact, ...]:
    dest = _channel(headers, _DEST)
    if dest is None:
        return ()
    return (DialBegan(source=_channel(headers), dest=dest, dial_string=_text(headers, "DialString")),)


def _dial_end(headers: Headers) -> tuple[AmiFact, ...]:
    dest = _channel(headers, _DEST)
    status = headers.get("DialStatus")
    if dest is None or not status:
        return ()
    return (DialEnded(source=_channel(headers), dest=dest, status=status.upper(), forward=_text(headers, "Forward")),)


def _old_dial(headers: Headers) -> tuple[AmiFact, ...]:
    """Dial: 1.6 to 11 with SubEvent, 1.4 without; `Destination` names the called channel."""
    uniqueid = _text(headers, "UniqueID") or _text(headers, "Uniqueid") or _text(headers, "SrcUniqueID")
    if headers.get("SubEvent") == "End":
        status = headers.get("DialStatus")
        if not uniqueid or not status:
            return ()
        caller = Channel(uniqueid=uniqueid, name=_text(headers, "Channel"))
        return (DialEnded(source=caller, dest=None, status=status.upper()),)
    dest_id = _text(headers, "DestUniqueID") or _text(headers, "DestUniqueid")
    if not dest_id:
        return ()
    number, name = _text(headers, "CallerIDNum") or _text(headers, "CallerID"), _text(headers, "CallerIDName")
    source: Channel | None = None
    if uniqueid:
        channel = _text(headers, "Channel") or _text(headers, "Source")
        source = Channel(uniqueid=uniqueid, name=channel, caller_number=number, caller_name=name)
    dest = Channel(uniqueid=dest_id, name=_text(headers, "Destination"), connected_number=number, connected_name=name)
    return (DialBegan(source=source, dest=dest, dial_string=_text(headers, "Dialstring")),)


def _bridge_enter(headers: Headers) -> tuple[AmiFact, ...]:
    channel, bridge = _channel(headers), _text(headers, "BridgeUniqueid")
    if channel is None or bridge is None:
        return ()
    holding = headers.get("BridgeTechnology") == _HOLDING
    return (BridgeEntered(channel=channel, bridge_id=bridge, swap=_text(headers, "SwapUniqueid"), holding=holding),)


def _bridge_leave(headers: Headers) -> tuple[AmiFact, ...]:
    channel, bridge = _channel(headers), _text(headers, "BridgeUniqueid")
    return (BridgeLeft(channel=channel, bridge_id=bridge),) if channel and bridge else ()


def _bridge_merge(headers: Headers) -> tuple[AmiFact, ...]:
    source, target = _text(headers, "FromBridgeUniqueid"), _text(headers, "ToBridgeUniqueid")
    return (BridgesMerged(from_bridge_id=source, to_bridge_id=target),) if source and target else ()


def _old_bridge(headers: Headers) -> tuple[AmiFact, ...]:
    return _unlink(headers) if headers.get("Bridgestate") == "Unlink" else _link(headers)


def _ends(headers: Headers) -> tuple[Channel, Channel, str] | None:
    one, two = _text(headers, "Uniqueid1"), _text(headers, "Uniqueid2")
    if not one or not two:
        return None
    first = Channel(uniqueid=one, name=_text(headers, "Channel1"))
    second = Channel(uniqueid=two, name=_text(headers, "Channel2"))
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
    one, two = _channel(headers, _ONE), _channel(headers, _TWO)
    return (LocalsPaired(one=one, two=two),) if one and two else ()


def _blind_transfer(headers: Headers) -> tuple[AmiFact, ...]:
    transferer = _channel(headers, _TRANSFERER)
    if transferer is None or headers.get("Result", "Success") != "Success":
        return ()
    transferee = _channel(headers, _TRANSFEREE)
    return (BlindTransferred(transferer=transferer, transferee=transferee, extension=_text(headers, "Extension")),)


def _attended_transfer(headers: Headers) -> tuple[AmiFact, ...]:
    first, second = _channel(headers, _FIRST), _channel(headers, _SECOND)
    if first is None or second is None or headers.get("Result", "Success") != "Success":
        return ()
    return (
        AttendedTransferred(
            first=first,
            second=second,
            transferee=_channel(headers, _TRANSFEREE),
            target=_channel(headers, _TARGET),
            dest_type=headers.get("DestType", ""),
            dest_app=_text(headers, "DestApp"),
        ),
    )


def _old_transfer(headers: Headers) -> tuple[AmiFact, ...]:
    """Transfer: 1.6 to 11, from chan_sip. `Uniqueid` is the transferer's, `TargetUniqueid` the other party's."""
    uniqueid, target = _text(headers, "Uniqueid"), _text(headers, "TargetUniqueid")
    if not uniqueid:
        return ()
    transferer = Channel(uniqueid=uniqueid, name=_text(headers, "Channel"))
    other = Channel(uniqueid=target, name=_text(headers, "TargetChannel")) if target else None
    if headers.get("TransferType") != "Blind":
        return (AttendedTransferred(first=transferer, second=transferer, dest_type="Bridge"),)
    return (BlindTransferred(transferer=transferer, transferee=other, extension=_text(headers, "TransferExten")),)


def _pickup(headers: Headers) -> tuple[AmiFact, ...]:
    picker, target = _channel(headers), _channel(headers, _PICKUP_TARGET)
    return (PickedUp(picker=picker, target=target),) if picker and target else ()


def _parked(headers: Headers) -> tuple[AmiFact, ...]:
    parkee = _channel(headers, _PARKEE) or _channel(headers)
    if parkee is None:
        return ()
    return (Parked(parkee=parkee, parker_dial_string=_text(headers, "ParkerDialString")),)


def _unparked(headers: Headers) -> tuple[AmiFact, ...]:
    parkee, retriever = _channel(headers, _PARKEE), _channel(headers, _RETRIEVER)
    return (Unparked(parkee=parkee, retriever=retriever),) if parkee and retriever else ()


def _joined(headers: Headers) -> tuple[AmiFact, ...]:
    channel, queue = _channel(headers), _text(headers, "Queue")
    return (QueueJoined(channel=channel, queue=queue),) if channel and queue else ()


def _left(headers: Headers) -> tuple[AmiFact, ...]:
    channel, queue = _channel(headers), _text(headers, "Queue")
    return (QueueLeft(channel=channel, queue=queue),) if channel and queue else ()


def _agent_called(headers: Headers) -> tuple[AmiFact, ...]:
    dest, queue = _channel(headers, _DEST), _text(headers, "Queue")
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
