"""The tracker's questions to the directory, and the answers back to it as facts.

The tracker asks again what the directory could not answer, some at a time; but as soon as one question is answered by
the database after failures, all that failed are asked one after another, the newest first: those calls still live.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from fastagi.directory import Directory, LookupUnavailable
from fastagi.facts import CallerFound, Fact, LookupFailed, Owner, OwnersFound
from fastagi.records import Ask, AskOwners
from fastagi.trace import Trace
from zvonok.call import Caller

_REMEMBERED: Final = 40_000
_AT_ONCE: Final = 200
"""So many questions wait for the database together: a new call's waits behind them."""


class Lookups:
    """Asks `directory` and gives each answer to `feed`, in the event loop: a remembered one before `ask` returns.

    `trace` is told what was asked and answered; `now` is the tap's clock (ms).
    """

    def __init__(
        self, directory: Directory, *, feed: Callable[[Fact], None], trace: Trace, now: Callable[[], int]
    ) -> None:
        self._directory, self._feed, self._trace, self._now = directory, feed, trace, now
        self._asking: set[asyncio.Task[None]] = set()
        self._failed: dict[str, Ask] = {}

    def ask(self, question: Ask) -> None:
        """Answer `question` now if it is remembered, else when the database has answered, or has not."""
        answer: Caller | tuple[Owner, ...] | None
        if isinstance(question, AskOwners):
            answer = self._directory.cached_owners(question.number)
        else:
            answer = self._directory.cached_caller(question.number)
        if answer is not None:
            self._answer(question, answer, "from memory")
            return
        self._begin(question)

    def _begin(self, question: Ask) -> None:
        task = asyncio.create_task(self._ask(question), name="lookup")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, question: Ask) -> None:
        began = time.monotonic()
        answer: Caller | tuple[Owner, ...]
        try:
            if isinstance(question, AskOwners):
                calling = question.caller
                if calling is not None and self._directory.cached_caller(calling) is not None:
                    calling = None
                answer = await self._directory.owners_of_async(question.number, calling=calling)
            else:
                answer = await self._directory.caller_async(question.number)
        except LookupUnavailable as exc:
            self._trace.looked_up(question, f"no answer: {exc}", self._now())
            if len(self._failed) < _REMEMBERED:
                self._failed[question.ask_id] = question
            self._feed(LookupFailed(ask_id=question.ask_id, why=str(exc)))
        else:
            self._answer(question, answer, f"from the database, {(time.monotonic() - began) * 1000:.1f} ms")
            self._failed.pop(question.ask_id, None)
            while self._failed and len(self._asking) < _AT_ONCE and self._directory.reachable:
                self._begin(self._failed.popitem()[1])  # again: nobody need wait for his next turn

    def _answer(self, question: Ask, answer: Caller | tuple[Owner, ...], source: str) -> None:
        fact: Fact
        if isinstance(answer, Caller):
            words = f"{answer.kind} {answer.name or ''}".strip() if answer.matches else "nobody whom the CRM knows"
            fact = CallerFound(ask_id=question.ask_id, caller=answer)
        else:
            words = ", ".join(f"user {owner.user_id} {owner.name or ''}".strip() for owner in answer) or "nobody"
            fact = OwnersFound(ask_id=question.ask_id, owners=answer)
        self._trace.looked_up(question, f"{words} ({source})", self._now())
        self._feed(fact)
