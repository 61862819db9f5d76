"""What bad peers, and a hung server, do to the next call. The whole process, `zvonok fastagi`, runs here."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from fastagi.agi_probe import NoAnswerError, probe
from fastagi.fact_link import FactReceiver, LinkMessage
from fastagi.facts import Announced, FastagiStats
from tests.agi_peer import connected, request
from tests.fastagi_process import Fastagi
from tests.levels import within


@pytest.fixture
def fastagi(tmp_path: Path) -> Iterator[Fastagi]:
    server = Fastagi(tmp_path)
    yield server
    server.stop()


def eventually(condition: Callable[[], object]) -> None:
    until = time.monotonic() + within(5)
    while not condition():
        assert time.monotonic() < until, "not in time"
        time.sleep(0.01)


@pytest.mark.parametrize(
    "first_bytes", [b"", b"agi_network: yes\nagi_network_script: announce\n"], ids=["silent", "half a request"]
)
def test_behind_200_idle_connections_a_call_waits_a_second_at_most(fastagi: Fastagi, first_bytes: bytes) -> None:
    with ExitStack() as open_connections:
        for _ in range(200):
            peer = open_connections.enter_context(connected(fastagi.address))
            peer.sock.sendall(first_bytes)
        assert fastagi.call() < within(1.0)
        eventually(lambda: fastagi.log.read_text().count("given up") >= 190)
    assert fastagi.call() < within(0.2)


def test_peers_that_drip_bytes_for_ever_hold_up_no_call(fastagi: Fastagi) -> None:
    stop = threading.Event()

    def drip() -> None:
        while not stop.is_set():
            with connected(fastagi.address) as peer:
                try:
                    while not stop.wait(0.05):
                        peer.sock.sendall(b"agi_a: b\n")
                except OSError:
                    continue  # thrown out: come again

    threads = [threading.Thread(target=drip) for _ in range(100)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(0.3)
        slowest = max(fastagi.call() for _ in range(5))
    finally:
        stop.set()
        for thread in threads:
            thread.join(within(5))
    assert slowest < within(1.0)


@pytest.mark.parametrize(
    "garbage",
    [
        b"".join(request("101", calleridname=b"\xc8\xe2\xe0\xed\xff"))[:-1],  # no blank line
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01" + bytes(200),
        b"agi_x: " + b"y" * 1_000_000,
        b"agi_network: yes\n" * 50_000,
        bytes(range(256)) * 40,
    ],
    ids=["no blank line", "http", "tls", "a megabyte in a line", "a megabyte in lines", "every byte"],
)
def test_garbage_ends_by_its_deadline_with_a_log_line(fastagi: Fastagi, garbage: bytes) -> None:
    with connected(fastagi.address) as peer:
        started = time.monotonic()
        try:
            peer.sock.sendall(garbage)
            assert peer.sock.recv(100) == b""
        except ConnectionError:
            pass
        assert time.monotonic() - started < within(1.0)
    eventually(lambda: "connection from 127.0.0.1: " in fastagi.log.read_text())
    assert fastagi.call() < within(0.2)


def test_facts_reach_the_tap_and_stats_follow(fastagi: Fastagi) -> None:
    fastagi.call()
    connection, _ = fastagi.tap.accept()
    connection.settimeout(within(10))
    receiver = FactReceiver()
    messages: list[LinkMessage] = []
    while sum(isinstance(message, FastagiStats) for message in messages) < 2:
        messages += receiver.feed(connection.recv(65_536))
    connection.close()
    [fact] = [message for message in messages if isinstance(message, Announced)]
    assert (fact.number, fact.caller_number) == ("84951234567", "79271390907")
    stats = messages[-1]
    assert isinstance(stats, FastagiStats)
    assert stats.sessions == {"announced": 1}
    assert stats.workers == 64


def test_without_a_database_the_dialplan_hears_so_and_the_call_goes_on(fastagi: Fastagi) -> None:
    with connected(fastagi.address) as peer:
        assert peer.run(request("101", "1.1", "name")) == ['SET VARIABLE "ZVONOK_STATUS" "ERROR"']
    eventually(lambda: "no database is set (ZVONOK_DATABASE_URL)" in fastagi.log.read_text())
    assert "79271390907" not in fastagi.log.read_text()


def test_the_watchdog_is_fed_by_sessions_and_a_stopped_process_starves_it_and_survives(tmp_path: Path) -> None:
    fastagi = Fastagi(tmp_path, watchdog=0.6)
    try:
        for _ in range(3):
            assert fastagi.told() == "WATCHDOG=1"
        fastagi.process.send_signal(signal.SIGSTOP)
        os.waitpid(fastagi.process.pid, os.WUNTRACED)  # returns when it has stopped
        with pytest.raises(NoAnswerError):
            probe(fastagi.address, timeout=0.5)
        fastagi.systemd.setblocking(False)
        with pytest.raises(BlockingIOError):  # nothing came after what was on its way
            all(fastagi.told() for _ in range(10))
    finally:
        assert fastagi.stop() == 0


def test_sighup_reads_the_log_level_again_and_a_bad_one_changes_nothing(fastagi: Fastagi) -> None:
    fastagi.env_file.write_text("ZVONOK_LOG_LEVEL=DEBUG\n")
    fastagi.process.send_signal(signal.SIGHUP)
    eventually(lambda: "log level is now DEBUG" in fastagi.log.read_text())
    fastagi.env_file.write_text("ZVONOK_LOG_LEVEL=LOUD\n")
    fastagi.process.send_signal(signal.SIGHUP)
    eventually(lambda: "the log level stays: ZVONOK_LOG_LEVEL" in fastagi.log.read_text())
    assert fastagi.call() < within(1)


def test_sigterm_ends_the_process_at_once_when_nobody_calls(fastagi: Fastagi) -> None:
    started = time.monotonic()
    assert fastagi.stop() == 0
    assert time.monotonic() - started < within(1)


def test_the_process_loads_nothing_that_belongs_to_others(tmp_path: Path) -> None:
    code = "import sys, json, fastagi.agi_server; print(json.dumps(sorted(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    loaded = {name.partition(".")[0] for name in msgspec.json.decode(out, type=list[str])}
    assert loaded.isdisjoint({"aiohttp", "prometheus_client", "jwt", "notifier"})
