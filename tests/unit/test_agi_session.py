"""AGISession over a real socket pair, in a thread of its own, as the server uses it."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastagi import agi_session
from fastagi.agi_session import AGIError, AGIException, AGIHangup, AGISession, BadRequest, PeerTooSlow
from tests.agi_peer import request
from tests.levels import within


def talk(sent: bytes, use: Callable[[AGISession], object] = lambda session: session, *, close: bool = True) -> object:
    """What `use` makes of a session whose peer sends `sent` at once, and then closes or stays silent."""
    ours, theirs = socket.socketpair()
    ours.settimeout(None)
    with ours, theirs:
        theirs.sendall(sent)
        if close:
            theirs.shutdown(socket.SHUT_WR)
        return use(AGISession(ours))


def commands(replies: bytes, use: Callable[[AGISession], object]) -> bytes:
    """The bytes that the session sends while it uses `replies`."""
    ours, theirs = socket.socketpair()
    ours.settimeout(None)
    with ours, theirs:
        theirs.sendall(b"".join(request()) + replies)
        use(AGISession(ours))
        return theirs.recv(65_536)


def test_a_request_is_read_as_asterisk_sends_it() -> None:
    session = talk(b"".join(request("84951234567", "1760000000.1", "vars", "name", calleridname='Иван "x": y')))
    assert isinstance(session, AGISession)
    assert session.route == "announce"
    assert session.arguments() == ["84951234567", "1760000000.1", "vars", "name"]
    assert session.env["agi_calleridname"] == 'Иван "x": y'
    assert session.env["agi_accountcode"] == ""


def test_a_session_works_in_any_thread() -> None:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(talk(b"".join(request()))))
    thread.start()
    thread.join(within(5))
    assert found


def test_the_query_of_a_route_is_cut_off() -> None:
    session = talk(b"".join(request(route="announce?x=1")))
    assert isinstance(session, AGISession)
    assert session.route == "announce"


def test_nothing_of_a_call_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    commands(b"200 result=1\n", lambda session: session.set_variable("A", "b"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Иван".encode("cp1251"), "Иван"),
        ("Иванов Иван".encode()[:-1], "Иванов Ива\ufffd"),  # cut in the middle of a character
        (b"\xff\xfe\x00", "яю\x00"),
        ("a\u2028agi_arg_1: 666".encode(), "a\u2028agi_arg_1: 666"),
        ("\x0bx\x85y\x1c".encode(), "\x0bx\x85y\x1c".encode().decode()),
    ],
)
def test_a_name_in_any_bytes_is_text_and_leaves_the_other_lines_alone(raw: bytes, text: str) -> None:
    session = talk(b"".join(request("101", calleridname=raw, accountcode="Ъ")))
    assert isinstance(session, AGISession)
    assert session.env["agi_calleridname"] == text
    assert session.env["agi_accountcode"] == "Ъ"
    assert session.arguments() == ["101"]


def test_a_line_break_in_a_name_cannot_smuggle_in_another_number() -> None:
    with pytest.raises(BadRequest, match="twice"):
        talk(b"".join(request("101", calleridname="x\nagi_arg_1: 102")))


@pytest.mark.parametrize("arguments", [[], ["101"], ["101", "1760000000.1", ""]])
def test_nor_can_it_smuggle_in_an_argument_that_the_dialplan_did_not_give(arguments: list[str]) -> None:
    name = f"x\nagi_arg_{len(arguments) + 1}: now"
    with pytest.raises(BadRequest, match="between other lines"):
        talk(b"".join(request(*arguments, calleridname=name)), lambda session: session.arguments())


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02", b"\n", b"\n\n", b"x" * 100_000])
def test_what_is_no_agi_request_ends_at_once(sent: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(BadRequest):
        talk(sent, close=False)
    assert time.monotonic() - started < within(0.2)


def test_a_header_of_a_megabyte_is_not_collected() -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(None)
    with ours, theirs:
        theirs.settimeout(within(5))
        feeder = threading.Thread(target=lambda: _send_until_closed(theirs, b"agi_x: " + b"y" * 1_000_000))
        feeder.start()
        with pytest.raises(BadRequest, match="32768 bytes"):
            AGISession(ours)
        ours.close()
        feeder.join(within(5))


def _send_until_closed(sock: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        sock.sendall(data)


@pytest.mark.parametrize(
    "sent", [b"", b"agi_", b"agi_network: yes\n", b"agi_network: yes\nagi_network_script: announce"]
)
def test_a_peer_that_closes_in_mid_request_is_a_hangup(sent: bytes) -> None:
    with pytest.raises(AGIHangup):
        talk(sent)


def test_a_connection_reset_is_a_hangup() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    theirs = socket.create_connection(listener.getsockname())
    ours, _ = listener.accept()
    with listener, ours:
        theirs.sendall(b"agi_network: yes\n")
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        with pytest.raises(AGIHangup):
            AGISession(ours)


def test_a_silent_peer_is_given_up_at_the_deadline() -> None:
    started = time.monotonic()
    with pytest.raises(PeerTooSlow):
        talk(b"agi_network: yes\n", close=False)
    assert agi_session.ENV_DEADLINE <= time.monotonic() - started < within(agi_session.ENV_DEADLINE + 0.3)


def test_a_peer_that_drips_bytes_is_given_up_at_the_same_deadline() -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(None)
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.02):
            theirs.sendall(b"agi_a: b\n")

    with ours, theirs:
        thread = threading.Thread(target=drip)
        thread.start()
        started = time.monotonic()
        try:
            with pytest.raises(PeerTooSlow):
                AGISession(ours)
        finally:
            stop.set()
            thread.join(within(5))
        assert time.monotonic() - started < within(agi_session.ENV_DEADLINE + 0.3)


def test_a_silent_peer_is_given_up_earlier_while_other_calls_wait() -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(None)
    started = time.monotonic()
    with ours, theirs, pytest.raises(PeerTooSlow, match="other calls wait"):
        AGISession(ours, crowded=lambda: True)
    assert time.monotonic() - started < within(agi_session.PATIENCE + 0.1)


def test_others_are_let_past_once_when_the_peer_makes_the_session_wait() -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(None)
    let_past: list[bool] = []
    with ours, theirs, pytest.raises(PeerTooSlow):
        AGISession(ours, step_aside=lambda: let_past.append(True))
    assert let_past == [True]


def test_a_command_without_a_reply_is_given_up_at_the_sessions_deadline() -> None:
    started = time.monotonic()
    with pytest.raises(PeerTooSlow):
        talk(b"".join(request()), lambda session: session.noop(), close=False)
    assert time.monotonic() - started < within(1.2)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("Иван", '"Иван"'),
        ('Bob"\nEXEC System "rm', '"Bob\\"EXEC System \\"rm"'),
        ("tail\\", '"tail\\\\"'),
        ("a\r\n\0b", '"ab"'),
        ("${SHELL(id)}", '"${SHELL(id)}"'),
        ("\udcff", '"?"'),
        (7, '"7"'),
    ],
)
def test_a_value_stays_one_argument_of_one_command(value: object, sent: str) -> None:
    out = commands(b"200 result=1\n", lambda session: session.set_variable("X", value))
    assert out.decode() == f'SET VARIABLE "X" {sent}\n'


def test_an_unquoted_argument_cannot_start_a_second_command() -> None:
    out = commands(b"200 result=1\n", lambda session: session.set_callerid('1\nEXEC System "x"'))
    assert out.count(b"\n") == 1


def test_a_command_longer_than_asterisks_buffer_is_not_sent() -> None:
    with pytest.raises(AGIError, match="8190"):
        talk(b"".join(request()), lambda session: session.set_variable("X", "я" * 4_100))
    assert commands(b"200 result=1\n", lambda session: session.set_variable("X", "y" * 8_000))


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"HANGUP\n", AGIHangup),
        (b"HANGUP\n200 result=1\n", AGIHangup),
        (b"", AGIHangup),
        (b"511 Command Not Permitted on a dead channel or intercept routine\n", AGIHangup),
        (b"510 Invalid or unknown command\n", agi_session.AGIInvalidCommand),
        (b"520 Invalid command syntax.  Proper usage not available.\n", agi_session.AGIUsageError),
        (b"520-Invalid command syntax.\nUsage: x\n520 End of proper usage.\n", agi_session.AGIUsageError),
        (b"520-Invalid command syntax.\nUsage: x\n", AGIHangup),  # and then the end: pyst2 loops for ever
        (b"200 result=-1\n", agi_session.AGIAppError),
        (b"200 result=1 (hangup)\n", AGIHangup),
        (b"agi_arg_2: left over after a blank line in a name\n", agi_session.AGIUnknownError),
        (b"200 nonsense\n", agi_session.AGIUnknownError),
        (b"\n", agi_session.AGIUnknownError),
        (b"\xff\xfe\n", agi_session.AGIUnknownError),
        (b"200 result=1 (" + b"x" * 20_000, BadRequest),
        (b"520-usage\n" + b"Usage\n" * 20_000, AGIException),
    ],
)
def test_every_bad_reply_ends_in_an_exception_of_the_tree(reply: bytes, error: type[AGIException]) -> None:
    started = time.monotonic()
    with pytest.raises(error):
        talk(b"".join(request()) + reply, lambda session: session.noop())
    assert time.monotonic() - started < within(1)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (b"200 result=1 (a (b) c)\n", "a (b) c"),
        (b"100 Trying\n200 result=1 (x)\n", "x"),
        (b"200 result=1 ()\n", ""),
        (b"200 result=0\n", ""),
        ("200 result=1 (Иван)\n".encode(), "Иван"),
    ],
)
def test_a_variables_value_is_read_whole(reply: bytes, value: str) -> None:
    assert talk(b"".join(request()) + reply, lambda session: session.get_variable("X")) == value


def test_words_after_a_result_are_read() -> None:
    reply = talk(b"".join(request()) + b"200 result=0 endpos=8000\n", lambda session: session.execute("STREAM FILE"))
    assert reply == {"result": ("0", ""), "endpos": ("8000", "")}


def test_replies_that_arrive_in_pieces_and_together_are_told_apart() -> None:
    def use(session: AGISession) -> list[str]:
        return [session.get_variable("A"), session.get_variable("B")]

    assert talk(b"".join(request()) + b"200 result=1 (a)\n200 result=1 (b)\n", use) == ["a", "b"]


@given(st.binary(max_size=300), st.booleans())
@settings(max_examples=300, deadline=None)
def test_no_bytes_raise_anything_but_agis_own_exceptions(data: bytes, as_reply: bool) -> None:
    head = b"".join(request("101")) if as_reply else b"agi_network: yes\n"
    with contextlib.suppress(AGIException):
        talk(head + data, lambda session: session.get_variable("X"))
