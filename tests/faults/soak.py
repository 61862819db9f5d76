"""The soak: calls at a rate, everything breaks at random, and the phones' own diary says what should have been seen.

`python -m tests.faults.soak --minutes 10 --rate 50`. It ends with one line: how many calls were lost, doubled, or told
to somebody whom they did not concern. The truth is the diary of the stand-in PBX's phones; nothing of it comes from
Zvonok. Each owner has a page (a real WebSocket client), and so have users who are never called.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Callable
from typing import Final

import msgspec

from demo.postgres import temporary_postgres
from sql.runner import migrate
from tests.faults.audit import Audit, audit
from tests.faults.faults import FAULTS, Fault
from tests.faults.phones import PHONES, Outcome
from tests.faults.stage import Stage, staged
from tests.levels import within
from zvonok.call import wall_ms

CALLED: Final = 200
BYSTANDERS: Final = 20
_OUTCOMES: Final[dict[Outcome, int]] = {"answered": 55, "missed": 25, "busy": 10, "group": 10}
_NEVER: Final = frozenset(
    {
        "PBX restarted",  # its calls would be lost indeed
        "tap and fastagi killed",  # nobody but the PBX knows of a call that lives wholly within these two
        "all three killed",
    }
)
"""Faults that the soak leaves to the matrix."""


class Trouble(msgspec.Struct):
    """A fault that was: from `began` on until the tap was in step again at `over` (Unix ms)."""

    fault: Fault
    began: int
    over: int = 1 << 62


class Soak:
    """Calls and faults on a stage, for `seconds`. `say` gets a line of progress now and then."""

    def __init__(self, stage: Stage, *, rate: float, seconds: float, seed: int, say: Callable[[str], None]) -> None:
        self._stage, self._rate, self._seconds, self._say = stage, rate, seconds, say
        self._rng, self._fault_rng = random.Random(seed), random.Random(seed + 1)
        self.called = range(1, CALLED + 1)
        self.bystanders = range(CALLED + 1, CALLED + BYSTANDERS + 1)
        self.troubles: list[Trouble] = []
        self._calls: set[asyncio.Task[None]] = set()
        self._began = time.monotonic()

    async def run(self) -> Audit:
        """Run it, let everything end, and compare."""
        async with self._stage.watching([*self.called, *self.bystanders]) as pages:
            self._began = time.monotonic()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._place_calls())
                tasks.create_task(self._break_things())
                telling = tasks.create_task(self._tell())
                await asyncio.sleep(self._seconds)
                telling.cancel()
            self._say("no more calls; those that are ring and talk on to their end")
            await asyncio.gather(*self._calls)
            await self._stage.settled(60)
            await asyncio.sleep(within(1))
            await asyncio.gather(*(page.ready.wait() for page in pages.values()))
            return audit(self._stage.phones.diary, await self._stage.rows(), pages, self.bystanders, self.troubles)

    @property
    def _left(self) -> float:
        return self._began + self._seconds - time.monotonic()

    async def _place_calls(self) -> None:
        """Calls come as they do in life: independent of each other, `rate` a second on average."""
        due = time.monotonic()
        while self._left > 0:
            due += self._rng.expovariate(self._rate)
            await asyncio.sleep(due - time.monotonic())
            task = asyncio.create_task(self._call())
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def _call(self) -> None:
        rng = self._rng
        (outcome,) = rng.choices(list(_OUTCOMES), list(_OUTCOMES.values()))
        users = rng.sample(self.called, PHONES[outcome])
        # A group's phones ring for long: which they are, nobody but the PBX knows if no tap is there meanwhile.
        rings = rng.uniform(5, 9) if outcome == "group" else min(0.05 + rng.expovariate(0.5), 10)
        talks = min(0.05 + rng.expovariate(0.25), 15)
        call = await self._stage.phones.call(*users, outcome=outcome)
        await asyncio.sleep(rings)
        if call.answerer is not None:
            await call.answer()
            await asyncio.sleep(talks)
        await call.hang_up()

    async def _break_things(self) -> None:
        """One fault after another, each until all is in step again."""
        possible = [fault for fault in FAULTS if fault.name not in _NEVER]
        while True:
            await asyncio.sleep(self._fault_rng.uniform(0.5, 3))
            fault = self._fault_rng.choice(possible)
            seconds = self._fault_rng.uniform(0.1, min(fault.seconds, 5.0) + 0.5)
            if self._left < seconds + 3:
                return
            trouble = Trouble(fault, wall_ms())
            self.troubles.append(trouble)
            await _done(fault.break_it(self._stage))
            await asyncio.sleep(seconds)
            await _done(fault.mend(self._stage))
            await self._stage.in_step(60)
            trouble.over = wall_ms()

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(min(10.0, self._seconds / 4))
            diary = self._stage.phones.diary
            last = self.troubles[-1].fault.name if self.troubles else "none yet"
            self._say(
                f"{time.monotonic() - self._began:4.0f} s: {len(diary)} calls, {len(self._calls)} of them live; "
                f"{len(self.troubles)} faults so far, the last: {last}"
            )


async def soak(
    *, minutes: float, rate: float, seed: int, say: Callable[[str], None], stage: Stage | None = None
) -> Audit:
    """A whole soak, on a stage of its own if none is given."""
    if stage is not None:
        return await Soak(stage, rate=rate, seconds=minutes * 60, seed=seed, say=say).run()
    with temporary_postgres() as postgres:
        migrate(postgres.url())
        async with staged(postgres, CALLED + BYSTANDERS) as stage:
            before = stage.memory()
            result = await Soak(stage, rate=rate, seconds=minutes * 60, seed=seed, say=say).run()
            memory = ", ".join(f"{name} {before[name]} -> {now} MB" for name, now in stage.memory().items())
            say(f"memory: {memory}")
            return result


async def _done(step: object) -> None:
    if asyncio.iscoroutine(step):
        await step


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=50.0, help="calls a second (%(default)s)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="what breaks when")
    parser.add_argument("--show", type=int, default=20, help="how many findings of a kind to list (%(default)s)")
    args = parser.parse_args()

    def say(text: str) -> None:
        print(text, flush=True)

    say(f"soak: {args.minutes:g} minutes at {args.rate:g} calls a second, --seed {args.seed}")
    result = asyncio.run(soak(minutes=args.minutes, rate=args.rate, seed=args.seed, say=say))
    for line in result.report(shown=args.show):
        say(line)
    return 0 if result.clean else 1


if __name__ == "__main__":
    sys.exit(main())
