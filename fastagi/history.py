"""The history's way into the database: `calls` rows, one a call, each at its newest revision."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from zvonok.call import Call
from zvonok.database import AsyncConnection, async_pool, bounded, cut_socket
from zvonok.errors import DatabaseError

PATIENCE: Final = 5.0
_STATEMENT: Final = "SELECT zvonok.save_calls(%s::jsonb)::text"


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A call that the table refuses for good, and why: a column too short, say, or a foreign key of the CRM's."""

    call: Call
    reason: str


class _RefusedRow(msgspec.Struct, frozen=True):
    index: int
    error: str


_refused_rows: Final = msgspec.json.Decoder(list[_RefusedRow])


class History:
    """Writes calls to the database at `url`. Nothing is connected before `open`."""

    def __init__(self, url: str | None, *, patience: float = PATIENCE) -> None:
        self._pool = None if url is None else async_pool(url, name="history", size=2)
        self._patience = patience

    async def open(self) -> None:
        """Begin to connect; returns at once."""
        if self._pool is not None:
            await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close the connections; a frozen database is not waited for."""
        if self._pool is not None:
            await self._pool.close(timeout=0.5)

    async def write(self, calls: Sequence[Call]) -> list[Refused]:
        """Save each call unless the database knows a newer revision; returns those that it refuses for good.

        Idempotent: after an error all of them can be written again. Raises `DatabaseError` if the database cannot be
        asked, or fails for a reason that is not the call's.
        """
        if self._pool is None:
            raise DatabaseError("no database is set (ZVONOK_DATABASE_URL), so there is no history")
        connection: AsyncConnection | None = None

        async def save(batch: bytes) -> tuple[Any, ...] | None:
            nonlocal connection
            assert self._pool is not None
            async with self._pool.connection() as connection:
                cursor = await connection.execute(_STATEMENT, (batch.decode(),))
                row = await cursor.fetchone()
            connection = None
            return row

        if not calls:
            return []
        try:
            row = await bounded(save(_encode(calls)), self._patience)
        except DatabaseError:
            if connection is not None:
                cut_socket(connection)  # its statement may hang for ever; the pool makes another one
            raise
        assert row is not None
        return [Refused(call=calls[item.index], reason=item.error) for item in _refused_rows.decode(row[0])]


def _encode(calls: Sequence[Call]) -> bytes:
    """JSON that PostgreSQL takes as jsonb: a caller's name may hold anything, but not a NUL or half a character."""
    try:
        data = msgspec.json.encode(calls)
    except UnicodeEncodeError:
        return msgspec.json.encode(_storable(msgspec.to_builtins(calls)))
    return msgspec.json.encode(_storable(msgspec.to_builtins(calls))) if b"\\u0000" in data else data


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {name: _storable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value
