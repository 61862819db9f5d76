"""The directory: who has a number, from the CRM's database, fast enough to be asked while a call is set up.

One round trip answers both questions of a call (`zvonok.identify`), a cache answers most of them without any, and the
database tells the cache what changed (NOTIFY). Nothing here waits longer than its budget; what cannot be answered in
it raises `LookupUnavailable`, and the call goes on. Safe for threads; the `_async` methods are for an event loop.
"""

import asyncio
import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Final, Literal

import msgspec
import psycopg

from fastagi.directory_cache import DirectoryCache, Known, Number, OwnerRow, Pending, Person
from fastagi.facts import Owner
from fastagi.lookup_workers import LookupWorkers, Query, why
from zvonok.call import Caller, Kind
from zvonok.card_url import card_url
from zvonok.database import SyncConnection, connect_options, cut_socket, explain
from zvonok.errors import DatabaseError
from zvonok.settings import Settings

log = logging.getLogger(__name__)

BUDGET: Final = 0.2
CHANNEL: Final = "zvonok_numbers"
LISTEN_FOR: Final = 5.0
REFILL_FOR: Final = 3.0
_STATEMENT: Final = "SELECT zvonok.identify(%s, %s)::text"
_HIDDEN: Final = frozenset({"anonymous", "restricted", "private", "withheld"})

Source = Literal["cache", "database", "stale"]


class LookupUnavailable(DatabaseError):  # noqa: N818  (a state of affairs)
    """The database had no answer in time (`late`) or could not be asked, and nothing was remembered."""

    def __init__(self, reason: str, *, late: bool = False) -> None:
        super().__init__(reason)
        self.late = late


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Both answers about a call. "stale": from memory, because the database could not be asked."""

    caller: Caller
    owners: tuple[Owner, ...]
    source: Source
    took_ms: float


class _CallerAnswer(Person, frozen=True, kw_only=True):
    key: str | None
    number: str | None


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What `zvonok.identify` returns."""

    caller: _CallerAnswer
    called: Number
    owners: tuple[OwnerRow, ...]


class _Question:
    """One lookup: the spellings asked for (None: not asked), what memory had, and the query if one is needed."""

    def __init__(self, caller: str | None, called: str | None, *, caller_matters: bool = True) -> None:
        self.caller_matters = caller_matters
        self.caller = None if caller is None else _storable(caller)
        self.called = None if called is None else _storable(called)
        self.known_caller: Known | None = None
        self.known_called: Known | None = None
        self.query: Query | None = None
        self.pending: Pending | None = None
        self.source: Source = "cache"


def _storable(number: str) -> str:
    """What PostgreSQL accepts as text: a hostile number must not look like an outage. Nothing this long is a number."""
    return number[:301].replace("\0", "").encode("utf-8", "replace").decode()


