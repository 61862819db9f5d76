"""Who am I, which numbers are mine, my history, and who would be calling: the notifier's questions to the database.

Users are asked for in batches, because after a restart all of them come at once, and kept for a short time. Nobody
waits for a frozen database longer than `ANSWER_S`.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final, TypeVar

import msgspec
from cachetools import TTLCache

from notifier import queries
from notifier.messages import Number
from notifier.metrics import Metrics
from zvonok.call import Call, Caller
from zvonok.database import bounded
from zvonok.errors import DatabaseError

log = logging.getLogger(__name__)

ANSWER_S: Final = 3.0
MAX_BATCH: Final = 500
_GATHER_S: Final = 0.002
_CACHE_SIZE: Final = 20_000
_CACHE_TTL_S: Final = 60.0

T = TypeVar("T")


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A user of the CRM and his numbers."""

    id: int
    name: str | None
    numbers: list[Number]


class People:
    """Asks `database`, or nobody: without a database every question raises DatabaseError."""

    def __init__(
        self,
        database: queries.Pool | None,
        *,
        cache_ttl: float,
        metrics: Metrics,
        card_url: str | None = None,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._card_url = card_url
        self._cache: TTLCache[int, Person] = TTLCache(_CACHE_SIZE, min(cache_ttl, _CACHE_TTL_S), timer=clock)
        self._waiting: dict[int, asyncio.Future[Person | None]] = {}
        self._running: set[asyncio.Future[Any]] = set()
        self._down = False

    @property
    def state(self) -> str:
        """For the operator: "up", "down" (the last question failed) or "none" (no database is set)."""
        return "none" if self._database is None else "down" if self._down else "up"

    def cached(self, user_id: int) -> Person | None:
        """The user if he was asked for a short while ago."""
        return self._cache.get(user_id)

    def person(self, user_id: int) -> Person | asyncio.Future[Person | None]:
        """The user, or a future: of None if there is no such user, of DatabaseError. Shared: don't cancel it."""
        person = self._cache.get(user_id)
        if person is not None:
            return person
        future = self._waiting.get(user_id)
        if future is None:
            loop = asyncio.get_running_loop()
            future = self._waiting[user_id] = loop.create_future()
            future.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may wait any more
            if len(self._waiting) == 1:
                loop.call_later(_GATHER_S, self._ask_waiting)
        return future

    async def ask(self, user_id: int) -> Person | None:
        """The user, or None if there is no such user. Raises DatabaseError."""
        person = self.person(user_id)
        return person if isinstance(person, Person) else await asyncio.shield(person)

    async def existing(self, user_ids: Sequence[int]) -> set[int]:
        """Those of the users that exist now, whatever is remembered; at most MAX_BATCH. Raises DatabaseError."""
        rows = await self._answer("people", lambda db: queries.people(db, list(user_ids)))
        found = _people(rows)
        self._cache.update(found)
        for user_id in user_ids:
            if user_id not in found:
                self._cache.pop(user_id, None)
        return set(found)

    async def caller(self, number: str, called: str) -> Caller:
        """Who would be calling `called` from `number`, as for a real call. Raises DatabaseError."""
        return await self._answer("identify", lambda db: queries.caller(db, number, called, card_url=self._card_url))

    async def history(self, query: queries.HistoryQuery) -> list[Call]:
        """Rows of one user's history, newest first. Raises DatabaseError."""
        return await self._answer("history", lambda db: queries.history(db, query))

    def _ask_waiting(self) -> None:
        waiting, self._waiting = self._waiting, {}
        ids = list(waiting)
        for start in range(0, len(ids), MAX_BATCH):
            batch = {user_id: waiting[user_id] for user_id in ids[start : start + MAX_BATCH]}
            self._keep(asyncio.get_running_loop().create_task(self._ask_batch(batch)))

    async def _ask_batch(self, batch: dict[int, asyncio.Future[Person | None]]) -> None:
        try:
            rows = await self._answer("people", lambda db: queries.people(db, list(batch)))
        except DatabaseError as exc:
            for future in batch.values():
                if not future.done():
                    future.set_exception(exc)
            return
        found = _people(rows)
        self._cache.update(found)
        for user_id, future in batch.items():
            if not future.done():
                future.set_result(found.get(user_id))

    async def _answer(self, what: str, question: Callable[[queries.Pool], Coroutine[Any, Any, T]]) -> T:
        if self._database is None:
            raise DatabaseError("ZVONOK_DATABASE_URL is not set: names, numbers and history are not known")
        try:
            answer = await bounded(self._decoded(question(self._database)), ANSWER_S)
        except DatabaseError as exc:
            self._metrics.lookups.labels(what, "error").inc()
            if not self._down:
                self._down = True
                log.warning("the database cannot be asked: %s", exc)
            raise
        self._metrics.lookups.labels(what, "ok").inc()
        if self._down:
            self._down = False
            log.info("the database answers again")
        return answer

    async def _decoded(self, answer: Coroutine[Any, Any, T]) -> T:
        try:
            return await answer
        except msgspec.MsgspecError as exc:
            raise DatabaseError(f"the database's answer is not what we know ({exc}): run `zvonok migrate`") from exc

    def _keep(self, task: "asyncio.Future[Any]") -> None:
        self._running.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Future[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None and not isinstance(exc, DatabaseError):
            log.error("a question to the database failed", exc_info=exc)


def _people(rows: Iterable[queries.PersonRow]) -> dict[int, Person]:
    return {row.user_id: Person(id=row.user_id, name=row.name, numbers=row.numbers) for row in rows}
