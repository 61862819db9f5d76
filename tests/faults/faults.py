"""The faults of the matrix: how each is made, how it is mended, and what it excuses."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from tests.faults.stage import Stage
from tests.installation import NAMES

DATABASE_AWAY: Final = float(os.environ.get("ZVONOK_TEST_DATABASE_AWAY", "12"))
"""Seconds; longer than every time-out, and as many minutes as you have."""

TAP_KILLED_AFTER_MS: Final = 500
"""The tap follows the PBX for so long without the database before it is killed."""

Step = Callable[[Stage], Awaitable[object] | None]


RIGHT_WITHIN: Final = 2.0
"""Seconds after the end of whatever fault: the promise."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """`break_it`, hold it for `seconds`, `mend` it.

    `deaf`: the tap hears nothing of the PBX meanwhile, so of what ended then only that it ended can be known.
    `late`: it hears of it afterwards, so the times may be late.
    `unseen`: a call that begins and ends meanwhile may stay unknown (docs/reliability.md says why).
    `tap_away`: the tap is away while the fault is made, which the matrix waits for.
    `vanish`: the PBX loses its calls, so none can begin meanwhile.
    `hidden`: nothing is told of its beginning, so all may seem in step while the tap still hears nothing.
    `blind`: no news can reach a page meanwhile, which is checked: a fault that breaks nothing shows nothing.
    """

    name: str
    break_it: Step
    mend: Step
    seconds: float = 1.0
    deaf: bool = False
    late: bool = False
    unseen: bool = False
    tap_away: bool = False
    vanish: bool = False
    hidden: bool = False
    blind: bool = False


def _kill(*names: str) -> Step:
    def kill(stage: Stage) -> None:
        for name in names:
            stage.zvonok.kill(name)

    return kill


def _stop(name: str) -> Step:
    return lambda stage: stage.stop(name)


def _start(*names: str) -> Step:
    return lambda stage: stage.start(*names)


def _signal(name: str, number: signal.Signals) -> Step:
    return lambda stage: stage.zvonok.signal(name, number)


def _stop_database(stage: Stage) -> None:
    stage.postgres.stop()


def _start_database(stage: Stage) -> None:
    stage.postgres.start()


async def _lose_database_and_tap(stage: Stage) -> None:
    stage.postgres.stop()
    await asyncio.sleep(TAP_KILLED_AFTER_MS / 1000)
    stage.zvonok.kill("tap")
    await stage.start("tap")
    await stage.in_step(lookups=False)


def _restart_pbx(stage: Stage) -> None:
    stage.pbx.restart()
    for call in stage.phones.diary:
        if not call.over:
            call.vanish()


def _slow(stage: Stage) -> None:
    stage.intake.delay = 1.2


def _wake(stage: Stage) -> None:
    stage.users.heal()
    stage.wake_pages()


FAULTS: Final = (
    Fault(name="notifier restarted", blind=True, break_it=_stop("notifier"), mend=_start("notifier"), seconds=0.2),
    Fault(name="notifier killed", blind=True, break_it=_kill("notifier"), mend=_start("notifier")),
    Fault(
        name="notifier frozen",
        blind=True,
        break_it=_signal("notifier", signal.SIGSTOP),
        mend=_signal("notifier", signal.SIGCONT),
        seconds=3,
    ),
    Fault(name="tap restarted", blind=True, break_it=_stop("tap"), mend=_start("tap"), seconds=0.2, deaf=True),
    Fault(name="tap killed", blind=True, break_it=_kill("tap"), mend=_start("tap"), deaf=True),
    Fault(
        name="tap frozen",
        blind=True,
        break_it=_signal("tap", signal.SIGSTOP),
        mend=_signal("tap", signal.SIGCONT),
        seconds=3,
        late=True,
    ),
    Fault(name="fastagi killed", break_it=_kill("fastagi"), mend=_start("fastagi")),
    Fault(
        name="fastagi frozen",
        break_it=_signal("fastagi", signal.SIGSTOP),
        mend=_signal("fastagi", signal.SIGCONT),
        seconds=0.2,
    ),
    Fault(
        name="tap and fastagi killed",
        blind=True,
        break_it=_kill("tap", "fastagi"),
        mend=_start("tap", "fastagi"),
        deaf=True,
        unseen=True,
    ),
    Fault(name="all three killed", blind=True, break_it=_kill(*NAMES), mend=_start(*NAMES), deaf=True, unseen=True),
    Fault(name="database restarted", break_it=_stop_database, mend=_start_database, seconds=0.2),
    Fault(
        name="database frozen",
        break_it=lambda stage: stage.freeze_database(),
        mend=lambda stage: stage.thaw_database(),
        seconds=4,
    ),
    Fault(name="database away for long", break_it=_stop_database, mend=_start_database, seconds=DATABASE_AWAY),
    Fault(
        name="database away, tap killed",
        break_it=_lose_database_and_tap,
        mend=_start_database,
        seconds=2,
        tap_away=True,
    ),
    Fault(
        name="AMI cut", blind=True, break_it=lambda s: s.ami.cut(), mend=lambda s: s.ami.heal(), seconds=2, deaf=True
    ),
    Fault(
        name="AMI swallowed",
        blind=True,
        break_it=lambda s: s.ami.swallow(),
        mend=lambda s: s.ami.heal(),
        seconds=8,
        deaf=True,
        hidden=True,
    ),
    Fault(name="PBX restarted", break_it=_restart_pbx, mend=lambda s: None, deaf=True, vanish=True),
    Fault(name="intake cut", blind=True, break_it=lambda s: s.intake.cut(), mend=lambda s: s.intake.heal(), seconds=2),
    Fault(
        name="intake swallowed",
        blind=True,
        break_it=lambda s: s.intake.swallow(),
        mend=lambda s: s.intake.heal(),
        seconds=6,
    ),
    Fault(name="intake slow", break_it=_slow, mend=lambda s: s.intake.heal(), seconds=3),
    Fault(name="users cut off", blind=True, break_it=lambda s: s.users.cut(), mend=lambda s: s.users.heal()),
    Fault(name="users asleep", blind=True, break_it=lambda s: s.users.swallow(), mend=_wake, seconds=4),
)
