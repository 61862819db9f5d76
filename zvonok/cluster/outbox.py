"""The outbox: the latest value of each key that the bucket is not known to hold. Pure; times are seconds, given.

Each put says which sequence of its key it replaces. So what a broken connection delivers late (the kernel goes on
sending what nobody waits for) is refused, instead of replacing something newer.
"""

import heapq
from typing import Final, Generic, NamedTuple, TypeVar

T = TypeVar("T")

RETRY_S: Final = 1.0
MAX_RETRY_S: Final = 4.0
WINDOW: Final = 500
REMEMBERED: Final = 50_000
_ANSWERS_AWAITED: Final = 4
"""Of each key: a busy engine answers late, and a put that was repeated meanwhile is stored all the same."""


class Sending(NamedTuple, Generic[T]):
    """One put to be sent now; `token` comes back with its answer, `expected` is the key's sequence that it replaces."""

    token: int
    subject: str
    item: T
    expected: int


class Outbox(Generic[T]):
    """Items by subject. An item is replaced by the next of its subject, and leaves when it is known to be stored."""

    def __init__(self) -> None:
        self._items: dict[str, T] = {}
        self._fresh: dict[str, None] = {}
        self._later: dict[str, None] = {}
        self._sent: dict[int, tuple[str, T]] = {}
        self._tokens: dict[str, list[int]] = {}
        self._retries: list[tuple[float, int]] = []
        self._sequences: dict[str, int] = {}
        self._token = 0
        self._highest = (0, 0)
        self.stored_items = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def unsent(self) -> bool:
        """Whether something has not been sent since it was offered."""
        return bool(self._fresh or self._later)

    def get(self, subject: str) -> T | None:
        """What waits to be stored there."""
        return self._items.get(subject)

    def offer(self, subject: str, item: T, *, later: bool = False) -> None:
        """Put this as soon as possible; `later`: after all that is not."""
        self._items[subject] = item
        if later and subject not in self._fresh:
            self._later[subject] = None
        else:
            self._fresh[subject] = None
            self._later.pop(subject, None)

    def due(self, now: float) -> list[Sending[T]]:
        """What to send now, a window of it at most: what is new, and what was not answered for a second."""
        out: list[Sending[T]] = []
        for waiting in (self._fresh, self._later):
            while waiting and len(out) < WINDOW:
                subject = next(iter(waiting))
                del waiting[subject]
                out.append(self._send(subject, now))
        while self._retries and self._retries[0][0] <= now and len(out) < WINDOW:
            _, token = heapq.heappop(self._retries)
            subject, item = self._sent.get(token, ("", None))
            if subject and self._items.get(subject) is item and self._tokens[subject][-1] == token:
                out.append(self._send(subject, now))
        return out

    def ticket(self) -> int:
        """The token of a put that is not the outbox's: one that is not repeated, but whose answer is told as well."""
        self._token += 1
        return self._token

    def next_due(self, now: float) -> float | None:
        """In how many seconds `due` has something, or None: when something is offered."""
        if self.unsent:
            return 0.0
        return max(0.0, self._retries[0][0] - now) if self._retries else None

    def stored(self, token: int, sequence: int) -> bool:
        """This put is in the bucket. Returns False if the bucket must be a new one, which lacks all that was stored."""
        last_token, last_sequence = self._highest
        if token > last_token:
            self._highest = (token, sequence)
        subject, item = self._sent.pop(token, ("", None))
        if subject:
            self.stored_items += 1
            self._sequences.pop(subject, None)
            self._sequences[subject] = sequence
            if len(self._sequences) > REMEMBERED:
                del self._sequences[next(iter(self._sequences))]
            if self._items.get(subject) is item:
                self._forget(subject)
        if token > last_token and sequence <= last_sequence:
            self._sequences.clear()
            return False
        return True

    def outdated(self, token: int, last: int | None) -> None:
        """The key stands at the sequence `last` (None: unknown), so this put was refused: again, from there."""
        subject, item = self._sent.pop(token, ("", None))
        if subject:
            if last is None:
                self._sequences.pop(subject, None)
            else:
                self._sequences[subject] = last
            if self._items.get(subject) is item:
                self._fresh[subject] = None

    def refused(self, token: int) -> T | None:
        """The bucket will never take this item; it is dropped, and returned if nothing newer had replaced it."""
        subject, item = self._sent.pop(token, ("", None))
        if not subject or self._items.get(subject) is not item:
            return None
        self._forget(subject)
        return item

    def disconnected(self) -> None:
        """No answer will come any more to what was sent: all of it is to be sent again."""
        for subject in self._items:
            if subject not in self._later:
                self._fresh[subject] = None
        self._sent.clear()
        self._tokens.clear()
        self._retries.clear()

    def _send(self, subject: str, now: float) -> Sending[T]:
        token, item = self.ticket(), self._items[subject]
        tokens = self._tokens.setdefault(subject, [])
        times = sum(self._sent.get(earlier, ("", None))[1] is item for earlier in tokens)
        tokens.append(token)
        if len(tokens) > _ANSWERS_AWAITED:
            self._sent.pop(tokens.pop(0), None)
        self._sent[token] = (subject, item)
        heapq.heappush(self._retries, (now + min(MAX_RETRY_S, RETRY_S * 2**times), token))
        return Sending(token, subject, item, self._sequences.get(subject, 0))

    def _forget(self, subject: str) -> None:
        del self._items[subject]
        self._fresh.pop(subject, None)
        self._later.pop(subject, None)
        for token in self._tokens.pop(subject, ()):
            self._sent.pop(token, None)
