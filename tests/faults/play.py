"""One fault meets calls in every phase at once, a user of its own for each phone.

Within 2 s after the fault is over every card is right; nobody else is told anything; and when all is over there is
one row a phone with the right state, reason and times.
"""

import asyncio
import itertools
from collections.abc import Awaitable
from typing import Any, Final, Literal

import msgspec

from tests.faults.faults import RIGHT_WITHIN, Fault, Step
from tests.faults.phones import PHONES, Outcome, Phone, PhoneCall, Span
from tests.faults.stage import Stage
from tests.levels import within
from zvonok.call import wall_ms

PROMPT_MS: Final = 500
"""How late the tap may hear of what a phone did where nothing is wrong: a machine with more to do than it can."""
WHOLE_SECOND_MS: Final = 1_000
"""Asterisk says how old a channel is in whole seconds; that is all there is of a call whose beginning was missed."""

Action = Literal["ring", "answer", "hang_up"]


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """What a call does before the fault, during it and after it. `just`: its last action before is not waited for."""

    name: str
    outcome: Outcome = "answered"
    before: tuple[Action, ...] = ()
    just: bool = False
    during: tuple[Action, ...] = ()
    after: tuple[Action, ...] = ()


PHASES: Final = (
    Phase(name="rings", before=("ring",)),
    Phase(name="answered", before=("ring",), during=("answer",)),
    Phase(name="given up", outcome="missed", before=("ring",), during=("hang_up",)),
    Phase(name="busy", outcome="busy", before=("ring",), during=("hang_up",)),
    Phase(name="group", outcome="group", before=("ring",), during=("answer",)),
    Phase(name="talks", before=("ring", "answer")),
    Phase(name="hung up", before=("ring", "answer"), during=("hang_up",)),
    Phase(name="was missed", outcome="missed", before=("ring", "hang_up"), just=True),
    Phase(name="was over", before=("ring", "answer", "hang_up"), just=True),
    Phase(name="begins", during=("ring",)),
    Phase(name="begins, talks", during=("ring", "answer")),
    Phase(name="begins, ends", outcome="missed", during=("ring", "hang_up")),
    Phase(name="after", after=("ring", "answer")),
)
USERS: Final = sum(PHONES[phase.outcome] for phase in PHASES)
"""How many users one play needs."""


