"""The notifier's SQL, each query one function. Errors of the driver become DatabaseError here."""

import logging
from typing import Any, Final
from urllib.parse import quote

import msgspec
import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from notifier.messages import Number
from zvonok.call import Call, Caller, Kind
from zvonok.errors import DatabaseError

log = logging.getLogger(__name__)

_CONNECTIONS: Final = 4


class PersonRow(msgspec.Struct, frozen=True, kw_only=True):
    """What `zvonok.person` says of a user."""

    user_id: int
    name: str | None
    numbers: list[Number]


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    number: str | None
    kind: Kind
    id: int | None
    name: str | None
    company: str | None
    matches: int


class _Identified(msgspec.Struct, frozen=True, kw_only=True):
    caller: _Found


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows of one user's history; times are ms. `before_ms` and `before_id` name the row before the first."""

    user_id: int
    limit: int
    before_ms: int | None = None
    before_id: str | None = None
    since_ms: int | None = None
    number: str | None = None
    reason: str | None = None


class Database:
    """A small pool of connections. It never waits for the database at the start, and recovers by itself."""

    def __init__(self, url: str) -> None:
        self._pool = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=_CONNECTIONS,
            timeout=2.0,
            reconnect_timeout=5.0,
            check=AsyncConnectionPool.check_connection,
            name="notifier",
            open=False,
            kwargs={
                "autocommit": True,
                "connect_timeout": 2,
                "application_name": "zvonok notifier",
                "options": "-c statement_timeout=2000",
                "keepalives_idle": 10,
                "keepalives_interval": 3,
                "keepalives_count": 3,
                "tcp_user_timeout": 3000,
            },
        )

    async def open(self) -> None:
        """Start connecting; returns at once."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close the connections; a frozen database is not waited for."""
        await self._pool.close(timeout=0.5)

    async def rows(self, query: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        """The rows of a query. Raises DatabaseError."""
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(query.encode(), parameters)
                return await cursor.fetchall()
        except (psycopg.Error, PoolTimeout, TooManyRequests) as exc:
            raise DatabaseError(_sentence(exc)) from exc


async def people(db: Database, user_ids: list[int]) -> list[PersonRow]:
    """Those of the users that exist, with their numbers."""
    rows = await db.rows("SELECT zvonok.person(wanted)::text FROM unnest(%(ids)s::bigint[]) wanted", {"ids": user_ids})
    return [msgspec.json.decode(text, type=PersonRow) for (text,) in rows if text is not None]


async def caller(db: Database, number: str, called: str, *, card_url: str | None) -> Caller:
    """Who calls from `number`, as a real call to `called` would show."""
    rows = await db.rows("SELECT zvonok.identify(%(number)s, %(called)s)::text", {"number": number, "called": called})
    found = msgspec.json.decode(rows[0][0], type=_Identified).caller
    shown = found.number or number
    return Caller(
        number=shown,
        name=found.name,
        kind=found.kind,
        id=found.id,
        company=found.company,
        matches=found.matches,
        url=_card_url(card_url, kind=found.kind, number=shown, record=found.id),
    )


async def history(db: Database, query: HistoryQuery) -> list[Call]:
    """One user's calls, newest first."""
    rows = await db.rows(
        "SELECT row::text FROM zvonok.history(%(user_id)s::bigint, %(before_ms)s::bigint, %(limit)s::integer,"
        " %(number)s::text, %(since_ms)s::bigint, %(reason)s::text, %(before_id)s::text) row",
        msgspec.structs.asdict(query),
    )
    return [msgspec.json.decode(text, type=Call) for (text,) in rows]


def _card_url(template: str | None, *, kind: Kind, number: str, record: int | None) -> str | None:
    """The CRM's page about the caller; None if the template asks for an id and the caller has none."""
    if template is None or ("{id}" in template and record is None):
        return None
    values = {"{kind}": str(kind), "{id}": str(record), "{number}": quote(number, safe="")}
    for place, value in values.items():
        template = template.replace(place, value)
    return template


def _sentence(exc: Exception) -> str:
    text = str(exc).strip().splitlines()
    return text[0][:200] if text else type(exc).__name__
