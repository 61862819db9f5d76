"""The FastAGI server's pool over real TCP connections."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import pytest

from fastagi import agi_server
from fastagi.agi_probe import NoAnswerError, probe
from fastagi.agi_server import AgiServer, Route
from fastagi.agi_session import AGISession
from tests.agi_peer import connected, request
from tests.levels import within
from zvonok.address import Address
from zvonok.errors import UsageError, ZvonokError

LOOPBACK = Address("127.0.0.1", 0)


def answer(session: AGISession) -> str:
    session.verbose("hello")
    return "ok"


@contextmanager
def serving(routes: Mapping[str, Route], *, workers: int = 4) -> Iterator[AgiServer]:
    server = AgiServer(LOOPBACK, routes, workers=workers)
    server.start()
    try:
        yield server
    finally:
        assert server.stop(timeout=within(3))


def eventually(condition: Callable[[], object]) -> None:
    until = time.monotonic() + within(5)
    while not condition():
        assert time.monotonic() < until, "not in time"
        time.sleep(0.005)


def sessions(server: AgiServer) -> dict[str, int]:
    return server.tally.stats(busy=0, facts_lost=0).sessions


def test_a_route_serves_its_sessions_and_they_are_counted() -> None:
    with serving({"announce": answer}) as server:
        for _ in range(10):
            with connected(server.address) as peer:
                assert peer.run(request("101")) == ['VERBOSE "hello" 1']
        eventually(lambda: sessions(server) == {"ok": 10})


def test_an_unknown_route_is_told_in_asterisks_console_and_the_call_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    with serving({"announce": answer}) as server:
        with connected(server.address) as peer:
            [command] = peer.run(request(route='anounce"'))
        assert command.startswith("VERBOSE \"zvonok has no AGI route 'anounce\\\"', only announce")
        eventually(lambda: sessions(server) == {"unknown_route": 1})
    assert "call 1760000000.1" in caplog.text


def test_a_mistake_in_a_route_costs_one_session_and_no_worker(caplog: pytest.LogCaptureFixture) -> None:
    def broken(session: AGISession) -> str:
        raise KeyError("oops")

    with serving({"broken": broken, "announce": answer}, workers=1) as server:
        for _ in range(3):
            with connected(server.address) as peer:
                assert peer.run(request(route="broken")) == []
        with connected(server.address) as peer:
            assert peer.run(request()) == ['VERBOSE "hello" 1']
        eventually(lambda: sessions(server) == {"failed": 3, "ok": 1})
    assert "please report it" in caplog.text


@pytest.mark.parametrize(
    ("sent", "result"),
    [
        (b"", "hangup"),
        (b"agi_network: yes\n", "hangup"),
        (b"GET / HTTP/1.1\r\n\r\n", "bad_request"),
        (b"".join(request("101")) + b"HANGUP\n", "hangup"),
        (b"".join(request("101")) + b"510 What?\n", "refused_command"),
    ],
)
def test_every_way_a_session_ends_has_its_result(sent: bytes, result: str) -> None:
    with serving({"announce": answer}) as server:
        with connected(server.address) as peer:
            peer.sock.sendall(sent)
            peer.sock.shutdown(socket.SHUT_WR)
            for _ in peer.lines():
                pass
        eventually(lambda: sessions(server) == {result: 1})


def test_who_is_not_on_the_list_is_refused(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agi_server, "_allow_list", lambda allow, own: lambda host: False)
    with serving({"announce": answer}) as server:
        with connected(server.address) as peer:
            assert peer.run(request()) == []
        eventually(lambda: sessions(server) == {"refused": 1})
    assert "127.0.0.1: it is not in ZVONOK_AGI_ALLOW" in caplog.text


@pytest.mark.parametrize(
    ("own", "allow", "host", "allowed"),
    [
        ("127.0.0.1", [], "127.0.0.1", True),
        ("127.0.0.1", [], "10.0.0.5", False),
        ("10.0.0.1", [], "10.0.0.1", True),
        ("10.0.0.1", ["10.0.0.5/32"], "10.0.0.5", True),
        ("10.0.0.1", ["10.0.0.5/32"], "10.0.0.6", False),
        ("10.0.0.1", ["10.0.0.5/32"], "127.0.0.1", True),
        ("0.0.0.0", [], "10.0.0.5", False),
        ("::", ["10.0.0.0/24"], "::ffff:10.0.0.5", True),
        ("::", [], "::ffff:10.0.0.5", False),
        ("::", ["fe80::/64"], "fe80::1%eth0", True),
    ],
)
def test_the_list_names_this_host_and_those_that_were_named(
    own: str, allow: list[str], host: str, allowed: bool
) -> None:
    assert agi_server._allow_list(allow, own=own)(host) is allowed


def test_calls_that_wait_for_something_do_not_keep_others_from_their_turn() -> None:
    release = threading.Event()

    def waits(session: AGISession) -> str:
        session.step_aside()
        release.wait(within(10))
        return "ok"

    waiting = agi_server.TURNS + 2
    with ExitStack() as peers, serving({"waits": waits, "announce": answer}, workers=waiting + 1) as server:
        for _ in range(waiting):
            peers.enter_context(connected(server.address)).send(request(route="waits"))
        eventually(lambda: server.busy == waiting)
        for _ in range(3):
            with connected(server.address) as peer:
                assert peer.run(request("101")) == ['VERBOSE "hello" 1']
        release.set()
        eventually(lambda: sessions(server) == {"ok": waiting + 3})


def test_the_probe_is_a_whole_session_and_is_not_counted() -> None:
    with serving({}) as server:
        assert 0 < probe(server.address, timeout=within(1)) < within(1)
        time.sleep(0.05)
        assert sessions(server) == {}


def test_the_probe_fails_when_the_pool_hangs() -> None:
    release = threading.Event()

    def hang(session: AGISession) -> str:
        release.wait(within(10))
        return "ok"

    with (
        serving({"hang": hang}, workers=2) as server,
        connected(server.address) as one,
        connected(server.address) as two,
    ):
        one.send(request(route="hang"))
        two.send(request(route="hang"))
        eventually(lambda: server.busy == 2)
        with pytest.raises(NoAnswerError, match="is zvonok fastagi running"):
            probe(server.address, timeout=0.3)
        release.set()
        eventually(lambda: server.busy == 0)
        probe(server.address, timeout=within(2))


def test_the_probe_fails_where_nothing_or_something_else_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = Address(*listener.getsockname())
        with pytest.raises(NoAnswerError, match="no FastAGI answer"):
            probe(address, timeout=0.1)
    with pytest.raises(NoAnswerError, match="no FastAGI answer"):
        probe(address, timeout=0.1)


def test_sessions_in_hand_finish_when_the_server_stops_and_new_calls_are_refused_at_once() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def slow(session: AGISession) -> str:
        entered.set()
        assert go_on.wait(within(5))
        return answer(session)

    server = AgiServer(LOOPBACK, {"announce": slow}, workers=4)
    server.start()
    with connected(server.address) as peer:
        calling = threading.Thread(target=peer.run, args=(request(),))
        calling.start()
        assert entered.wait(within(5))
        stopping = threading.Thread(target=server.stop, kwargs={"timeout": within(5)})
        stopping.start()
        eventually(lambda: not _accepts(server.address))
        go_on.set()
        calling.join(within(5))
        stopping.join(within(5))
        assert peer.commands == ['VERBOSE "hello" 1']


def _accepts(address: Address) -> bool:
    try:
        socket.create_connection((address.host, address.port), timeout=within(1)).close()
    except OSError:
        return False
    return True


def test_stop_says_so_when_a_session_does_not_end() -> None:
    release = threading.Event()
    entered = threading.Event()

    def hang(session: AGISession) -> str:
        entered.set()
        release.wait(within(10))
        return "ok"

    server = AgiServer(LOOPBACK, {"announce": hang}, workers=2)
    server.start()
    with connected(server.address) as peer:
        peer.send(request())
        assert entered.wait(within(5))
        assert not server.stop(timeout=0.1)
        release.set()


def test_a_burst_of_calls_at_once_loses_none() -> None:
    with serving({"announce": answer}, workers=64) as server:
        results: list[list[str]] = []

        def call() -> None:
            with connected(server.address) as peer:
                results.append(peer.run(request("101")))

        calls = [threading.Thread(target=call) for _ in range(100)]
        for thread in calls:
            thread.start()
        for thread in calls:
            thread.join(within(10))
        assert results == [['VERBOSE "hello" 1']] * 100


def test_a_port_in_use_and_a_unix_socket_are_clear_errors() -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    with taken, pytest.raises(ZvonokError, match=r"ZVONOK_AGI_LISTEN.*another zvonok fastagi"):
        AgiServer(Address(*taken.getsockname()), {})
    with pytest.raises(UsageError, match="TCP only"):
        AgiServer(Address(path="/run/agi.sock"), {})


def test_nothing_of_a_good_call_is_logged_at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with serving({"announce": answer}) as server, connected(server.address) as peer:
        peer.run(request("84951234567"))
    assert caplog.text == ""
