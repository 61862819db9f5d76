"""The tracker's questions on their way to the directory and back."""

import asyncio
from collections.abc import Callable

from fastagi.directory import LookupUnavailable
from fastagi.facts import Fact, LookupFailed, Owner, OwnersFound
from fastagi.lookups import Lookups
from fastagi.records import AskOwners
from fastagi.trace import Trace
from tests.levels import within


class Directory:
    """One whose database is away until told otherwise."""

    reachable = False

    def cached_owners(self, number: str) -> None:
        return None

    async def owners_of_async(self, number: str, *, calling: str | None) -> tuple[Owner, ...]:
        await asyncio.sleep(0)
        if not self.reachable:
            raise LookupUnavailable("away")
        return (Owner(user_id=int(number), number=number),)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(within(5)):
        while not condition():
            await asyncio.sleep(0.005)


async def test_one_answer_after_failures_asks_for_all_that_failed() -> None:
    directory, facts = Directory(), list[Fact]()
    lookups = Lookups(directory, feed=facts.append, trace=Trace(), now=lambda: 0)  # type: ignore[arg-type]
    for number in range(1, 4):
        lookups.ask(AskOwners(ask_id=f"ask-{number}", number=str(number)))
    await until(lambda: len(facts) == 3)
    assert {type(fact) for fact in facts} == {LookupFailed}
    directory.reachable = True
    lookups.ask(AskOwners(ask_id="ask-4", number="4"))
    await until(lambda: len(facts) == 7)
    assert {fact.ask_id for fact in facts[3:] if isinstance(fact, OwnersFound)} == {f"ask-{n}" for n in range(1, 5)}


async def test_after_a_long_outage_the_newest_are_asked_first_and_not_all_at_once() -> None:
    directory, facts = Directory(), list[Fact]()
    lookups = Lookups(directory, feed=facts.append, trace=Trace(), now=lambda: 0)  # type: ignore[arg-type]
    for number in range(1, 1001):
        lookups.ask(AskOwners(ask_id=f"ask-{number}", number=str(number)))
    await until(lambda: len(facts) == 1000)
    facts.clear()
    directory.reachable = True
    lookups.ask(AskOwners(ask_id="ask-1001", number="1001"))
    most = 0
    async with asyncio.timeout(within(5)):
        while len(facts) < 1001:
            most = max(most, len(lookups._asking))
            await asyncio.sleep(0)
    assert most <= 200
    assert [fact.ask_id for fact in facts[:3] if isinstance(fact, OwnersFound)] == ["ask-1001", "ask-1000", "ask-999"]
