"""What a scenario plays on: its own block of numbers on a PBX, its phones, and what each owner must come to see.

A scenario is independent of Zvonok: it is how phones behave, a piece of dialplan, and the expected streams. It is
played while recording AMI, and again with the real processes running. Two modes: `announced` (the dialplan calls our
hook) and `alone` (it does not; AMI is all there is). Each mode has its own numbers, so that all can run at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Literal

import msgspec

from tests.asterisk.ami_probe import AmiProbe
from tests.asterisk.instance import Asterisk
from tests.asterisk.phones import Entry, Phone

Mode = Literal["announced", "alone"]
MODES: tuple[Mode, ...] = ("announced", "alone")
HOOK = "GosubIf($[${DIALPLAN_EXISTS(zvonok,s,1)}]?zvonok,s,1(${EXTEN}))"


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """One card of one owner: its steps as (state, caller's number), and how it ended.

    `queue` is the queue's name, or the number of a ring group (one Dial that rings several phones). Consecutive equal
    steps count once. A caller is the number as the PBX has it (None: withheld). `answered_by` is the user id of the
    colleague who took the call.
    """

    line: str
    steps: tuple[tuple[str, str | None], ...]
    end: str
    queue: str | None = None
    answered_by: int | None = None


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the matrix, or a variant of one.

    `number` is that of notes' and docs/scenarios.md's table; `variant` tells several plays of one number apart.
    `extensions` and `queues` are text in which `<1>`..`<9>` stand for the block's numbers, `<0>` for its service
    number, `<did>` for its number in the telephone network, `<base>` for the block, and `<hook>` for the
    announcement (nothing in the mode `alone`). `phones` and `trunks` name the digits of endpoints.
    `owners`: user -> digits of the numbers he owns ("did" for the DID); None: phone n belongs to user n.
    `announces`: whether its dialplan announces at all. `outside_dealers`: how many dealers have the first outside
    caller's number. `alone_on_the_pbx`: it breaks what others need, so nothing may be played beside it.
    """

    number: int
    title: str
    play: Callable[["Stage"], Awaitable[None]]
    variant: int = 0
    note: str = ""
    extensions: str = ""
    queues: str = ""
    phones: str = "123"
    trunks: str = ""
    owners: dict[str, tuple[str, ...]] | None = None
    outside_dealers: int = 0
    announces: bool = True
    alone_on_the_pbx: bool = False

    @property
    def key(self) -> str:
        """A name for files and tests: `08-1`."""
        return f"{self.number:02d}-{self.variant}"

    def base(self, mode: Mode) -> str:
        """The four digits that its numbers begin with in this mode."""
        return f"{'2' if mode == 'announced' else '3'}{self.number:02d}{self.variant}"

    def did(self, mode: Mode) -> str:
        return f"7495{self.base(mode)}000"

    def caller(self, mode: Mode, which: int = 1) -> str:
        """The number of somebody outside."""
        return f"7916{self.base(mode)}00{which}"

    def people(self, mode: Mode) -> dict[int, tuple[str, ...]]:
        """User id -> his numbers, as they are in user_phones."""
        owners = self.owners if self.owners is not None else {digit: (digit,) for digit in self.phones}
        return {
            int(self.base(mode) + user): tuple(
                self.did(mode) if digit == "did" else self.base(mode) + digit for digit in digits
            )
            for user, digits in owners.items()
        }

    def filled(self, text: str, mode: Mode) -> str:
        """`text` with this block's numbers in it."""
        text = text.replace("<hook>", HOOK if mode == "announced" else "NoOp()").replace("<did>", self.did(mode))
        text = text.replace("<base>", self.base(mode))
        for digit in "0123456789":
            text = text.replace(f"<{digit}>", self.base(mode) + digit)
        return text + "\n"


async def _not_here() -> None:
    raise RuntimeError("this play breaks the way between PBX and tap; its runner has not said how")


class Stage:
    """One play of one scenario on one PBX. `diary` is the phones' truth, `expected` the owners' streams."""

    def __init__(self, scenario: Scenario, mode: Mode, pbx: Asterisk, lab: AmiProbe, stack: AsyncExitStack) -> None:
        self.scenario, self.mode, self.pbx, self.lab = scenario, mode, pbx, lab
        self.diary: list[Entry] = []
        self.expected: dict[int, list[Episode]] = {}
        self._stack = stack
        # What stands between the PBX and the tap, for plays that break it; whoever runs the play sets these.
        self.lose_ami: Callable[[], Awaitable[None]] = _not_here
        self.regain_ami: Callable[[], Awaitable[None]] = _not_here
        self.sweep: Callable[[], Awaitable[None]] = _not_here  # lets the tap compare with the list of channels
        self.lose_events: Callable[[bool], None] = lambda on: None  # what tells of ends gets lost on the way

    async def restart_pbx(self) -> None:
        """Kill Asterisk and start it again."""
        await asyncio.to_thread(self.pbx.stop)
        await asyncio.to_thread(self.pbx.start)

    @property
    def base(self) -> str:
        return self.scenario.base(self.mode)

    @property
    def did(self) -> str:
        return self.scenario.did(self.mode)

    @property
    def service(self) -> str:
        """The block's service number: its group, queue or IVR."""
        return self.base + "0"

    def number(self, digit: int) -> str:
        return f"{self.base}{digit}"

    def user(self, digit: int) -> int:
        return int(self.number(digit))

    def caller(self, which: int = 1) -> str:
        """The number of somebody outside."""
        return self.scenario.caller(self.mode, which)

    async def phone(self, digit: int | str) -> Phone:
        """The desk phone (or a trunk's far end) of that digit, registered."""
        return await self._stack.enter_async_context(Phone(f"{self.base}{digit}", self.pbx.ports.sip, diary=self.diary))

    async def phones(self, *digits: int) -> list[Phone]:
        return [await self.phone(digit) for digit in digits]

    async def outside(self, which: int = 1) -> Phone:
        """Somebody in the telephone network."""
        return await self._stack.enter_async_context(
            Phone(self.caller(which), self.pbx.ports.sip, register=False, diary=self.diary)
        )

    def expect(
        self,
        digit: int,
        *steps: str | tuple[str, str | None],
        end: str,
        by: int | None = None,
        line: str | None = None,
        queue: str | None = None,
    ) -> None:
        """User `digit` must see one more card: its steps (the caller is the first outside one if not given)."""
        full = tuple((step, self.caller()) if isinstance(step, str) else step for step in steps)
        episode = Episode(
            line=line or self.number(digit),
            steps=(*full, ("ended", full[-1][1])),
            end=end,
            queue=queue,
            answered_by=self.user(by) if by is not None else None,
        )
        self.expected.setdefault(self.user(digit), []).append(episode)
