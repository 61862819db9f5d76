"""The CRM's PostgreSQL: connection options, pools, and what its errors mean.

No query runs when a pool is made, and a pool opens without waiting: a database that is down stops no service.
"""

import asyncio
import contextlib
import os
import re
import socket
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from zvonok.errors import DatabaseError
from zvonok.service import mask_text

T = TypeVar("T")

_PASSWORD: Final = re.compile(r"(//[^:/@\s]*:)\S*@")  # libpq shows a URL that it does not understand

SyncConnection = psycopg.Connection[tuple[Any, ...]]
AsyncConnection = psycopg.AsyncConnection[tuple[Any, ...]]

# The first lookup of a connection costs 5-95 ms (catalogs, plans), so each connection does one before it serves,
# with numbers as calls bring them: one without a key ('0') leaves half of the plans to the first call.
WARM_UP: Final = "SELECT zvonok.identify('+79990000000', '100')"
# The pool's own retries come 1, 2, 4 s apart, so a database could be back for 4 s before anybody notices. With none of
# them, each question that finds no connection tries to make one at once; how often it asks is its own matter.
_RECONNECT: Final = 0.0


def connect_options(url: str, *, name: str, statement_timeout_ms: int) -> dict[str, Any]:
    """Keyword arguments for psycopg's `connect`, beside the URL. `name` is seen in pg_stat_activity."""
    own = str(conninfo_to_dict(url).get("options") or "")
    return {
        "autocommit": True,
        "application_name": f"zvonok {name}",
        "connect_timeout": 2,
        "options": f"{own} -c statement_timeout={statement_timeout_ms} -c search_path=pg_catalog".strip(),
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 2,
        "tcp_user_timeout": 3000,
    }


def thread_pool(
    url: str, *, name: str, size: int, statement_timeout_ms: int, checked: bool = True
) -> ConnectionPool[SyncConnection]:
    """A pool for threads, not yet open: `open(wait=False)` it.

    `checked`: each connection is tried before it is handed out, a round trip that a frozen server does not answer.
    """
    return ConnectionPool(
        url,
        kwargs=connect_options(url, name=name, statement_timeout_ms=statement_timeout_ms),
        min_size=size,
        max_size=size,
        open=False,
        # Without the check, a quick restart hands out dead connections; a bound on waiting left the pool dead for
        # 90 s after an outage of 45 s, hence none (our callers bound their wait by time). See _RECONNECT.
        check=ConnectionPool.check_connection if checked else None,
        configure=_warm,
        max_waiting=0,
        reconnect_timeout=_RECONNECT,
        name=f"zvonok-{name}",
    )


def async_pool(
    url: str, *, name: str, size: int, statement_timeout_ms: int = 5_000
) -> AsyncConnectionPool[AsyncConnection]:
    """A pool for an event loop, not yet open: `await pool.open(wait=False)`. Use it within `bounded`."""
    return AsyncConnectionPool(
        url,
        kwargs=connect_options(url, name=name, statement_timeout_ms=statement_timeout_ms),
        min_size=1,
        max_size=size,
        open=False,
        check=AsyncConnectionPool.check_connection,
        max_waiting=0,
        reconnect_timeout=_RECONNECT,
        name=f"zvonok-{name}",
    )


async def bounded(query: Coroutine[Any, Any, T], seconds: float) -> T:
    """The result of `query`, or `DatabaseError` after `seconds` or for the driver's errors.

    `asyncio.timeout` would not do: on a frozen server psycopg swallows the cancellation for 10 s
    (github.com/psycopg/psycopg/issues/1371). So the query is cancelled without waiting for it.
    """
    task = asyncio.ensure_future(query)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        task.cancel()
        task.add_done_callback(_forget)
        raise DatabaseError(f"the database did not answer within {seconds:g} s")
    try:
        return task.result()
    except psycopg.Error as exc:
        raise DatabaseError(explain(exc)) from exc


def cut_socket(connection: SyncConnection | AsyncConnection) -> None:
    """End a connection from another thread or task, without waiting: whoever reads from it sees its end."""
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.pgconn.socket)) as sock:
        sock.shutdown(socket.SHUT_RDWR)


def explain(exc: psycopg.Error) -> str:
    """What went wrong and what to do next, in one sentence, without the connection's password and full numbers."""
    said = " ".join((exc.diag.message_primary or str(exc) or type(exc).__name__).split())
    said = mask_text(_PASSWORD.sub(r"\1…@", said))
    if isinstance(exc, errors.UndefinedFunction | errors.UndefinedTable | errors.InvalidSchemaName):
        return f"the database lacks our objects ({said}): run `zvonok migrate`"
    if isinstance(exc, errors.InsufficientPrivilege):
        return f"the database role lacks a right ({said}): run `zvonok migrate --grant ROLE` as the tables' owner"
    if isinstance(exc, errors.InvalidPassword | errors.InvalidAuthorizationSpecification) or "authentication" in said:
        return f"the database refused the login ({said}): check the user and password in ZVONOK_DATABASE_URL"
    if isinstance(exc, errors.InvalidCatalogName):
        return f"there is no such database ({said}): check the name in ZVONOK_DATABASE_URL"
    if exc.diag.sqlstate is None and isinstance(exc, psycopg.OperationalError):
        return f"the database cannot be reached ({said}): check ZVONOK_DATABASE_URL and that the server runs"
    return f"the database refused a statement: {said}"


def _warm(connection: SyncConnection) -> None:
    # A database not yet migrated must not keep connections from the pool: the lookups themselves will say so.
    try:
        connection.execute(WARM_UP)
    except (errors.UndefinedFunction, errors.InvalidSchemaName, errors.InsufficientPrivilege, errors.QueryCanceled):
        return


def _forget(task: "asyncio.Future[Any]") -> None:
    if not task.cancelled():
        task.exception()
