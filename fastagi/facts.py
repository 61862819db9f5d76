"""Facts: all that the tracker is ever told. Frozen messages, pure data. A fact carries no time: the tap adds it.

Four sources: the FastAGI server (`Announced`), AMI (`fastagi.ami_facts` makes them, whatever the PBX's version), the
AMI connection itself (`AmiUp`, `AmiDown`, `PbxStarted`, `ChannelsListed`) and the directory, which answers the
tracker's questions (`OwnersFound`, `CallerFound`, `LookupFailed`).

Names are Asterisk's where it has one. A text that Asterisk marks as absent (`<unknown>`, empty) is None here.
"""

from typing import Final

import msgspec

from zvonok.call import Caller


class Owner(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A user who owns a number. `number` and `label` (`phone_type`) are as in `user_phones`; from the directory."""

    user_id: int
    name: str | None = None
    number: str
    label: str | None = None


class Channel(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A channel as an event or a list shows it at that moment. Only `uniqueid` is always there.

    `name` is Asterisk's, such as `PJSIP/101-0000002a`. `state` is Asterisk's number: 0 Down, 4 Ring, 5 Ringing, 6 Up.
    `caller_*` is the party at this channel's end; `connected_*` the party that its phone displays.
    """

    uniqueid: str
    linkedid: str | None = None
    name: str | None = None
    state: int | None = None
    caller_number: str | None = None
    caller_name: str | None = None
    connected_number: str | None = None
    connected_name: str | None = None
    exten: str | None = None


# --- from the FastAGI server ------------------------------------------------------------------------------------------


class Announced(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="announced"):
    """The dialplan said that the channel `uniqueid` is about to call `number` (AGI `announce`).

    `caller` is the directory's answer where the dialplan asked for one. `restricted`: the caller hides his number
    (CLIR), so it is not here. `now`: open the card at once, because this dialplan has no Dial or Queue to wait for.
    `at`: when that was (Unix ms), 0 if it is not known; it may be long ago where the tap was away.
    """

    uniqueid: str
    linkedid: str
    channel: str
    number: str
    caller_number: str | None = None
    caller_name: str | None = None
    caller: Caller | None = None
    restricted: bool = False
    now: bool = False
    at: int = 0


class FastagiStats(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="fastagi_stats"):
    """What the FastAGI server counted since `started_at` (Unix ms); no fact of a call, but it takes the same way.

    `durations` counts the sessions by seconds from accept to release: one number for each of `SESSION_BUCKETS` (up to
    that bound and above the one before), and a last one for those above all of them; `seconds` is their sum.
    """

    started_at: int
    sessions: dict[str, int]
    durations: list[int]
    seconds: float
    workers: int
    busy: int
    facts_lost: int


SESSION_BUCKETS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


# --- from AMI ---------------------------------------------------------------------------------------------------------


class ChannelNew(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="channel_new"):
    """Newchannel. Its `exten` is what this channel dialled, if it is a caller's."""

    channel: Channel


class ChannelChanged(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="channel_changed"):
    """Newstate, NewConnectedLine, NewCallerid, DialState, or a plain Answer: the channel as it is now."""

    channel: Channel


class Renamed(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="renamed"):
    """Rename: the channel keeps its uniqueid and has another name."""

    uniqueid: str
    name: str


class HungUp(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="hung_up"):
    """Hangup. `cause` is Q.850 or Asterisk's 127, a hint only (another leg's cause may be copied into it)."""

    channel: Channel
    cause: int | None = None


class DialBegan(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="dial_began"):
    """DialBegin, or Dial/Begin before Asterisk 12. `source` is None for an Originate: nobody calls."""

    source: Channel | None
    dest: Channel
    dial_string: str | None = None


class DialEnded(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="dial_ended"):
    """DialEnd, or Dial/End before Asterisk 12 (then `dest` is None). `status` is Asterisk's DIALSTATUS in capitals.

    `forward` is where the called phone sent the call instead (302).
    """

    source: Channel | None
    dest: Channel | None
    status: str
    forward: str | None = None


class BridgeEntered(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="bridge_entered"):
    """BridgeEnter, or Bridge/Link before Asterisk 12 (one fact a channel).

    `swap` is the uniqueid of the channel whose place it takes. `holding`: a bridge whose channels do not hear each
    other (parking, waiting).
    """

    channel: Channel
    bridge_id: str
    swap: str | None = None
    holding: bool = False


class BridgeLeft(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="bridge_left"):
    """BridgeLeave, or Unlink before Asterisk 12 (one fact a channel)."""

    channel: Channel
    bridge_id: str


class BridgesMerged(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="bridges_merged"):
    """BridgeMerge: all channels of `from_bridge_id` are now in `to_bridge_id`."""

    from_bridge_id: str
    to_bridge_id: str


class LocalsPaired(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="locals_paired"):
    """LocalBridge: the two halves of a Local channel, `;1` and `;2`."""

    one: Channel
    two: Channel


class BlindTransferred(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="blind_transferred"):
    """BlindTransfer that succeeded: `transferer` sent `transferee` to `extension`."""

    transferer: Channel
    transferee: Channel | None = None
    extension: str | None = None


class AttendedTransferred(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="attended_transferred"):
    """AttendedTransfer that succeeded. `first` and `second` are the transferer's legs: to the transferee and to the
    target.

    `dest_type` is Bridge, App, Link, Threeway or Fail; with App, `dest_app` is what the target runs (`Dial`: it still
    rings, a "blonde" transfer).
    """

    first: Channel
    second: Channel
    transferee: Channel | None = None
    target: Channel | None = None
    dest_type: str = ""
    dest_app: str | None = None


class PickedUp(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="picked_up"):
    """Pickup: `picker` took the call that rang at `target`."""

    picker: Channel
    target: Channel


class Parked(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="parked"):
    """ParkedCall: `parkee` waits. `parker_dial_string`, such as `PJSIP/101`, names the device that parked it."""

    parkee: Channel
    parker_dial_string: str | None = None


class Unparked(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="unparked"):
    """UnParkedCall: `retriever` took `parkee`."""

    parkee: Channel
    retriever: Channel


class QueueJoined(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="queue_joined"):
    """QueueCallerJoin (Join before Asterisk 12)."""

    channel: Channel
    queue: str


class QueueLeft(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="queue_left"):
    """QueueCallerLeave (Leave before Asterisk 12)."""

    channel: Channel
    queue: str


class AgentCalled(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="agent_called"):
    """AgentCalled: the queue is about to dial `dest`."""

    dest: Channel
    queue: str


# --- about the AMI connection -----------------------------------------------------------------------------------------


class AmiUp(msgspec.Struct, frozen=True, tag="ami_up"):
    """Logged in: from now on every event arrives. What was missed before is found by a resync (`ChannelsListed`)."""


class AmiDown(msgspec.Struct, frozen=True, tag="ami_down"):
    """The connection is lost: until `AmiUp` an announcement opens its card at once."""


class PbxStarted(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="pbx_started"):
    """CoreStatus says when this PBX started (`CoreStartupDate` and `CoreStartupTime`, joined as they are).

    Another value than last time means that the PBX has restarted, and all earlier calls are gone.
    """

    started: str


class ListedChannel(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of CoreShowChannels, with the dialled string from Status (variable DIALEDPEERNUMBER) where it has one.

    `duration_ms` is the channel's age; `queue` is the queue that it waits in.
    """

    channel: Channel
    application: str | None = None
    queue: str | None = None
    bridge_id: str | None = None
    dial_string: str | None = None
    duration_ms: int = 0


class ChannelsListed(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="channels_listed"):
    """A complete CoreShowChannels list. `asked_at`: when the action was sent, same clock as `now` (ms).

    Rows and events interleave, so the tracker takes from a row only what no event since `asked_at` contradicts, and
    gives a channel up only when it is absent from two lists asked at least 500 ms apart with no event of it between.
    """

    rows: tuple[ListedChannel, ...]
    asked_at: int


# --- from the directory -----------------------------------------------------------------------------------------------


class OwnersFound(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="owners_found"):
    """The answer to `AskOwners`: all users who own the number, maybe none."""

    ask_id: str
    owners: tuple[Owner, ...]


class CallerFound(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="caller_found"):
    """The answer to `AskCaller`: who has the number; kind `unknown` if nobody has. `display` is ignored."""

    ask_id: str
    caller: Caller


class LookupFailed(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="lookup_failed"):
    """The directory could not answer now. The tracker asks again by itself, with the same `ask_id`."""

    ask_id: str
    why: str = ""


AmiFact = (
    ChannelNew
    | ChannelChanged
    | Renamed
    | HungUp
    | DialBegan
    | DialEnded
    | BridgeEntered
    | BridgeLeft
    | BridgesMerged
    | LocalsPaired
    | BlindTransferred
    | AttendedTransferred
    | PickedUp
    | Parked
    | Unparked
    | QueueJoined
    | QueueLeft
    | AgentCalled
)
ConnectionFact = AmiUp | AmiDown | PbxStarted | ChannelsListed
DirectoryFact = OwnersFound | CallerFound | LookupFailed
Fact = Announced | AmiFact | ConnectionFact | DirectoryFact
