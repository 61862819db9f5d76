"""The notifier's SQL, each query one function. Ask through `zvonok.database.bounded`, which bounds and translates."""

import logging
from typing import Any

import msgspec
from psycopg_pool import AsyncConnectionPool

from notifier.messages import Number
from zvonok.call import Call, Caller, Kind
from zvonok.card_url import card_url as filled_in
from zvonok.database import AsyncConnection

log = logging.getLogger(__name__)

Pool = AsyncConnectionPool[AsyncConnection]


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


async def _rows(db: Pool, query: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    async with db.connection() as connection:
        return await (await connection.execute(query.encode(), parameters)).fetchall()


async def people(db: Pool, user_ids: list[int]) -> list[PersonRow]:
    """Those of the users that exist, with their numbers."""
    rows = await _rows(
        db, "SELECT zvonok.person(wanted)::text FROM unnest(%(ids)s::bigint[]) wanted", {"ids": user_ids}
    )
    return [msgspec.json.decode(text, type=PersonRow) for (text,) in rows if text is not None]


async def caller(db: Pool, number: str, called: str, *, card_url: str | None) -> Caller:
    """Who calls from `number`, as a real call to `called` would show."""
    rows = await _rows(db, "SELECT zvonok.identify(%(number)s, %(called)s)::text", {"number": number, "called": called})
    found = msgspec.json.decode(rows[0][0], type=_Identified).caller
    shown = found.number or number
    return Caller(
        number=shown,
        name=found.name,
        kind=found.kind,
        id=found.id,
        company=found.company,
        matches=found.matches,
        url=filled_in(card_url, kind=found.kind, number=shown, record=found.id),
    )


async def history(db: Pool, query: HistoryQuery) -> list[Call]:
    """One user's calls, newest first."""
    rows = await _rows(
        db,
        "SELECT row::text FROM zvonok.history(%(user_id)s::bigint, %(before_ms)s::bigint, %(limit)s::integer,"
        " %(number)s::text, %(since_ms)s::bigint, %(reason)s::text, %(before_id)s::text) row",
        msgspec.structs.asdict(query),
    )
    calls = []
    for (text,) in rows:
        try:
            calls.append(msgspec.json.decode(text, type=Call))
        except msgspec.MsgspecError as exc:  # one odd row must not hide the others
            log.warning("a row of user %d's history is left out: %s", query.user_id, exc)
    return calls
