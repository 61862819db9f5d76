"""AMI's words as facts. Modern ones come from recordings too (test_tracker_replay.py); here are the fields that matter,
the old dialects (headers as in Asterisk 1.4's, 1.8's and 11's own sources), and what is broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastagi.ami_channel import MAX_TEXT
from fastagi.ami_facts import WANTED, listed, pbx_started, translate
from fastagi.ami_wire import Headers, Message
from fastagi.facts import (
    AttendedTransferred,
    BlindTransferred,
    BridgeEntered,
    BridgeLeft,
    Channel,
    ChannelChanged,
    ChannelNew,
    DialBegan,
    DialEnded,
    HungUp,
    PbxStarted,
    QueueJoined,
    Renamed,
)
from tests.call_desk import Desk, user


def said(event: str, **headers: str) -> Message:
    return Message(event, {"Event": event, **headers})


def test_what_asterisk_marks_as_unknown_is_absent() -> None:
    message = said("Newchannel", Uniqueid="1.1", Linkedid="1.1", CallerIDNum="<unknown>", Exten="", ChannelState="4")
    assert translate(message) == (ChannelNew(channel=Channel(uniqueid="1.1", linkedid="1.1", state=4)),)


def test_an_event_without_its_uniqueid_is_no_fact() -> None:
    for event in WANTED:
        assert translate(said(event, Channel="PJSIP/101-1")) == ()


def test_a_holding_bridge_is_told_from_one_where_people_hear_each_other() -> None:
    message = said("BridgeEnter", Uniqueid="1.1", BridgeUniqueid="b", BridgeTechnology="holding_bridge")
    (fact,) = translate(message)
    assert isinstance(fact, BridgeEntered)
    assert fact.holding


def test_a_long_name_is_cut() -> None:
    (fact,) = translate(said("Newchannel", Uniqueid="1.1", CallerIDName="x" * 10_000))
    assert isinstance(fact, ChannelNew)
    assert fact.channel.caller_name == "x" * MAX_TEXT


def test_a_transfer_that_failed_is_none() -> None:
    ids = {"TransfererUniqueid": "1.1", "OrigTransfererUniqueid": "1.1", "SecondTransfererUniqueid": "1.2"}
    assert translate(said("BlindTransfer", Result="Not Permitted", **ids)) == ()
    assert translate(said("AttendedTransfer", Result="Fail", **ids)) == ()


def test_a_list_row_takes_the_dialled_string_from_status() -> None:
    row = said("CoreShowChannel", Uniqueid="1.2", Linkedid="1.1", Application="AppDial", Duration="01:02:03")
    status = said("Status", Uniqueid="1.2", Variable="BRIDGEPEER=\nDIALEDPEERNUMBER=89161112233@trunk")
    (found,) = listed([row, said("CoreShowChannel")], [status])
    assert (found.application, found.dial_string, found.duration_ms) == ("AppDial", "89161112233@trunk", 3_723_000)
    assert found.bridge_id is None


def test_a_list_row_names_the_queue_that_the_channel_waits_in() -> None:
    def queue(**headers: str) -> str | None:
        (found,) = listed([said("CoreShowChannel", Uniqueid="1.1", **headers)])
        return found.queue

    assert queue(Application="Queue", ApplicationData="sales,t,,,20") == "sales"
    assert queue(Application="Queue", ApplicationData="sales", BridgeId="talks-to-an-agent") is None
    assert queue(Application="Dial", ApplicationData="PJSIP/101,20") is None
    assert queue(Application="Queue", ApplicationData="") is None


def test_core_status_tells_when_the_pbx_started() -> None:
    status = Message("", {"CoreStartupDate": "2026-01-02", "CoreStartupTime": "03:04:05"})
    assert pbx_started(status) == PbxStarted(started="2026-01-02 03:04:05")
    assert pbx_started(Message("", {})) is None


# --- before Asterisk 12 -----------------------------------------------------------------------------------------------

NEWCHANNEL_18 = said(
    "Newchannel", Channel="SIP/trunk-01", ChannelState="4", CallerIDNum="89271390907", Exten="101", Uniqueid="1.1"
)
DIAL_18 = said(
    "Dial",
    SubEvent="Begin",
    Channel="SIP/trunk-01",
    Destination="SIP/101-02",
    CallerIDNum="89271390907",
    UniqueID="1.1",
    DestUniqueID="1.2",
    Dialstring="101",
)
ENDS_18 = {"Channel1": "SIP/trunk-01", "Channel2": "SIP/101-02", "Uniqueid1": "1.1", "Uniqueid2": "1.2"}
LINK_18 = said("Bridge", Bridgestate="Link", **ENDS_18)
UNLINK_18 = said("Bridge", Bridgestate="Unlink", **ENDS_18)
DIAL_END_18 = said("Dial", SubEvent="End", Channel="SIP/trunk-01", UniqueID="1.1", DialStatus="ANSWER")
HANGUPS_18 = [
    said("Hangup", Channel="SIP/101-02", Uniqueid="1.2", Cause="16"),
    DIAL_END_18,
    said("Hangup", Channel="SIP/trunk-01", Uniqueid="1.1", Cause="16"),
]


def test_the_old_dial_begins_and_ends() -> None:
    (began,) = translate(DIAL_18)
    assert isinstance(began, DialBegan)
    assert began.source is not None
    assert (began.source.uniqueid, began.dest.uniqueid, began.dial_string) == ("1.1", "1.2", "101")
    assert began.dest.connected_number == "89271390907"
    (ended,) = translate(DIAL_END_18)
    assert isinstance(ended, DialEnded)
    assert (ended.dest, ended.status) == (None, "ANSWER")


def test_the_old_bridge_joins_and_parts_two_channels() -> None:
    entered = translate(LINK_18)
    assert [type(fact) for fact in entered] == [BridgeEntered, BridgeEntered]
    assert {fact.bridge_id for fact in entered if isinstance(fact, BridgeEntered)} == {"link:1.1:1.2"}
    assert [type(fact) for fact in translate(UNLINK_18)] == [BridgeLeft, BridgeLeft]
    assert [type(fact) for fact in translate(said("Link", Uniqueid1="1.1", Uniqueid2="1.2"))] == [BridgeEntered] * 2


def test_a_plain_answer_is_a_channel_that_is_up() -> None:
    assert translate(said("Answer", Channel="SIP/101-02", Uniqueid="1.2")) == (
        ChannelChanged(channel=Channel(uniqueid="1.2", name="SIP/101-02", state=6)),
    )


def test_asterisk_1_4_names_states_in_words() -> None:
    (fact,) = translate(said("Newstate", Channel="SIP/101-02", State="Ringing", Uniqueid="1.2"))
    assert isinstance(fact, ChannelChanged)
    assert fact.channel.state == 5


def test_the_old_transfer_join_and_rename() -> None:
    (blind,) = translate(
        said("Transfer", TransferType="Blind", Uniqueid="1.2", TargetUniqueid="1.1", TransferExten="102")
    )
    assert isinstance(blind, BlindTransferred)
    assert blind.extension == "102"
    (attended,) = translate(said("Transfer", TransferType="Attended", Uniqueid="1.2"))
    assert isinstance(attended, AttendedTransferred)
    (joined,) = translate(said("Join", Channel="SIP/trunk-01", Queue="sales", Uniqueid="1.1"))
    assert isinstance(joined, QueueJoined)
    assert translate(said("Rename", Newname="SIP/9-1", Uniqueid="1.1")) == (Renamed(uniqueid="1.1", name="SIP/9-1"),)


def test_an_old_pbxs_call_rings_talks_and_ends() -> None:
    at = Desk({"101": [user(1, "101")]})
    for message in [NEWCHANNEL_18, DIAL_18, LINK_18, UNLINK_18, *HANGUPS_18]:
        at.feed(*translate(message))
    assert at.story(1) == ["ringing", "talking", "completed"]
    assert at.only(1).caller.number == "89271390907"
    at.wait(61_000)
    assert at.tracker.size == 0


def test_an_old_pbxs_ring_group_knows_who_answered() -> None:
    at = Desk({"101": [user(1, "101")], "102": [user(2, "102")]})
    second = said(
        "Dial", SubEvent="Begin", Destination="SIP/102-03", UniqueID="1.1", DestUniqueID="1.3", Dialstring="102"
    )
    loser = said("Hangup", Channel="SIP/102-03", Uniqueid="1.3", Cause="0")
    for message in [NEWCHANNEL_18, DIAL_18, second, loser, LINK_18, UNLINK_18, *HANGUPS_18]:
        at.feed(*translate(message))
    assert at.story(1) == ["ringing", "talking", "completed"]
    assert at.story(2) == ["ringing", "answered_elsewhere"]


@pytest.mark.parametrize(("cause", "end"), [("17", "busy"), ("21", "rejected"), ("0", "missed"), ("38", "failed")])
def test_an_old_pbxs_hangup_cause_says_how_an_unanswered_leg_ended(cause: str, end: str) -> None:
    at = Desk({"101": [user(1, "101")]})
    hangup = said("Hangup", Channel="SIP/101-02", Uniqueid="1.2", Cause=cause)
    for message in [NEWCHANNEL_18, DIAL_18, hangup, said("Hangup", Uniqueid="1.1", Cause="16")]:
        at.feed(*translate(message))
    assert at.story(1) == ["ringing", end]


_KEYS = st.sampled_from(
    [
        "Uniqueid",
        "DestUniqueid",
        "Channel",
        "DestChannel",
        "ChannelState",
        "Cause",
        "DialStatus",
        "DialString",
        "Linkedid",
        "BridgeUniqueid",
        "SwapUniqueid",
        "Uniqueid1",
        "Uniqueid2",
        "SubEvent",
        "Queue",
        "Newname",
        "UniqueID",
    ]
)


_SNAPSHOT = (
    "Channel", "ChannelState", "ChannelStateDesc", "CallerIDNum", "CallerIDName", "ConnectedLineNum",
    "ConnectedLineName", "Language", "AccountCode", "Context", "Exten", "Priority", "Uniqueid", "Linkedid",
)  # fmt: skip
_VALUES = st.sampled_from(["", "<unknown>", "6", "1.1", "x" * 300, "a: b"]) | st.text(max_size=12)


@given(st.lists(_VALUES, min_size=28, max_size=28))
def test_hostile_values_are_the_same_to_a_snapshot_read_at_once_and_header_by_header(values: list[str]) -> None:
    keys = [prefix + key for prefix in ("", "Dest") for key in _SNAPSHOT]
    values = [value.replace("\r\n", " ") for value in values]
    headers = {"Event": "DialBegin", **dict(zip(keys, values, strict=True)), "DialString": "101"}
    text = "\r\n".join(f"{key}: {value}" for key, value in headers.items())
    assert translate(Message("DialBegin", Headers(text))) == translate(Message("DialBegin", headers))


@given(st.sampled_from(sorted(WANTED)), st.dictionaries(_KEYS, st.text(max_size=12)))
def test_no_headers_make_the_translation_or_the_tracker_raise(event: str, headers: dict[str, str]) -> None:
    at = Desk({"101": [user(1, "101")]})
    facts = translate(Message(event, headers))
    at.feed(*facts)
    assert all(not isinstance(fact, HungUp) or fact.channel.uniqueid for fact in facts)
