"""The directory while its database restarts, freezes or is away: every call goes on within the budget."""

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from demo.postgres import Postgres
from demo.seed import load_seed
from fastagi.directory import BUDGET, Directory, LookupUnavailable
from fastagi.lookup_workers import WORKERS
from tests.levels import within
from zvonok.call import Kind
from zvonok.settings import Settings

WORST = BUDGET + within(0.15)  # what a call may wait for the directory, with this machine's scheduling
RECOVERY = within(6)


@pytest.fixture
def directory(own_postgres: Postgres) -> Iterator[Directory]:
    load_seed(own_postgres.url())
    directory = Directory(Settings(database_url=own_postgres.url(), cache_ttl=1))
    directory.start()
    yield directory
    directory.close()


class Calls:
    """Calls from numbers never seen before, and from one that is remembered, as long as the test lasts."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._number = 79_990_000_000
        self.worst = 0.0

    def new(self) -> bool:
        """A call that needs the database. Whether it was answered."""
        self._number += 1
        return self._timed(str(self._number)) is Kind.UNKNOWN

    def remembered(self) -> bool:
        """A call from a dealer who called before. Whether his name was shown."""
        return self._timed("89050003101") is Kind.DEALER

    def _timed(self, number: str) -> Kind | None:
        started = time.monotonic()
        try:
            return self._directory.identify(number, "101").caller.kind
        except LookupUnavailable:
            return None
        finally:
            self.worst = max(self.worst, time.monotonic() - started)


def repeat(call: Callable[[], bool], seconds: float) -> list[bool]:
    answers = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answers.append(call())
        time.sleep(0.02)
    return answers


def recovered(calls: Calls) -> float:
    """Seconds until a new number is answered again."""
    started = time.monotonic()
    while not calls.new():
        assert time.monotonic() - started < RECOVERY, "the directory did not recover"
        time.sleep(0.05)
    return time.monotonic() - started


def until_ready(directory: Directory) -> None:
    """Wait until it hears of changes and has its connections."""
    deadline = time.monotonic() + RECOVERY
    while not directory.ready:
        assert time.monotonic() < deadline, "the directory is not ready"
        time.sleep(0.05)


@pytest.fixture
def calls(directory: Directory) -> Calls:
    calls = Calls(directory)
    until_ready(directory)  # what is asked before it hears of changes is not remembered
    recovered(calls)
    assert calls.remembered()
    calls.worst = 0.0
    return calls


def test_a_restart_costs_no_call_more_than_the_budget_and_no_name_that_is_remembered(
    own_postgres: Postgres, calls: Calls
) -> None:
    own_postgres.stop()
    own_postgres.start()
    assert all(repeat(calls.remembered, 0.5))
    recovered(calls)
    assert calls.worst < WORST


def test_a_frozen_server_holds_no_call_longer_than_the_budget(own_postgres: Postgres, calls: Calls) -> None:
    freeze(own_postgres, signal.SIGSTOP)
    try:
        assert not any(repeat(calls.new, 2.5))
        time.sleep(1.1)  # the remembered name is past its TTL by now
        assert all(repeat(calls.remembered, 1.5)), "remembered names serve while the server is frozen"
    finally:
        freeze(own_postgres, signal.SIGCONT)
    recovered(calls)
    assert calls.worst < WORST


def test_after_a_long_outage_it_is_ready_again_before_a_call_asks(
    own_postgres: Postgres, directory: Directory, calls: Calls
) -> None:
    own_postgres.stop()
    assert not any(repeat(calls.new, 8))  # longer than the pool's reconnect_timeout
    assert calls.remembered()
    assert not directory.ready
    own_postgres.start()
    until_ready(directory)
    with psycopg.connect(own_postgres.url()) as crm:
        row = crm.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'zvonok directory'")
        assert row.fetchone() == (WORKERS,)
    with ThreadPoolExecutor(WORKERS) as threads:
        asked = [threads.submit(directory.identify, f"7495000000{number}", "101") for number in range(WORKERS)]
    assert [each.result().source for each in asked] == ["database"] * WORKERS
    assert calls.worst < WORST


def test_a_database_that_is_down_at_start_stops_nothing(own_postgres: Postgres) -> None:
    load_seed(own_postgres.url())
    own_postgres.stop()
    directory = Directory(Settings(database_url=own_postgres.url()))
    directory.start()
    try:
        calls = Calls(directory)
        assert not any(repeat(calls.new, 1.5))
        own_postgres.start()
        recovered(calls)
        assert calls.remembered()
        assert calls.worst < WORST
    finally:
        directory.close()


def test_many_calls_at_once_into_a_frozen_server_all_go_on(own_postgres: Postgres, directory: Directory) -> None:
    recovered(Calls(directory))
    each = [Calls(directory) for _ in range(64)]
    freeze(own_postgres, signal.SIGSTOP)
    try:
        threads = [threading.Thread(target=calls.new) for calls in each]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(within(5))
    finally:
        freeze(own_postgres, signal.SIGCONT)
    assert max(calls.worst for calls in each) < WORST + within(0.15)


async def test_the_event_loop_is_never_blocked_by_a_frozen_server(own_postgres: Postgres, directory: Directory) -> None:
    recovered(Calls(directory))
    freeze(own_postgres, signal.SIGSTOP)
    try:
        lags, started = [], time.monotonic()
        asking = asyncio.gather(*(directory.caller_async(f"7888{n:07}") for n in range(20)), return_exceptions=True)
        while not asking.done():
            before = time.monotonic()
            await asyncio.sleep(0.005)
            lags.append(time.monotonic() - before)
        assert time.monotonic() - started < WORST + within(0.1)
        assert all(isinstance(answer, LookupUnavailable) for answer in await asking)
        assert max(lags) < within(0.1)
    finally:
        freeze(own_postgres, signal.SIGCONT)


def test_changes_during_an_outage_are_seen_afterwards(own_postgres: Postgres, directory: Directory) -> None:
    calls = Calls(directory)
    recovered(calls)
    assert [owner.user_id for owner in directory.owners_of("202")] == [2]
    own_postgres.stop()
    own_postgres.start()
    with psycopg.connect(own_postgres.url(), autocommit=True) as crm:
        crm.execute("UPDATE user_phones SET user_id = 4 WHERE phone_number = '202'")
    recovered(calls)
    deadline = time.monotonic() + within(4)
    while [owner.user_id for owner in directory.owners_of("202")] != [4]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_peer_that_accepts_and_says_nothing_is_as_good_as_down(tmp_path: object) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        port = silent.getsockname()[1]
        directory = Directory(Settings(database_url=f"postgresql://u@127.0.0.1:{port}/crm"))
        directory.start()
        try:
            calls = Calls(directory)
            assert not any(repeat(calls.new, 1.5))
            assert calls.worst < WORST
        finally:
            started = time.monotonic()
            directory.close()
            assert time.monotonic() - started < within(3)


def freeze(server: Postgres, number: signal.Signals) -> None:
    """SIGSTOP or SIGCONT the server and all its backends."""
    children = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and _parent(int(pid)) == server.pid]
    for pid in [server.pid, *children]:
        with contextlib.suppress(ProcessLookupError):  # a backend may end meanwhile
            os.kill(pid, number)


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return int(stat.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0
