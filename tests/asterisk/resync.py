"""One fault in the middle of many calls: real Asterisk, real processes, a page for every user.

All plays of `tests.asterisk.scenarios.phases` are brought into their phase at once, the fault strikes all of them, and
when it is over every card must be right within 2 s. Cards of calls that live on keep their `call_id` and their times.
"""

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any

import psycopg

from tests.asterisk.ami_probe import AmiProbe
from tests.asterisk.ami_proxy import AmiProxy
from tests.asterisk.comparing import A_BLINK_MS, story, until_in_step, wrong_callers, wrong_cards
from tests.asterisk.instance import Asterisk
from tests.asterisk.scenarios.plot import Cards, Fault, Plot
from tests.asterisk.scenarios.stage import MODES, Mode, Stage
from tests.installation import Zvonok, wait_in_step
from tests.levels import within
from tests.watching import Watcher, watching

RIGHT_SECONDS = 2
PHASE_SECONDS = 30


class AmiCut(Fault):
    """The connection between the tap and the PBX breaks, and nobody answers there."""

    name, blind = "AMI cut", True

    def __init__(self, proxy: AmiProxy) -> None:
        self._proxy = proxy

    async def strike(self) -> None:
        await self._proxy.cut()

    async def repair(self) -> None:
        await self._proxy.join()


class Killed(Fault):
    """A process of ours gets SIGKILL and is started again."""

    def __init__(self, zvonok: Zvonok) -> None:
        self._zvonok = zvonok

    async def strike(self) -> None:
        await asyncio.to_thread(self._zvonok.kill, self.name)

    async def repair(self) -> None:
        await asyncio.to_thread(self._zvonok.start, self.name)


class TapKilled(Killed):
    name, blind, loses_announcements = "tap", True, True


class FastagiKilled(Killed):
    """Announcements stop; AMI tells all the same."""

    name = "fastagi"


class AsteriskKilled(Fault):
    """Every call is gone with it."""

    name, blind, ends_calls = "asterisk", True, True

    def __init__(self, pbx: Asterisk) -> None:
        self._pbx = pbx

    async def strike(self) -> None:
        await asyncio.to_thread(self._pbx.stop)

    async def repair(self) -> None:
        await asyncio.to_thread(self._pbx.start)


class Act:
    """One play in one mode, with the pages of its users. `wrong` says what went wrong, and is the end of it."""

    def __init__(self, plot: Plot, stage: Stage, watchers: dict[int, Watcher], acts: AsyncIterator[Cards]) -> None:
        self.plot, self.stage, self.watchers = plot, stage, watchers
        self._acts = acts
        self._must_be: Cards = {}
        self.wrong: list[str] = []
        self.before: dict[str, dict[str, Any]] = {}  # call_id -> the card as it was before the fault

    async def to_next(self) -> None:
        """Play up to the next yield, or to the end."""
        try:
            async with asyncio.timeout(within(PHASE_SECONDS)):
                self._must_be = await anext(self._acts, {})
        except Exception as exc:  # noqa: BLE001  # the other plays go on
            self.wrong += [f"{type(exc).__name__}: {exc}", traceback.format_exc(limit=-3)]

    def lose_all(self) -> None:
        """No call lives any longer."""
        self._must_be = {
            user: ["unknown" if state in ("ringing", "talking") else state for state in states]
            for user, states in self._must_be.items()
        }

    def is_right(self) -> bool:
        """Whether every page shows what it must now."""
        return not self.wrong and all(
            self._shown(user) == self._wanted(user) or (self._is_perhaps(user) and not self._shown(user))
            for user in self.watchers
        )

    def _wanted(self, user: int) -> list[str]:
        return next((states for digit, states in self._must_be.items() if self.stage.user(digit) == user), [])

    def _is_perhaps(self, user: int) -> bool:
        return any(self.stage.user(digit) == user for digit in self.stage.perhaps)

    def _shown(self, user: int) -> list[str]:
        return [call["end"]["reason"] if call["end"] else call["state"] for call in self.watchers[user].newest]

    def fail(self, when: str) -> None:
        """The pages are not right."""
        self.wrong += [f"{when}: not all as it must be"] + [
            f"  user {user} must see {self._wanted(user)}, sees {self._shown(user)}" for user in self.watchers
        ]

    def remember(self) -> None:
        """Keep the cards as they are now."""
        self.before = {call["call_id"]: call for watcher in self.watchers.values() for call in watcher.newest}

    def check_same(self) -> None:
        """Every card from before the fault is still one of those shown, with its times."""
        now = {call["call_id"]: call for watcher in self.watchers.values() for call in watcher.newest}
        for call_id, old in self.before.items():
            new = now[call_id]
            for moment in ("ring_started_at", "answered_at"):
                if old[moment] is not None and abs(new[moment] - old[moment]) > A_BLINK_MS:
                    self.wrong.append(f"user {old['user_id']}: {moment} was {old[moment]}, is {new[moment]}")

    def check_end(self) -> None:
        """Everything was as it must be, from beginning to end."""
        perhaps = {self.stage.user(digit) for digit in self.stage.perhaps}
        sure = {user: watcher for user, watcher in self.watchers.items() if user not in perhaps}
        self.wrong += wrong_cards(self.stage.expected, sure) + wrong_callers(self.plot, self.stage.mode, self.watchers)
        for user in perhaps:
            ends = {episode.end for episode in self.stage.expected[user]}
            if not set(self._shown(user)) <= ends:
                self.wrong.append(f"user {user} must see nothing or {ends}, saw {self._shown(user)}")

    def is_over(self) -> bool:
        """Whether all cards that must come have come and ended."""
        newest = [call for watcher in self.watchers.values() for call in watcher.newest]
        wanted = sum(map(len, self.stage.expected.values())) - len(self.stage.perhaps)
        return bool(self.wrong) or (len(newest) >= wanted and all(call["state"] == "ended" for call in newest))


