"""The history while its database restarts, freezes or is away: an error at once, and all of it written afterwards."""

import signal
import time
from collections.abc import AsyncIterator

import psycopg
import pytest

from demo.postgres import Postgres
from fastagi.history import History
from tests.faults.test_directory_faults import freeze
from tests.levels import within
from tests.postgres.test_history import call
from zvonok.errors import DatabaseError

PATIENCE = 0.5


@pytest.fixture
async def history(own_postgres: Postgres) -> AsyncIterator[History]:
    history = History(own_postgres.url(), patience=PATIENCE)
    await history.open()
    await written(history, "first")
    yield history
    await history.close()


async def written(history: History, call_id: str) -> None:
    """Write until the database takes it."""
    deadline = time.monotonic() + within(8)
    while True:
        try:
            assert await history.write([call(call_id)]) == []
        except DatabaseError:
            assert time.monotonic() < deadline, "the history did not recover"
        else:
            return


def kept(server: Postgres) -> list[str]:
    with psycopg.connect(server.url()) as connection:
        return [row[0] for row in connection.execute("SELECT call_id FROM public.calls ORDER BY call_id")]


async def test_a_frozen_server_is_an_error_in_time_and_the_call_is_written_afterwards(
    own_postgres: Postgres, history: History
) -> None:
    freeze(own_postgres, signal.SIGSTOP)
    try:
        for _ in range(3):
            started = time.monotonic()
            with pytest.raises(DatabaseError):
                await history.write([call("second")])
            assert time.monotonic() - started < PATIENCE + within(0.3)
    finally:
        freeze(own_postgres, signal.SIGCONT)
    await written(history, "second")
    assert kept(own_postgres) == ["first", "second"]


async def test_a_restart_and_an_outage_are_survived(own_postgres: Postgres, history: History) -> None:
    own_postgres.stop()
    end = time.monotonic() + within(8)  # longer than the pool's reconnect_timeout
    while time.monotonic() < end:
        with pytest.raises(DatabaseError):
            await history.write([call("second")])
    own_postgres.start()
    await written(history, "second")
    assert kept(own_postgres) == ["first", "second"]