class Play:
    """One fault, and the calls that it meets. `took`: phase -> the seconds until its card was right."""

    def __init__(self, stage: Stage, fault: Fault, users: range, bystanders: range) -> None:
        self.stage, self.fault, self.bystanders = stage, fault, bystanders
        free = iter(users)
        self._who = {phase.name: tuple(itertools.islice(free, PHONES[phase.outcome])) for phase in PHASES}
        self.calls: dict[str, PhoneCall] = {}
        self.took: dict[str, float] = {}
        self.wrong: list[str] = []
        self._before: dict[str, dict[str, Any]] = {}
        self._broke_at = self._mended_at = 0

    async def run(self) -> None:
        """Play it. What is not right is in `wrong`, a sentence each."""
        async with self.stage.watching([*itertools.chain(*self._who.values()), *self.bystanders]):
            await self._calls_before()
            self._broke_at = wall_ms()
            await _done(self.fault.break_it, self.stage)
            if not self.fault.vanish:
                await asyncio.gather(*(self._act(phase, phase.during) for phase in PHASES))
            await asyncio.sleep(self.fault.seconds)
            self._it_is_broken()
            await _done(self.fault.mend, self.stage)
            self._mended_at = wall_ms()
            await self._cards_are_right()
            await asyncio.gather(*(self._act(phase, phase.after) for phase in PHASES))
            await self._cards_are_right()
            await self.stage.phones.hang_up_all()
            await self._history_is_right()
            self._nobody_else_was_told()

    def _it_is_broken(self) -> None:
        if self.fault.blind:
            for phone in self.calls["answered"].phones:
                told = [card["state"] for card in self.stage.pages[phone.user_id].cards.values()]
                if told != ["ringing"]:
                    self.wrong.append(f"the fault breaks nothing: a page was told of {told} meanwhile")

    async def _act(self, phase: Phase, actions: tuple[Action, ...]) -> None:
        for action in actions:
            if action == "ring":
                self.calls[phase.name] = await self.stage.phones.call(*self._who[phase.name], outcome=phase.outcome)
            elif action == "answer":
                await self.calls[phase.name].answer()
            else:
                await asyncio.sleep(0.2 if phase.during[:1] == ("ring",) else 0)
                await self.calls[phase.name].hang_up()

    async def _calls_before(self) -> None:
        first = [(phase, phase.before[:-1] if phase.just else phase.before) for phase in PHASES]
        await asyncio.gather(*(self._act(phase, actions) for phase, actions in first))
        right = await asyncio.gather(*(self._right(phase, within(5)) for phase in PHASES))
        assert None not in right, f"before any fault: {[self._told(phase) for phase in PHASES]}"
        for phone in self._phones():
            self._before.update(self.stage.pages[phone.user_id].cards)
        await asyncio.gather(*(self._act(phase, phase.before[-1:]) for phase in PHASES if phase.just))

    # --- cards --------------------------------------------------------------------------------------------------------

    async def _cards_are_right(self) -> None:
        right = await asyncio.gather(*(self._right(phase, within(RIGHT_WITHIN)) for phase in PHASES))
        for phase, seconds in zip(PHASES, right, strict=True):
            if seconds is None:
                self.wrong.append(self._told(phase))
            elif phase.name in self.calls:
                self.took.setdefault(phase.name, seconds)
        for card in self._before.values():
            # Not equal to the millisecond: a new notifier estimates the PBX's clock anew.
            now = self.stage.pages[card["user_id"]].cards[card["call_id"]]
            for name in ("ring_started_at", "answered_at"):
                if card[name] is not None and abs(now[name] - card[name]) > within(PROMPT_MS):
                    self.wrong.append(f"{name} jumped from {card[name]} to {now[name]}")

    async def _right(self, phase: Phase, patience: float) -> float | None:
        """The seconds until every owner's page shows this call, once, as it is; None if that takes too long."""
        call = self.calls.get(phase.name)
        if call is None or self._excused(phase):
            return 0.0
        began = asyncio.get_running_loop().time()
        shown = (
            self.stage.pages[phone.user_id].until(lambda page, p=phone: self._shows(page.cards, p), patience)  # type: ignore[misc]
            for phone in call.phones
        )
        fine = all(await asyncio.gather(*shown))
        return asyncio.get_running_loop().time() - began if fine else None

    def _shows(self, cards: dict[str, dict[str, Any]], phone: Phone) -> bool:
        mine = list(cards.values())
        if len(mine) != 1 or mine[0]["state"] != phone.state or mine[0]["line"]["number"] != phone.number:
            return False
        return phone.ended is None or mine[0]["end"]["reason"] in self._reasons(phone)

    def _reasons(self, phone: Phone) -> set[str]:
        assert phone.ended is not None
        assert phone.reason is not None
        if not self.fault.deaf or not self._in_the_fault(phone.ended):
            return {phone.reason}
        # The very end of a call that the fault just missed may have been heard, or not; and who answered is seen later.
        heard = phone.ended.began <= self._broke_at + 100 or phone.reason == "answered_elsewhere"
        return {phone.reason, "unknown"} if heard else {"unknown"}

    def _in_the_fault(self, when: Span) -> bool:
        return bool(self._broke_at) and self._broke_at - 500 <= when.done <= (self._mended_at or wall_ms())

    def _excused(self, phase: Phase) -> bool:
        return self.fault.unseen and phase.during == ("ring", "hang_up")

    def _phones(self) -> list[Phone]:
        return [phone for call in self.calls.values() for phone in call.phones]

    def _told(self, phase: Phase) -> str:
        call = self.calls.get(phase.name)
        if call is None:
            return f"{phase.name}: no call"
        told = []
        for phone in call.phones:
            cards = self.stage.pages[phone.user_id].cards.values()
            told.append(
                f"the phone: {phone.state} ({phone.reason}), the page: {[(c['state'], c['end']) for c in cards]}"
            )
        return f"{phase.name}: {'; '.join(told)}"

    # --- history ------------------------------------------------------------------------------------------------------

    async def _history_is_right(self) -> None:
        users = [phone.user_id for phone in self._phones()]
        expected = {p.user_id for phase in PHASES if not self._excused(phase) for p in self._called(phase)}
        deadline = asyncio.get_running_loop().time() + within(10)
        while True:
            rows = await self.stage.rows(users)
            complete = expected <= {row["user_id"] for row in rows} and all(row["state"] == "ended" for row in rows)
            if complete or asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.1)
        for phase in PHASES:
            for phone in self._called(phase):
                mine = [row for row in rows if row["user_id"] == phone.user_id]
                if len(mine) != 1 and not (self._excused(phase) and not mine):
                    self.wrong.append(f"{phase.name}: {len(mine)} rows: {mine}")
                for row in mine[:1]:
                    self._row_is_right(phase, phone, row)
        strangers = await self.stage.rows(self.bystanders)
        self.wrong += [f"a row of somebody who was not called: {row}" for row in strangers]

    def _called(self, phase: Phase) -> tuple[Phone, ...]:
        return self.calls[phase.name].phones if phase.name in self.calls else ()

    def _row_is_right(self, phase: Phase, phone: Phone, row: dict[str, Any]) -> None:
        reasons = self._reasons(phone) | ({"unknown"} if self._excused(phase) else set())
        if row["state"] != "ended" or row["reason"] not in reasons:
            self.wrong.append(f"{phase.name}: the phone {phone.reason}, the row {row}")
        for what, span in (("rang", phone.rang), ("answered", phone.answered), ("ended", phone.ended)):
            said = row[what]
            if span is None:
                if said is not None:
                    self.wrong.append(f"{phase.name}: {what} at {said}, but never did: {row}")
            elif said is None:
                # A talk of which nobody saw anything.
                if not (self.fault.deaf and what == "answered" and self._in_the_fault(span)):
                    self.wrong.append(f"{phase.name}: {what} at {span}, and the row does not say so: {row}")
            else:
                first, last = self._bounds(span)
                if not first <= said <= last:
                    self.wrong.append(
                        f"{phase.name}: {what} at {span}, the row says {said}, {said - span.done:+} ms; fault "
                        f"{self._broke_at} to {self._mended_at}: {row}"
                    )

    def _bounds(self, span: Span) -> tuple[float, float]:
        """Between which times the history may say that it happened."""
        prompt = within(PROMPT_MS)
        if (self.fault.deaf or self.fault.late) and self._in_the_fault(span):
            return span.began - WHOLE_SECOND_MS - 1, self._mended_at + 1000 * within(RIGHT_WITHIN)
        return span.began - 1, span.done + prompt

    def _nobody_else_was_told(self) -> None:
        for user, page in self.stage.pages.items():
            if page.strangers:
                self.wrong.append(f"user {user} was told of {page.strangers}")
            if user in self.bystanders and page.frames:
                self.wrong.append(f"user {user}, who was not called, was told something")


async def _done(step: Step, stage: Stage) -> None:
    result: Awaitable[object] | None = step(stage)
    if result is not None:
        await result
