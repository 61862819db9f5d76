"""Queries for callers that cannot wait: a few worker threads with a pool, and a breaker.

A lookup returns within its time whatever the database does, even when the server is frozen: whoever gives up cuts the
query's socket, so that the worker is free again at once. After a failure nobody asks for half a second but one.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from zvonok.database import SyncConnection, cut_socket, explain, thread_pool

WORKERS: Final = 4
PAUSE: Final = 0.5
FAILING_FOR: Final = 10.0
SERVERS_SHARE: Final = 0.75
"""Of a lookup's time: the server ends a slow statement before we give up on it, and the connection lives."""


class Query:
    """One query on its way: `future` has its only row, or raises. Give it up with `cut`."""

    def __init__(self, statement: str, arguments: tuple[object, ...], deadline: float) -> None:
        self.statement = statement
        self.arguments = arguments
        self.deadline = deadline
        self.future: Future[tuple[Any, ...] | None] = Future()
        self._lock = threading.Lock()
        self._connection: SyncConnection | None = None
        self._given_up = False

    def run(self, pool: ConnectionPool[SyncConnection]) -> None:
        """Execute it on a connection of `pool` (in a worker)."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self._row(pool))
        except BaseException as exc:  # noqa: BLE001  (it belongs to whoever waits for the future)
            self.future.set_exception(exc)

    def cut(self) -> None:
        """Give up: the worker comes back at once, and the connection is lost."""
        self.future.cancel()
        with self._lock:
            self._given_up = True
            if self._connection is not None:
                cut_socket(self._connection)

    def _row(self, pool: ConnectionPool[SyncConnection]) -> tuple[Any, ...] | None:
        while True:
            with pool.connection(timeout=max(0.001, self.deadline - time.monotonic())) as connection:
                with self._lock:
                    if self._given_up:
                        raise PoolTimeout("given up")
                    self._connection = connection
                try:
                    return connection.execute(self.statement, self.arguments).fetchone()
                except psycopg.OperationalError:
                    # The server was restarted since this connection was used last: the next may live.
                    if not connection.closed or self._given_up or time.monotonic() >= self.deadline:
                        raise
                finally:
                    with self._lock:
                        self._connection = None


class LookupWorkers:
    """`WORKERS` threads; a query's deadline is `budget` seconds from its start. Nothing is connected before `start`."""

    def __init__(self, url: str, *, name: str, budget: float, clock: Callable[[], float] = time.monotonic) -> None:
        patience = max(1, round(1000 * budget * SERVERS_SHARE))  # ms; 0 would mean for ever
        self._pool = thread_pool(url, name=name, size=WORKERS, statement_timeout_ms=patience, checked=False)
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="lookup")
        self._clock = clock
        self._lock = threading.Lock()
        self._paused_until: float | None = None

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._pool.open(wait=False)

    def refill(self, *, seconds: float, stop: threading.Event) -> bool:
        """For whoever just reached the database: drop dead connections and fill the pool up, which by itself does so
        only once a call asks, one by one. Blocks until it is full of warm connections, `seconds` at most.

        True if the pause after a failure ended with it: nobody has to try first.
        """
        self._pool.check()
        until = time.monotonic() + seconds
        while self._pool.get_stats()["pool_available"] < WORKERS:
            if time.monotonic() > until or stop.wait(0.02):
                return False
        return self.succeeded()

    @property
    def failing(self) -> bool:
        """Whether a query failed or took too long in the last seconds, and none succeeded since."""
        until = self._paused_until
        return until is not None and self._clock() < until + FAILING_FOR

    def close(self) -> None:
        """Stop; waits for nobody longer than a second."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._pool.close(timeout=1.0)

    def submit(self, statement: str, arguments: tuple[object, ...], *, seconds: float) -> Query | None:
        """Start a query, or None while the database is known to be unreachable."""
        with self._lock:
            if self._paused_until is not None:
                if self._clock() < self._paused_until:
                    return None
                self._paused_until = self._clock() + PAUSE  # this one tries; the others go on waiting
        query = Query(statement, arguments, time.monotonic() + seconds)
        self._threads.submit(query.run, self._pool)
        return query

    @property
    def reachable(self) -> bool:
        """Whether the last query that ended did so with an answer."""
        return self._paused_until is None

    def failed(self) -> bool:
        """A query failed or took too long: pause. True if that is news."""
        with self._lock:
            news = self._paused_until is None
            self._paused_until = self._clock() + PAUSE
            return news

    def succeeded(self) -> bool:
        """A query succeeded. True if that is news."""
        with self._lock:
            news = self._paused_until is not None
            self._paused_until = None
            return news


def why(exc: BaseException) -> str:
    """A failed query in one sentence."""
    if isinstance(exc, PoolTimeout):
        return "the database cannot be reached: no connection in time"
    return explain(exc) if isinstance(exc, psycopg.Error) else f"{type(exc).__name__}: {exc}"
