"""The link between the FastAGI server and the tap, over real unix sockets."""

import asyncio
import os
import socket
import stat
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastagi import fact_link
from fastagi.fact_link import FactReceiver, FactSender, LinkMessage, serve_facts
from fastagi.facts import Announced, FastagiStats
from tests.levels import within
from zvonok.call import Caller, Kind
from zvonok.errors import ZvonokError

STATS = FastagiStats(started_at=1, sessions={"ok": 1}, durations=[1], seconds=0.1, workers=64, busy=0, facts_lost=0)


def fact(number: int = 1, *, name: str = "Иван\n") -> Announced:
    caller = Caller(name=name, kind=Kind.USER, id=1, matches=1)
    return Announced(uniqueid=f"1.{number}", linkedid="1.1", channel="PJSIP/1-1", number="101", caller=caller)


def line(message: LinkMessage) -> bytes:
    return msgspec.json.encode(message) + b"\n"


@asynccontextmanager
async def tap(path: Path) -> AsyncIterator[list[LinkMessage]]:
    """A serving receiver, and what it has received so far."""
    received: list[LinkMessage] = []
    listening = asyncio.Event()
    serving = asyncio.create_task(serve_facts(path, received.append, received.append, listening=listening))
    waiting = asyncio.create_task(listening.wait())
    await asyncio.wait({serving, waiting}, timeout=within(5), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if serving.done():
        serving.result()
    try:
        yield received
    finally:
        serving.cancel()
        await asyncio.wait({serving})


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(within(5)):
        while not condition():
            await asyncio.sleep(0.005)


async def test_facts_and_stats_arrive_in_order(tmp_path: Path) -> None:
    sender = FactSender(tmp_path / "facts.sock")
    async with tap(tmp_path / "facts.sock") as received:
        sender.send(fact(1))
        sender.send(STATS)
        sender.send(fact(2))
        await until(lambda: len(received) == 3)
        assert received == [fact(1), STATS, fact(2)]
    sender.close()
    assert sender.lost == 0


async def test_only_its_owner_may_write_to_the_socket(tmp_path: Path) -> None:
    path = tmp_path / "facts.sock"
    async with tap(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_socket_file_left_by_a_killed_tap_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "facts.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with tap(path) as received:
        FactSender(path).send(fact())
        await until(lambda: received)


async def test_two_taps_on_one_socket_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "facts.sock"
    async with tap(path) as received:
        with pytest.raises(ZvonokError, match="another zvonok tap"):
            await serve_facts(path, received.append)
        FactSender(path).send(fact())
        await until(lambda: received)


async def test_a_missing_directory_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ZvonokError, match="ZVONOK_RUNTIME_DIR"):
        await serve_facts(tmp_path / "none" / "facts.sock", lambda _: None)


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "facts.sock"
    path.write_text("precious")
    with pytest.raises(ZvonokError):
        await serve_facts(path, lambda _: None)
    assert path.read_text() == "precious"


async def test_garbage_is_skipped_and_the_next_fact_arrives(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "facts.sock"
    garbage = [b"\n", b"{\n", b"[]\n", b"\xff\xfe\n", b'{"type":"alien"}\n', b'{"type":"announced"}\n', b"x" * 200_000]
    garbage += [b"[" * 5000 + b"\n", b'{"type":"announced","x":' + b"[" * 5000 + b"\n"]
    async with tap(path) as received:
        _, writer = await asyncio.open_unix_connection(str(path))
        for data in garbage:
            writer.write(data)
            await writer.drain()
        writer.write(b"\n" + line(fact()))
        await until(lambda: received)
        writer.close()
        assert received == [fact()]
    assert "no facts" in caplog.text


async def test_a_receiver_that_fails_ends_the_service(tmp_path: Path) -> None:
    path = tmp_path / "facts.sock"
    listening = asyncio.Event()

    def broken(_: Announced) -> None:
        raise RuntimeError("broken tracker")

    serving = asyncio.create_task(serve_facts(path, broken, listening=listening))
    await listening.wait()
    FactSender(path).send(fact())
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(serving, within(5))
    assert caught.group_contains(RuntimeError, match="broken tracker")


async def test_a_tap_that_comes_back_gets_what_waited_and_the_last_seconds_again(tmp_path: Path) -> None:
    path = tmp_path / "facts.sock"
    sender = FactSender(path)
    async with tap(path) as received:
        sender.send(fact(1))
        await until(lambda: received)
    sender.send(fact(2))  # the connection is broken; this write may be the one that finds out
    sender.send(fact(3))
    async with tap(path) as received:
        await asyncio.sleep(fact_link.RETRY)
        sender.flush()
        await until(lambda: len(received) == 3)
        assert received == [fact(1), fact(2), fact(3)]
    assert sender.lost == 0


async def test_what_a_dead_tap_may_not_have_read_comes_again_without_another_call(tmp_path: Path) -> None:
    path = tmp_path / "facts.sock"
    sender = FactSender(path)
    async with tap(path) as received:
        sender.send(fact(1))
        await until(lambda: received)
    sender.flush()  # as each second: notices
    async with tap(path) as received:
        await asyncio.sleep(fact_link.RETRY)
        sender.flush()
        await until(lambda: received)
        assert received == [fact(1)]


async def test_what_was_sent_long_ago_is_not_sent_again(tmp_path: Path) -> None:
    path, now = tmp_path / "facts.sock", 0.0
    sender = FactSender(path, clock=lambda: now)
    async with tap(path) as received:
        sender.send(fact(1))
        now = fact_link.REPEAT + 0.1
        sender.send(fact(2))
        await until(lambda: len(received) == 2)
    sender.flush()
    async with tap(path) as received:
        now += fact_link.RETRY
        sender.flush()
        await until(lambda: received)
        assert received == [fact(2)]


def test_without_a_tap_facts_wait_for_a_minute_and_are_counted_then(tmp_path: Path) -> None:
    now = 0.0
    sender = FactSender(tmp_path / "facts.sock", clock=lambda: now)
    for number in range(10):
        sender.send(fact(number))
    assert sender.lost == 0
    now = fact_link.MAX_AGE + 0.1
    sender.flush()
    assert sender.lost == 10


def test_the_buffer_is_bounded_and_the_oldest_go_first(tmp_path: Path) -> None:
    sender = FactSender(tmp_path / "facts.sock", clock=lambda: 0.0)
    for number in range(fact_link.MAX_WAITING + 5):
        sender.send(fact(number))
    assert sender.lost == 5


def test_a_fact_that_no_line_can_hold_is_lost_alone(tmp_path: Path) -> None:
    sender = FactSender(tmp_path / "facts.sock")
    sender.send(fact(name="x" * 100_000))
    assert sender.lost == 1


def test_a_tap_that_hangs_makes_nobody_wait_and_loses_only_what_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "facts.sock"
    total = 6_000
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(path))
        hung.listen()
        sender = FactSender(path)
        slowest = 0.0
        for number in range(total):
            started = time.perf_counter()
            sender.send(fact(number))
            slowest = max(slowest, time.perf_counter() - started)
        assert 0 < sender.lost < total
        assert slowest < within(0.2)
        # It wakes up: what it reads is whole lines, the newest last.
        peer, _ = hung.accept()
        peer.settimeout(within(1))
        receiver = FactReceiver()
        messages: list[LinkMessage] = []
        while not messages or messages[-1] != fact(total - 1):
            messages += receiver.feed(peer.recv(65_536))
            sender.flush()
        peer.close()
        assert receiver.skipped == 0
        assert len(messages) + sender.lost == total


async def test_many_threads_send_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "facts.sock"
    sender = FactSender(path)

    def send(first: int) -> None:
        for number in range(first, first + 100):
            sender.send(fact(number))

    async with tap(path) as received:
        threads = [threading.Thread(target=send, args=(first,)) for first in range(0, 1_600, 100)]
        for thread in threads:
            thread.start()
        await until(lambda: sender.flush() or len(received) == 1_600)
        for thread in threads:
            thread.join()
        assert {message.uniqueid for message in received if isinstance(message, Announced)} == {
            f"1.{number}" for number in range(1_600)
        }
    assert sender.lost == 0


async def test_the_log_says_once_that_the_tap_is_away_and_once_that_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "facts.sock"
    sender = FactSender(path)
    caplog.set_level("INFO", logger="fastagi.fact_link")
    for _ in range(3):
        sender.send(fact())
        await asyncio.sleep(fact_link.RETRY)
    assert caplog.text.count("cannot be reached") == 1
    async with tap(path):
        sender.flush()
    assert caplog.text.count("connected to the tap") == 1


@given(st.lists(st.one_of(st.binary(max_size=50), st.just(line(fact()))), max_size=20), st.integers(1, 64))
def test_whatever_the_bytes_and_wherever_they_are_cut_the_receiver_finds_the_same(parts: list[bytes], cut: int) -> None:
    data = b"\n".join(parts) + b"\n"
    whole, pieces = FactReceiver(), FactReceiver()
    expected = whole.feed(data)
    found = [message for at in range(0, len(data), cut) for message in pieces.feed(data[at : at + cut])]
    assert found == expected
    assert pieces.skipped == whole.skipped


def test_an_endless_line_takes_no_memory() -> None:
    receiver = FactReceiver()
    for _ in range(100):
        assert receiver.feed(b"x" * 65_000) == []
        assert len(receiver._rest) <= fact_link.MAX_LINE
    assert receiver.feed(b"\n" + line(fact())) == [fact()]
    assert receiver.skipped == 1


def test_a_link_in_the_sockets_place_is_not_followed(tmp_path: Path) -> None:
    link = tmp_path / "facts.sock"
    os.symlink(tmp_path / "elsewhere", link)
    with pytest.raises(ZvonokError):
        asyncio.run(serve_facts(link, lambda _: None))
