"""What the directory remembers: who has a number, by the number's key. Pure (time is injected), safe for threads.

An answer is fresh for `ttl` seconds (`NOTHING_TTL` if nobody has the number), and is kept for an hour to serve while
the database is unreachable. A change that the database tells of removes it at once, also when the lookup that is about
to store it began before the change.
"""

import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

import msgspec
from cachetools import LRUCache, TTLCache

from zvonok.call import Kind

KEEP: Final = 3600.0
NOTHING_TTL: Final = 30.0
SIZE: Final = 20_000
MAX_SPELLING: Final = 100  # characters; a longer text is no number, and is not remembered
EVERYTHING: Final = "*"  # as in sql/011_notify.sql

V = TypeVar("V")


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """One spelling of a number: its key and how it is shown (zvonok.phone_key, zvonok.phone_number); None if hidden."""

    key: str | None
    number: str | None


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who has a number, as a caller."""

    kind: Kind
    id: int | None
    name: str | None
    company: str | None
    matches: int


class OwnerRow(msgspec.Struct, frozen=True, kw_only=True):
    """A user who owns a number, as a called party."""

    user_id: int
    name: str | None
    label: str | None


class Known(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=False):
    """What is remembered of one spelling. `fresh`: it can be answered without the database."""

    number: Number | None
    person: Person | None = None
    owners: tuple[OwnerRow, ...] | None = None
    fresh: bool = False


class Pending:
    """A lookup on its way: collects the changes that the database tells of meanwhile."""

    __slots__ = ("changed",)

    def __init__(self) -> None:
        self.changed: set[str] = set()

    def overtaken(self, key: str | None) -> bool:
        """Whether what this lookup found about `key` may already be wrong."""
        return EVERYTHING in self.changed or key in self.changed


class _Entry(Generic[V]):
    __slots__ = ("at", "nothing", "value")

    def __init__(self, value: V, at: float, *, nothing: bool) -> None:
        self.value, self.at, self.nothing = value, at, nothing


class DirectoryCache:
    """Bounded: `SIZE` spellings, callers and called numbers each; the least used go first."""

    def __init__(self, *, ttl: float, clock: Callable[[], float]) -> None:
        self._ttl = ttl
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers: LRUCache[str, Number] = LRUCache(SIZE)
        self._persons: TTLCache[str, _Entry[Person]] = TTLCache(SIZE, KEEP, timer=clock)
        self._owners: TTLCache[str, _Entry[tuple[OwnerRow, ...]]] = TTLCache(SIZE, KEEP, timer=clock)
        self._fresh_from = float("-inf")
        self._pending: set[Pending] = set()

    def caller(self, spelling: str) -> Known:
        """What is known of this caller's number."""
        with self._lock:
            number = self._numbers.get(spelling)
            entry = None if number is None or number.key is None else self._persons.get(number.key)
            hidden = number is not None and number.key is None
            return Known(number=number, person=entry.value if entry else None, fresh=hidden or self._is_fresh(entry))

    def called(self, spelling: str) -> Known:
        """What is known of this called number's owners."""
        with self._lock:
            number = self._numbers.get(spelling)
            entry = None if number is None or number.key is None else self._owners.get(number.key)
            hidden = number is not None and number.key is None
            return Known(
                number=number,
                owners=() if hidden else None if entry is None else entry.value,
                fresh=hidden or self._is_fresh(entry),
            )

    def begin(self) -> Pending:
        """A lookup begins: before its query is sent."""
        pending = Pending()
        with self._lock:
            self._pending.add(pending)
        return pending

    def end(self, pending: Pending) -> None:
        """The lookup is over, whatever came of it."""
        with self._lock:
            self._pending.discard(pending)

    def store_caller(self, pending: Pending, spelling: str, number: Number, person: Person) -> None:
        """Remember what a lookup found, unless a change overtook it. Call it before `end`."""
        with self._lock:
            self._remember(spelling, number)
            if number.key is not None and not pending.overtaken(number.key):
                nothing = person.kind is Kind.UNKNOWN
                self._persons[number.key] = _Entry(person, self._clock(), nothing=nothing)

    def store_called(self, pending: Pending, spelling: str, number: Number, owners: tuple[OwnerRow, ...]) -> None:
        """Remember what a lookup found, unless a change overtook it. Call it before `end`."""
        with self._lock:
            self._remember(spelling, number)
            if number.key is not None and not pending.overtaken(number.key):
                self._owners[number.key] = _Entry(owners, self._clock(), nothing=not owners)

    def changed(self, key: str) -> None:
        """The database says that `key` (or `EVERYTHING`) changed: what is known of it is wrong from now on."""
        with self._lock:
            for pending in self._pending:
                pending.changed.add(key)
            if key == EVERYTHING:
                self._persons.clear()
                self._owners.clear()
            else:
                self._persons.pop(key, None)
                self._owners.pop(key, None)

    def doubt_all(self) -> None:
        """Changes may have been missed: nothing is fresh any more, but all of it may still serve in an outage."""
        with self._lock:
            self._fresh_from = self._clock()
            for pending in self._pending:
                pending.changed.add(EVERYTHING)

    def __len__(self) -> int:
        with self._lock:
            return len(self._persons) + len(self._owners)

    def _remember(self, spelling: str, number: Number) -> None:
        if len(spelling) <= MAX_SPELLING:
            self._numbers[spelling] = number

    def _is_fresh(self, entry: _Entry[Person] | _Entry[tuple[OwnerRow, ...]] | None) -> bool:
        if entry is None or entry.at < self._fresh_from:
            return False
        ttl = min(self._ttl, NOTHING_TTL) if entry.nothing else self._ttl
        return self._clock() - entry.at < ttl
