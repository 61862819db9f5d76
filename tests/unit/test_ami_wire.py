"""The AMI parser: what Asterisk sends, what a hostile caller can make it send, and what is not AMI at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastagi.ami_wire import MAX_BLOCK, AmiParser, Banner, Message, NotAmi, encode_action, every_value

BANNER = b"Asterisk Call Manager/11.0.0\r\n"


def parsed(data: bytes, *, wanted: tuple[str, ...] = ("Hangup",)) -> list[Banner | Message]:
    return list(AmiParser(wanted).receive(BANNER + data))[1:]


def test_the_banner_tells_the_protocols_version() -> None:
    assert list(AmiParser(()).receive(BANNER)) == [Banner("11.0.0")]


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 400 Bad Request\r\n", b"x" * 300])
def test_a_peer_that_is_no_ami_is_refused_with_what_to_do(greeting: bytes) -> None:
    with pytest.raises(NotAmi, match="ZVONOK_AMI_PORT"):
        list(AmiParser(()).receive(greeting))


def test_only_wanted_events_are_parsed_and_the_others_counted() -> None:
    parser = AmiParser(["Hangup"])
    data = BANNER + b"Event: VarSet\r\nValue: x\r\n\r\nEvent: Hangup\r\nCause: 16\r\n\r\n"
    assert list(parser.receive(data))[1:] == [Message("Hangup", {"Event": "Hangup", "Cause": "16"})]
    assert parser.skipped == 1


def test_a_response_has_no_event_name_and_knows_its_action() -> None:
    (message,) = parsed(b"Response: Success\r\nActionID: a-1\r\nEventList: start\r\n\r\n")
    assert isinstance(message, Message)
    assert (message.event, message.action_id, message.succeeded, message.ends_list) == ("", "a-1", True, False)


def test_a_lists_last_event_says_so() -> None:
    (message,) = parsed(b"Event: Done\r\nEventList: Complete\r\n\r\n", wanted=("Done",))
    assert isinstance(message, Message)
    assert message.ends_list


def test_repeated_headers_keep_all_their_values() -> None:
    (message,) = parsed(b"Event: Hangup\r\nChanVariable: a=1\r\nChanVariable: b=2\r\n\r\n")
    assert isinstance(message, Message)
    assert every_value(message.headers, "ChanVariable") == ["a=1", "b=2"]
    assert message.headers["ChanVariable"] == "a=1"


def test_a_header_repeated_ten_thousand_times_is_no_trouble() -> None:
    (message,) = parsed(b"Event: Hangup\r\n" + b"X: 1\r\n" * 10_000 + b"Cause: 16\r\n\r\n")
    assert isinstance(message, Message)
    assert len(every_value(message.headers, "X")) == 10_000
    assert (message.headers["Cause"], len(message.headers)) == ("16", 3)


def test_a_header_is_found_by_its_whole_name_only() -> None:
    (message,) = parsed(b"Event: Hangup\r\nDestChannel: b\r\nChannelState: 6\r\nX: Channel: c\r\n\r\n")
    assert isinstance(message, Message)
    assert message.headers.get("Channel") is None
    assert message.headers.get("Event") == "Hangup"
    assert dict(message.headers) == {"Event": "Hangup", "DestChannel": "b", "ChannelState": "6", "X": "Channel: c"}


def test_a_channel_variable_header_with_a_channel_name_is_just_a_header() -> None:
    (message,) = parsed(b"Event: Hangup\r\nChanVariable(PJSIP/101-1): x=y\r\nCause: 16\r\n\r\n")
    assert isinstance(message, Message)
    assert message.headers["Cause"] == "16"


def test_an_empty_value_without_its_space_is_empty() -> None:
    (message,) = parsed(b"Event: Hangup\r\nAccountCode:\r\nCause: 16\r\n\r\n")
    assert isinstance(message, Message)
    assert (message.headers["AccountCode"], message.headers["Cause"]) == ("", "16")


def test_a_value_may_have_colons_and_words_of_the_protocol_in_it() -> None:
    (message,) = parsed(b"Event: Hangup\r\nCallerIDName: Response: Error, status will follow\r\n\r\n")
    assert isinstance(message, Message)
    assert message.headers["CallerIDName"] == "Response: Error, status will follow"


def test_a_line_of_10_kb_and_invalid_utf8_are_text() -> None:
    (message,) = parsed(b"Event: Hangup\r\nCallerIDName: " + b"\xcf\xe5\xf2" + b"x" * 10_000 + b"\r\n\r\n")
    assert isinstance(message, Message)
    assert message.headers["CallerIDName"] == "\ufffd" * 3 + "x" * 10_000


def test_an_endless_event_is_dropped_and_the_next_one_is_read() -> None:
    parser = AmiParser(["Hangup"])
    list(parser.receive(BANNER + b"Event: Hangup\r\nX: "))
    for _ in range(2 * MAX_BLOCK // 65536):
        assert list(parser.receive(b"y" * 65536)) == []
    after = list(parser.receive(b"\r\n\r\nEvent: Hangup\r\nCause: 16\r\n\r\n"))
    assert [message.headers["Cause"] for message in after if isinstance(message, Message)] == ["16"]
    assert parser.oversized == 1


def test_a_block_without_any_header_is_counted() -> None:
    parser = AmiParser(["Hangup"])
    assert list(parser.receive(BANNER + b"garbage\r\n\r\n"))[1:] == []
    assert parser.malformed == 1


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_whatever_follows_the_banner_nothing_raises(chunks: list[bytes]) -> None:
    parser = AmiParser(["Hangup"])
    list(parser.receive(BANNER))
    for chunk in chunks:
        list(parser.receive(chunk))


@given(st.text(max_size=30), st.text(max_size=30))
def test_an_action_is_one_block_or_refused(key: str, value: str) -> None:
    try:
        data = encode_action("CoreStatus", "a-1", [(key, value)])
    except ValueError:
        return
    assert data.count(b"\r\n") == 4
    assert data.startswith(b"Action: CoreStatus\r\nActionID: a-1\r\n")
    assert data.endswith(b"\r\n\r\n")
    assert b"\n" not in data.replace(b"\r\n", b"")


@pytest.mark.parametrize("value", ["x\r\nAction: Originate", "x\ny", "x\ry", "x\0y", "x" * 1001])
def test_an_action_that_could_become_two_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="Secret"):
        encode_action("Login", "a-1", [("Secret", value)])
