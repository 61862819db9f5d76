"""The notifier's SQL, each query one function. Errors of the driver become DatabaseError here."""

import logging
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from notifier.messages import Number
from zvonok.call import AnsweredBy, Call, Caller, End, Kind, Line, Reason, State
from zvonok.errors import DatabaseError

log = logging.getLogger(__name__)

_CONNECTIONS: Final = 4


class PersonRow(msgspec.Struct, frozen=True, kw_only=True):
    """A user and his numbers."""

    id: int
    name: str | None
    numbers: list[Number]


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
                "row_factory": dict_row,
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

    async def rows(self, query: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """The rows of a query. Raises DatabaseError."""
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(query.encode(), parameters)
                return await cursor.fetchall()  # type: ignore[return-value]
        except (psycopg.Error, PoolTimeout, TooManyRequests) as exc:
            raise DatabaseError(_sentence(exc)) from exc


async def people(db: Database, user_ids: list[int]) -> list[PersonRow]:
    """Those of the users that exist, with their numbers."""
    rows = await db.rows(
        """
        SELECT u.id::bigint AS id, u.name,
               coalesce((SELECT jsonb_agg(jsonb_build_object('number', p.phone_number, 'label', p.phone_type)
                                          ORDER BY p.phone_number)
                         FROM zvonok.crm_user_phones p WHERE p.user_id = u.id), '[]') AS numbers
        FROM zvonok.crm_users u WHERE u.id = ANY (%(ids)s)
        """,
        {"ids": user_ids},
    )
    return [msgspec.convert(row, PersonRow) for row in rows]


async def caller(db: Database, number: str, called: str, *, card_url: str | None) -> Caller:
    """Who calls from `number`, as a real call would show."""
    return Caller(number=number)


async def history(db: Database, query: HistoryQuery) -> list[Call]:
    """One user's calls, newest first."""
    conditions = ["c.user_id = %(user_id)s", "c.call_id IS NOT NULL", "c.ring_started_at IS NOT NULL"]
    if query.before_ms is not None:
        conditions.append("(c.ring_started_at, c.call_id) < (%(before)s, %(before_id)s)")
    if query.since_ms is not None:
        conditions.append("c.ring_started_at >= %(since)s")
    if query.number is not None:
        conditions.append("zvonok.phone_key(c.caller_number) = zvonok.phone_key(%(number)s)")
    if query.reason is not None:
        conditions.append("c.reason = %(reason)s")
    rows = await db.rows(
        "SELECT c.*, u.name AS answered_by_name FROM zvonok.call_log c"
        " LEFT JOIN zvonok.crm_users u ON u.id = c.answered_by"
        f" WHERE {' AND '.join(conditions)}"
        " ORDER BY c.ring_started_at DESC, c.call_id DESC LIMIT %(limit)s",
        {
            "user_id": query.user_id,
            "limit": query.limit,
            "before": _time(query.before_ms),
            "before_id": query.before_id,
            "since": _time(query.since_ms),
            "number": query.number,
            "reason": query.reason,
        },
    )
    return [_call(row) for row in rows]


def _call(row: dict[str, Any]) -> Call:
    """A row of the history as a Call; what an older or foreign row lacks gets its neutral value."""
    state = State(row["state"]) if row["state"] in {known.value for known in State} else State.ENDED
    reason = Reason(row["reason"]) if row["reason"] in {known.value for known in Reason} else Reason.UNKNOWN
    answered_by = None
    if row["answered_by"] is not None:
        answered_by = AnsweredBy(user_id=row["answered_by"], name=row["answered_by_name"])
    return Call(
        call_id=row["call_id"],
        rev=row["rev"] or 0,
        first_linkedid=row["first_linkedid"] or "",
        user_id=row["user_id"],
        state=state,
        caller=Caller(
            number=row["caller_number"],
            name=row["caller_name"],
            kind=Kind(row["caller_kind"]) if row["caller_kind"] in {kind.value for kind in Kind} else Kind.UNKNOWN,
            id=row["caller_id"],
            company=row["company"],
        ),
        line=Line(number=row["line_number"] or "", label=row["line_label"], queue=row["queue"]),
        ring_started_at=_ms(row["ring_started_at"]),
        answered_at=None if row["answered_at"] is None else _ms(row["answered_at"]),
        ended_at=None if row["ended_at"] is None else _ms(row["ended_at"]),
        end=End(reason=reason, cause=row["cause"], answered_by=answered_by) if state is State.ENDED else None,
        pbx=row["pbx"] or "",
    )


def _time(ms: int | None) -> datetime | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def _sentence(exc: Exception) -> str:
    text = str(exc).strip().splitlines()
    return text[0][:200] if text else type(exc).__name__