class Directory:
    """Reads `database_url`, `cache_ttl` and `crm_card_url` of the settings. Nothing is connected before `start`.

    `counts` has the lookups since the start, by "cache", "database", "stale", "late" and "failed". `listening`: the
    database is reached, connections to it are warm, and it tells of changes at once.
    """

    def __init__(
        self, settings: Settings, *, budget: float = BUDGET, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = settings.database_url
        self._card_url = settings.crm_card_url
        self._budget = budget
        self._cache = DirectoryCache(ttl=settings.cache_ttl, clock=clock)
        self._workers = LookupWorkers(self._url, name="directory", budget=budget, clock=clock) if self._url else None
        self._stop = threading.Event()
        self._connection: SyncConnection | None = None
        self.listening = False
        self.counts: dict[str, int] = dict.fromkeys(("cache", "database", "stale", "late", "failed"), 0)

    def start(self) -> None:
        """Begin to connect and to listen for changes; returns at once, whether the database is up or not."""
        if self._workers is not None:
            self._workers.start()
            threading.Thread(target=self._listen, name="directory-listener", daemon=True).start()

    def close(self) -> None:
        """Stop, within a second or so."""
        self._stop.set()
        connection = self._connection
        if connection is not None:
            cut_socket(connection)
        if self._workers is not None:
            self._workers.close()

    @property
    def ready(self) -> bool:
        """Whether the next question will most likely be answered in its time."""
        return self.listening and self._workers is not None and not self._workers.failing

    @property
    def reachable(self) -> bool:
        """Whether the database answered the last query."""
        return self._workers is not None and self._workers.reachable

    # --- questions: blocking --------------------------------------------------------------------------------------

    def identify(self, caller: str, called: str) -> Identity:
        """Who calls, and whose number is called. Raises `LookupUnavailable` within the budget."""
        started = time.monotonic()
        question = self._answered(_Question(caller, called))
        return Identity(
            caller=self._caller(question),
            owners=self._owners(question),
            source=question.source,
            took_ms=(time.monotonic() - started) * 1000,
        )

    def caller(self, number: str) -> Caller:
        """Who has this number. Raises `LookupUnavailable` within the budget."""
        return self._caller(self._answered(_Question(number, None)))

    def owners_of(self, number: str) -> tuple[Owner, ...]:
        """The users who own this number, maybe none. Raises `LookupUnavailable` within the budget."""
        return self._owners(self._answered(_Question(None, number)))

    # --- questions: for an event loop -----------------------------------------------------------------------------

    async def caller_async(self, number: str) -> Caller:
        """`caller` without blocking the loop."""
        return self._caller(await self._answered_async(_Question(number, None)))

    async def owners_of_async(self, number: str, *, calling: str | None = None) -> tuple[Owner, ...]:
        """`owners_of` without blocking the loop.

        Who is `calling` comes with the same answer of the database, and is remembered for the question that follows.
        """
        return self._owners(await self._answered_async(_Question(calling, number, caller_matters=False)))

    def cached_caller(self, number: str) -> Caller | None:
        """Who has this number, if that is known without the database."""
        question = self._asked(_Question(number, None), ask=False)
        return self._caller(question) if question.known_caller and question.known_caller.fresh else None

    def cached_owners(self, number: str) -> tuple[Owner, ...] | None:
        """The users who own this number, if that is known without the database."""
        question = self._asked(_Question(None, number), ask=False)
        return self._owners(question) if question.known_called and question.known_called.fresh else None

    # --- one lookup -----------------------------------------------------------------------------------------------

    def _answered(self, question: _Question) -> _Question:
        query = self._asked(question).query
        if query is None:
            return question
        try:
            return self._store(question, query.future.result(self._budget))
        except (FutureTimeout, CancelledError):
            return self._without_database(question, f"no answer within {self._budget:g} s", late=True)
        except Exception as exc:  # noqa: BLE001  (whatever it is, the call goes on)
            return self._without_database(question, why(exc), late=_is_late(exc))
        finally:
            self._over(question, query)

    async def _answered_async(self, question: _Question) -> _Question:
        query = self._asked(question).query
        if query is None:
            return question
        waiting = asyncio.wrap_future(query.future)
        try:
            done, _ = await asyncio.wait({waiting}, timeout=self._budget)
            if not done:
                waiting.cancel()  # whatever comes of it later is nobody's
                return self._without_database(question, f"no answer within {self._budget:g} s", late=True)
            return self._store(question, waiting.result())
        except LookupUnavailable:
            raise
        except Exception as exc:  # noqa: BLE001  (whatever it is, the call goes on)
            return self._without_database(question, why(exc), late=_is_late(exc))
        finally:
            self._over(question, query)

    def _asked(self, question: _Question, *, ask: bool = True) -> _Question:
        """Look in the memory, and send the query if it is needed and allowed."""
        if question.caller is not None:
            question.known_caller = self._cache.caller(question.caller)
        if question.called is not None:
            question.known_called = self._cache.called(question.called)
        if all(known is None or known.fresh for known in (question.known_caller, question.known_called)):
            self.counts["cache"] += 1
            return question
        if not ask:
            return question
        if self._workers is None:
            raise LookupUnavailable("no database is set (ZVONOK_DATABASE_URL)")
        question.pending = self._cache.begin()
        arguments = (question.caller, question.called)
        question.query = self._workers.submit(_STATEMENT, arguments, seconds=self._budget)
        if question.query is None:
            self._cache.end(question.pending)
            return self._from_memory(question, "the database was unreachable a moment ago", late=False)
        return question

    def _store(self, question: _Question, row: tuple[Any, ...] | None) -> _Question:
        assert question.pending is not None
        assert row is not None
        answer = msgspec.json.decode(row[0], type=_Answer)
        if question.caller is not None:
            number = Number(key=answer.caller.key, number=answer.caller.number)
            person = Person(
                kind=answer.caller.kind,
                id=answer.caller.id,
                name=answer.caller.name,
                company=answer.caller.company,
                matches=answer.caller.matches,
            )
            self._cache.store_caller(question.pending, question.caller, number, person)
            question.known_caller = Known(number=number, person=person, fresh=True)
        if question.called is not None:
            self._cache.store_called(question.pending, question.called, answer.called, answer.owners)
            question.known_called = Known(number=answer.called, owners=answer.owners, fresh=True)
        question.source = "database"
        self.counts["database"] += 1
        if self._workers is not None and self._workers.succeeded():
            log.info("the database answers again")
        return question

    def _without_database(self, question: _Question, reason: str, *, late: bool = False) -> _Question:
        if self._workers is not None and self._workers.failed():
            log.warning("lookups fail, calls go on without names they don't remember: %s", reason)
        return self._from_memory(question, reason, late=late)

    def _from_memory(self, question: _Question, reason: str, *, late: bool) -> _Question:
        if not question.caller_matters:
            question.caller = question.known_caller = None
        # Asked again: a change may have been told of since.
        if question.caller is not None:
            question.known_caller = self._cache.caller(question.caller)
        if question.called is not None:
            question.known_called = self._cache.called(question.called)
        caller, called = question.known_caller, question.known_called
        if (caller is None or caller.person or caller.fresh) and (called is None or called.owners is not None):
            question.source = "stale"
            self.counts["stale"] += 1
            return question
        self.counts["late" if late else "failed"] += 1
        raise LookupUnavailable(reason, late=late)

    def _over(self, question: _Question, query: Query) -> None:
        if not query.future.done():
            query.cut()
        if question.pending is not None:
            self._cache.end(question.pending)

    # --- what the answers become ----------------------------------------------------------------------------------

    def _caller(self, question: _Question) -> Caller:
        known, spelling = question.known_caller, question.caller
        assert known is not None
        assert spelling is not None
        number = known.number.number if known.number else None
        restricted = number is None and spelling.strip("<> ").lower() in _HIDDEN
        person = known.person or Person(kind=Kind.UNKNOWN, id=None, name=None, company=None, matches=0)
        return Caller(
            number=number,
            name=person.name,
            kind=person.kind,
            id=person.id,
            company=person.company,
            restricted=restricted,
            matches=person.matches,
            url=card_url(self._card_url, kind=person.kind, record=person.id, number=number),
        )

    def _owners(self, question: _Question) -> tuple[Owner, ...]:
        known, spelling = question.known_called, question.called
        assert known is not None
        assert spelling is not None
        number = (known.number and known.number.number) or spelling
        return tuple(
            Owner(user_id=row.user_id, name=row.name, number=number, label=row.label) for row in known.owners or ()
        )

    # --- changes --------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Follow the database's NOTIFYs for as long as the directory lives; reconnect with back-off."""
        said = False
        while not self._stop.is_set():
            try:
                self._follow_changes()
            except psycopg.Error as exc:
                if (self.listening or not said) and not self._stop.is_set():
                    log.warning("changes in the CRM are seen late, until the database is back: %s", explain(exc))
                    said = True
            self.listening = False
            self._stop.wait(random.uniform(0.2, 1.0))  # noqa: S311  (spreads the reconnects of many PBXs)

    def _follow_changes(self) -> None:
        assert self._url is not None
        assert self._workers is not None
        options = connect_options(self._url, name="directory listener", statement_timeout_ms=5_000)
        with psycopg.connect(self._url, **options) as connection:
            self._connection = connection
            try:
                if self._workers.refill(seconds=REFILL_FOR, stop=self._stop):
                    log.info("the database answers again")
                connection.execute(f"LISTEN {CHANNEL}")
                self.listening = True
                self._cache.doubt_all()  # what changed before this moment was not heard
                while not self._stop.is_set():
                    for change in connection.notifies(timeout=LISTEN_FOR):
                        self._cache.changed(change.payload)
                    connection.execute("SELECT 1")  # a dead peer is noticed
            finally:
                self._connection = None
                with contextlib.suppress(psycopg.Error):
                    connection.close()


def _is_late(exc: Exception) -> bool:
    """Whether the database gave up by its own statement_timeout: slow, as if our budget had ended first."""
    return isinstance(exc, psycopg.errors.QueryCanceled)