class Run:
    """All plays through one fault. `seconds`: how long after the end of the fault the last card was right."""

    def __init__(self, pbx: Asterisk, zvonok: Zvonok, bystander: int) -> None:
        self._pbx, self._zvonok, self._bystander = pbx, zvonok, bystander
        self._acts: list[Act] = []
        self.seconds = 0.0

    async def play(self, plots: Iterable[Plot], fault: Fault) -> str:
        """Play them and tell what was wrong; "" if nothing."""
        async with AsyncExitStack() as stack:
            bystander = await stack.enter_async_context(watching(self._zvonok.url, self._bystander))
            lab = await stack.enter_async_context(self._pbx.lab_ami())
            for plot in plots:
                for mode in MODES:
                    self._acts.append(await self._act(plot, mode, fault, lab, stack))
            await self._all(Act.to_next)
            await self._until(Act.is_right, 5, "before the fault")
            for act in self._acts:
                act.remember()
            await fault.strike()
            if fault.ends_calls:
                for act in self._acts:
                    act.lose_all()
            else:
                await self._all(Act.to_next)
            await fault.repair()
            began = time.monotonic()
            await self._until(Act.is_right, RIGHT_SECONDS, f"{RIGHT_SECONDS} s after the fault")
            self.seconds = time.monotonic() - began
            for act in self._acts:
                act.check_same()
            if not fault.ends_calls:
                await self._all(Act.to_next)
                await self._until(Act.is_over, 6, "at the end")
                await asyncio.sleep(0.3)  # for what must not come
                for act in self._acts:
                    act.check_end()
            out = [await self._told(act) for act in self._acts if act.wrong]
            out += await self._wrong_rows()
            if bystander.calls:
                out.append(f"the bystander saw {bystander.calls}")
        return "\n".join(out)

    async def _act(self, plot: Plot, mode: Mode, fault: Fault, lab: AmiProbe, stack: AsyncExitStack) -> Act:
        watchers = {
            user: await stack.enter_async_context(watching(self._zvonok.url, user)) for user in plot.people(mode)
        }
        stage = Stage(plot, mode, self._pbx, lab, stack)
        stage.in_step = lambda: until_in_step(stage, watchers, self._zvonok)
        return Act(plot, stage, watchers, plot.play(stage, fault))

    async def _all(self, step: Callable[[Act], Awaitable[None]]) -> None:
        await asyncio.gather(*(step(act) for act in self._acts if not act.wrong))

    async def _until(self, true: Callable[[Act], bool], seconds: float, when: str) -> None:
        """Wait until it is so for all plays that go well; the others go wrong here."""
        deadline = time.monotonic() + within(seconds)
        while late := [act for act in self._acts if not act.wrong and not true(act)]:
            if time.monotonic() > deadline:
                for act in late:
                    act.fail(when)
            await asyncio.sleep(0.02)

    async def _told(self, act: Act) -> str:
        head = f"{act.plot.key} {act.stage.mode}: {act.plot.title}"
        return "\n".join([head, *act.wrong, await asyncio.to_thread(story, act.stage, self._zvonok), ""])

    async def _wrong_rows(self) -> list[str]:
        """Where `calls` does not say what the pages were told."""
        users = {user: watcher for act in self._acts for user, watcher in act.watchers.items()}
        shown = {call["call_id"]: _row(call) for watcher in users.values() for call in watcher.newest}
        deadline = time.monotonic() + within(5)
        while (rows := await asyncio.to_thread(self._rows, list(users))) != shown:
            if time.monotonic() > deadline:
                both = rows.keys() | shown.keys()
                return [
                    f"calls has {rows.get(one)}, the page {shown.get(one)}"
                    for one in both
                    if rows.get(one) != shown.get(one)
                ]
            await asyncio.sleep(0.1)
        return []

    def _rows(self, users: list[int]) -> dict[str, tuple[object, ...]]:
        with psycopg.connect(self._zvonok.settings["ZVONOK_DATABASE_URL"]) as connection:
            found = connection.execute(
                "SELECT call_id, user_id, line_number, queue, caller_number, state, reason, answered_at IS NOT NULL"
                " FROM calls WHERE user_id = ANY(%s)",
                (users,),
            )
            return {row[0]: row[1:] for row in found}


def _row(call: dict[str, Any]) -> tuple[object, ...]:
    reason = call["end"]["reason"] if call["end"] else None
    line = call["line"]
    was_answered = call["answered_at"] is not None
    return call["user_id"], line["number"], line["queue"], call["caller"]["number"], call["state"], reason, was_answered


async def new_call_shows(pbx: Asterisk, zvonok: Zvonok, plot: Plot, mode: Mode) -> str:
    """A call after everything: the card comes, and goes the whole way. "" if it does."""
    (user,) = [user for user in plot.people(mode) if str(user).endswith("1")]
    async with watching(zvonok.url, user) as watcher, pbx.lab_ami() as lab, AsyncExitStack() as stack:
        old = len(watcher.calls)
        stage = Stage(plot, mode, pbx, lab, stack)
        leg, call = await stage.ring()
        await stage.pick_up(leg, call)
        await stage.hang_up(call, leg)
        try:
            await watcher.until(
                lambda seen: seen.states()[old:] == [["ringing", "talking", "ended"]], seconds=RIGHT_SECONDS
            )
        except AssertionError as exc:
            return f"a new call: {exc}\n{await asyncio.to_thread(story, stage, zvonok)}"
    await asyncio.to_thread(wait_in_step, zvonok)
    return ""
