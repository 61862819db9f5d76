"""The tracker's questions to the directory: each asked once for all who wait, and again until it is answered. Pure."""

from typing import Final, Generic, TypeVar

import msgspec

from fastagi.records import Ask, AskCaller, AskOwners

RETRY_MS: Final = 500  # a card is to be right within 2 s after the database is back
NO_ANSWER_MS: Final = 5_000
MOST_AT_ONCE: Final = 100
"""In a long outage thousands are open: asking some of them is enough to learn that it is over."""

Waiter = TypeVar("Waiter")


class Question(Generic[Waiter]):
    """One open question. `failed`: the directory could not answer so far."""

    __slots__ = ("ask", "asked_at", "failed", "next_at", "waiting")

    def __init__(self, ask: Ask, now: int) -> None:
        self.ask = ask
        self.asked_at = now
        self.next_at = now + NO_ANSWER_MS
        self.failed = False
        self.waiting: list[Waiter] = []


class Questions(Generic[Waiter]):
    """All open questions of one kind, by number."""

    def __init__(self, kind: type[AskOwners] | type[AskCaller]) -> None:
        self._kind = kind
        self._by_number: dict[str, Question[Waiter]] = {}
        self._by_id: dict[str, Question[Waiter]] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._by_number)

    def ask(
        self, number: str, waiter: Waiter, *, now: int, caller: str | None = None
    ) -> tuple[Question[Waiter], Ask | None]:
        """The question about `number` with `waiter` among those who wait; what to ask, if it is not open already.

        `caller` goes with a question for owners.
        """
        question = self._by_number.get(number)
        if question is not None:
            if waiter not in question.waiting:
                question.waiting.append(waiter)
            return question, None
        self._count += 1
        ask: Ask = self._kind(ask_id=f"{self._kind.__name__[3:].lower()}-{self._count}", number=number)
        if isinstance(ask, AskOwners):
            ask = msgspec.structs.replace(ask, caller=caller)
        question = Question(ask, now)
        question.waiting.append(waiter)
        self._by_number[number] = self._by_id[ask.ask_id] = question
        return question, ask

    def answered(self, ask_id: str) -> Question[Waiter] | None:
        """The question that this answers, now closed; None if nobody waits for it any more."""
        question = self._by_id.pop(ask_id, None)
        if question is not None:
            del self._by_number[question.ask.number]
        return question

    def failed(self, ask_id: str, *, now: int) -> Question[Waiter] | None:
        """The question that could not be answered; it will be asked again."""
        question = self._by_id.get(ask_id)
        if question is not None:
            question.failed = True
            question.next_at = now + RETRY_MS
        return question

    def due(self, *, now: int) -> list[Ask]:
        """What is to be asked again now: at most `MOST_AT_ONCE`, in turn."""
        due = [question for question in self._by_number.values() if question.next_at <= now][:MOST_AT_ONCE]
        for question in due:
            question.next_at = now + NO_ANSWER_MS
            self._by_number[question.ask.number] = self._by_number.pop(question.ask.number)
        return [question.ask for question in due]

    def leave(self, number: str, waiter: Waiter) -> None:
        """`waiter` no longer wants to know of this number."""
        question = self._by_number.get(number)
        if question is not None and waiter in question.waiting:
            question.waiting.remove(waiter)
            if not question.waiting:
                self.answered(question.ask.ask_id)

    def drop(self, waiter: Waiter) -> None:
        """`waiter` no longer wants to know; questions without anybody waiting are closed."""
        for question in [q for q in self._by_number.values() if waiter in q.waiting]:
            question.waiting.remove(waiter)
            if not question.waiting:
                self.answered(question.ask.ask_id)
