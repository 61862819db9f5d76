"""The fault matrix: every fault meets calls in every phase at once, one user's phone for each phase.

Not part of `make test` yet (CONTRIBUTING.md says what is open): run it with `pytest tests/faults/matrix.py -n 4`.

Within 2 s after the fault is over every card is right; nobody else is told anything; and when all is over there is
one row a call with the right state, reason and times.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import pytest

from demo.postgres import Postgres
from tests.faults.phones import PhoneCall
from tests.faults.stage import Stage, staged
from tests.levels import within
from zvonok.call import wall_ms

BYSTANDERS: Final = (21, 22, 23)
RIGHT_WITHIN: Final = 2.0
CLOCKS: Final = 500  # ms between what a phone did and when we say so, on a busy machine

Step = Callable[[Stage], Awaitable[object] | None]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """`break_it`, hold it for `seconds`, `mend` it.

    `deaf`: the tap hears nothing of the PBX meanwhile, so what ends then ends as unknown, at a time that is not known.
    `dark`: nor does it hear the announcements, so a call that lives wholly within the fault cannot be known.
    """

    name: str
    break_it: Step
    mend: Step
    seconds: float = 1.0
    deaf: bool = False
    dark: bool = False
    vanish: bool = False


async def done(step: Awaitable[object] | None) -> None:
    if step is not None:
        await step


def restart_database(stage: Stage) -> None:
    stage.postgres.start()


async def lose_database_and_tap(stage: Stage) -> None:
    stage.postgres.stop()
    await asyncio.sleep(1)
    stage.zvonok.kill("tap")
    await stage.start("tap")


def restart_pbx(stage: Stage) -> None:
    stage.pbx.restart()
    for call in stage.phones.diary:
        if call.ended_at is None:
            call.vanish()


FAULTS: Final = [
    Fault(name="notifier restarted", break_it=lambda s: s.stop("notifier"), mend=lambda s: s.start("notifier")),
    Fault(name="notifier killed", break_it=lambda s: s.zvonok.kill("notifier"), mend=lambda s: s.start("notifier")),
    Fault(
        name="notifier frozen",
        break_it=lambda s: s.zvonok.signal("notifier", signal.SIGSTOP),
        mend=lambda s: s.zvonok.signal("notifier", signal.SIGCONT),
        seconds=3,
    ),
    Fault(
        name="tap killed",
        break_it=lambda s: s.zvonok.kill("tap"),
        mend=lambda s: s.start("tap"),
        deaf=True,
        dark=True,
    ),
    Fault(name="tap restarted", break_it=lambda s: s.stop("tap"), mend=lambda s: s.start("tap"), deaf=True, dark=True),
    Fault(
        name="tap frozen",
        break_it=lambda s: s.zvonok.signal("tap", signal.SIGSTOP),
        mend=lambda s: s.zvonok.signal("tap", signal.SIGCONT),
        seconds=3,
    ),
    Fault(name="fastagi killed", break_it=lambda s: s.zvonok.kill("fastagi"), mend=lambda s: s.start("fastagi")),
    Fault(
        name="fastagi frozen",
        break_it=lambda s: s.zvonok.signal("fastagi", signal.SIGSTOP),
        mend=lambda s: s.zvonok.signal("fastagi", signal.SIGCONT),
    ),
    Fault(name="database restarted", break_it=lambda s: s.postgres.stop(), mend=restart_database, seconds=0.5),
    Fault(name="database frozen", break_it=lambda s: s.freeze_database(), mend=lambda s: s.thaw_database(), seconds=4),
    Fault(name="database away for long", break_it=lambda s: s.postgres.stop(), mend=restart_database, seconds=15),
    Fault(
        name="database away and tap killed meanwhile", break_it=lose_database_and_tap, mend=restart_database, seconds=3
    ),
    Fault(name="AMI cut", break_it=lambda s: s.ami.cut(), mend=lambda s: s.ami.heal(), deaf=True, seconds=2),
    Fault(name="AMI swallowed", break_it=lambda s: s.ami.swallow(), mend=lambda s: s.ami.heal(), seconds=3),
    Fault(
        name="AMI swallowed for long",
        break_it=lambda s: s.ami.swallow(),
        mend=lambda s: s.ami.heal(),
        seconds=10,
        deaf=True,
    ),
    Fault(name="intake cut", break_it=lambda s: s.intake.cut(), mend=lambda s: s.intake.heal(), seconds=2),
    Fault(name="intake swallowed", break_it=lambda s: s.intake.swallow(), mend=lambda s: s.intake.heal(), seconds=4),
    Fault(
        name="intake slow",
        break_it=lambda s: setattr(s.intake, "delay", 1.2),
        mend=lambda s: s.intake.heal(),
        seconds=3,
    ),
    Fault(name="users' network cut", break_it=lambda s: s.users.cut(), mend=lambda s: s.users.heal()),
    Fault(name="users asleep", break_it=lambda s: s.users.swallow(), mend=lambda s: s.users.heal(), seconds=4),
    Fault(name="PBX restarted", break_it=restart_pbx, mend=lambda s: None, deaf=True, vanish=True),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_after_this_fault_every_call_is_right(own_postgres: Postgres, fault: Fault) -> None:
    async with staged(own_postgres, 23) as stage:
        await Play(stage, fault).run()


class Play:
    """One fault, and the calls that it meets, by phase."""

    def __init__(self, stage: Stage, fault: Fault) -> None:
        self.stage, self.fault = stage, fault
        self.calls: dict[str, PhoneCall] = {}
        self.before: dict[str, dict[str, Any]] = {}
        self.broke_at = self.mended_at = 0

    async def run(self) -> None:
        await self.calls_before()
        self.broke_at = wall_ms()
        await done(self.fault.break_it(self.stage))
        if not self.fault.vanish:
            await self.calls_during()
        await asyncio.sleep(self.fault.seconds)
        await done(self.fault.mend(self.stage))
        self.mended_at = wall_ms()
        await self.cards_are_right()
        await self.a_call_after()
        await self.stage.phones.hang_up_all()
        await self.stage.settled()
        await self.history_is_right()
        self.nobody_else_was_told()

    async def calls_before(self) -> None:
        phases: list[tuple[str, Any]] = [
            ("ringing", "answered"), ("ringing, then answered", "answered"), ("ringing, then missed", "missed"),
            ("talking", "answered"), ("talking, then over", "answered"), ("just missed", "missed"),
            ("just completed", "answered"),
        ]  # fmt: skip
        for user, (phase, outcome) in enumerate(phases, 1):
            self.calls[phase] = await self.stage.phones.call(user, outcome)
        for phase in ("talking", "talking, then over", "just completed"):
            await self.calls[phase].answer()
        for phase, call in self.calls.items():
            assert await self.is_right(phase, call, seconds=within(3)), f"{phase}, before any fault"
        self.before = {phase: next(iter(self.page(call).cards.values())) for phase, call in self.calls.items()}
        for phase in ("just missed", "just completed"):
            await self.calls[phase].hang_up()

    async def calls_during(self) -> None:
        calls, phones = self.calls, self.stage.phones
        await calls["ringing, then answered"].answer()
        await calls["ringing, then missed"].hang_up()
        await calls["talking, then over"].hang_up()
        calls["began in the fault"] = await phones.call(11)
        calls["began and was answered in the fault"] = await phones.call(12)
        await calls["began and was answered in the fault"].answer()
        passing = await phones.call(13, "missed")
        await asyncio.sleep(0.3)
        await passing.hang_up()
        calls["lived in the fault"] = passing

    async def a_call_after(self) -> None:
        self.calls["after"] = call = await self.stage.phones.call(14)
        assert await self.is_right("after", call, seconds=within(RIGHT_WITHIN)), self.told("after")
        await call.answer()
        assert await self.is_right("after", call, seconds=within(RIGHT_WITHIN)), self.told("after")

    async def cards_are_right(self) -> None:
        right = await asyncio.gather(
            *(self.is_right(phase, call, seconds=within(RIGHT_WITHIN)) for phase, call in self.calls.items())
        )
        wrong = [self.told(phase) for phase, fine in zip(self.calls, right, strict=True) if not fine]
        assert not wrong, wrong
        for phase, card in self.before.items():
            now = self.page(self.calls[phase]).cards[card["call_id"]]
            # Not equal to the millisecond: a new notifier estimates the PBX's clock anew.
            assert abs(now["ring_started_at"] - card["ring_started_at"]) < CLOCKS, phase
            if card["answered_at"] is not None:
                assert abs(now["answered_at"] - card["answered_at"]) < CLOCKS, phase

    async def is_right(self, phase: str, call: PhoneCall, *, seconds: float) -> bool:
        """Whether the owner's page shows this call, once, as it is, before the time is over."""
        if self.maybe_unseen(phase):
            return True
        return await self.page(call).until(lambda page: self.shows(phase, call), seconds)

    def shows(self, phase: str, call: PhoneCall) -> bool:
        cards = list(self.page(call).cards.values())
        if len(cards) != 1 or cards[0]["state"] != call.state or cards[0]["line"]["number"] != call.number:
            return False
        return call.state != "ended" or cards[0]["end"]["reason"] in self.reasons(phase, call)

    def reasons(self, phase: str, call: PhoneCall) -> set[str]:
        assert call.ended_at is not None
        known = "completed" if call.answered_at else "missed"
        if not self.fault.deaf or not self.in_the_fault(call.ended_at):
            return {known}
        # The very end of a call that the fault just missed may have been heard, or not.
        return {"unknown"} if call.ended_at > self.broke_at + 100 else {known, "unknown"}

    def in_the_fault(self, when: int) -> bool:
        return self.broke_at - 100 <= when <= (self.mended_at or wall_ms()) if self.broke_at else False

    def maybe_unseen(self, phase: str) -> bool:
        return self.fault.dark and phase == "lived in the fault"

    def page(self, call: PhoneCall) -> Any:
        return self.stage.pages[call.user_id]

    def told(self, phase: str) -> str:
        call = self.calls[phase]
        cards = [(c["state"], c["end"], c["line"]["number"]) for c in self.page(call).cards.values()]
        return f"{self.fault.name} x {phase}: the phone is {call.state}, the page has {cards}"

    async def history_is_right(self) -> None:
        rows = await self.stage.rows()
        for phase, call in self.calls.items():
            mine = [row for row in rows if row["user_id"] == call.user_id]
            if self.maybe_unseen(phase) and not mine:
                continue
            assert len(mine) == 1, (self.fault.name, phase, mine)
            self.row_is_right(phase, call, mine[0])
        assert {row["user_id"] for row in rows} <= {call.user_id for call in self.calls.values()}

    def row_is_right(self, phase: str, call: PhoneCall, row: dict[str, Any]) -> None:
        assert call.rang_at is not None
        assert call.ended_at is not None
        what = (self.fault.name, phase, row)
        assert row["state"] == "ended", what
        assert row["reason"] in self.reasons(phase, call) or self.maybe_unseen(phase), what
        for said, did in (
            (row["rang"], call.rang_at),
            (row["answered"], call.answered_at),
            (row["ended"], call.ended_at),
        ):
            if did is None:
                assert said is None, what
            elif (self.fault.deaf and self.in_the_fault(did)) or self.late(did):
                # Seen late: not before it was, and not later than the fault's end and the resync.
                if said is not None:
                    assert did - 1500 <= said <= self.mended_at + 1000 * within(RIGHT_WITHIN), what
            else:
                assert said is not None, what
                assert abs(said - did) < within(CLOCKS), what

    def late(self, did: int) -> bool:
        """Whether the tap heard of it only afterwards, because it, or its network, stood still."""
        return self.fault.name in ("tap frozen", "AMI swallowed") and self.in_the_fault(did)

    def nobody_else_was_told(self) -> None:
        for page in self.stage.pages.values():
            assert not page.strangers
        for user in BYSTANDERS:
            assert self.stage.pages[user].frames == 0
