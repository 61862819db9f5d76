"""What a scenario plays on: its own block of numbers on a PBX, its phones, and what each owner must come to see.

A scenario is independent of Zvonok: it is how phones behave, a piece of dialplan, and the expected streams. It is
played while recording AMI, and again with the real processes running. Two modes: `announced` (the dialplan calls our
hook) and `alone` (it does not; AMI is all there is). Each mode has its own numbers, so that all can run at once.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Literal

import msgspec

from tests.asterisk.ami_probe import AmiProbe
from tests.asterisk.instance import Asterisk, free_port
from tests.asterisk.leg import Entry, Leg
from tests.asterisk.phones import Phone
from tests.asterisk.sipp import Sipp, sipp

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


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A play's own block of numbers on the PBX: its dialplan, its phones, and whose its numbers are.

    `number` and `variant` make the block; those of a scenario are those of docs/scenarios.md's table.
    `extensions` and `queues` are text in which `<1>`..`<9>` stand for the block's numbers, `<0>` for its service
    number, `<did>` for its number in the telephone network, `<base>` for the block, and `<hook>` for the
    announcement (nothing in the mode `alone`). `phones` and `trunks` name the digits of endpoints.
    `owners`: user -> digits of the numbers he owns ("did" for the DID); None: phone n belongs to user n.
    `outside_dealers`: how many dealers have the first outside caller's number.
    """

    number: int
    title: str
    variant: int = 0
    extensions: str = ""
    queues: str = ""
    phones: str = "123"
    trunks: str = ""
    owners: dict[str, tuple[str, ...]] | None = None
    outside_dealers: int = 0

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


class Scenario(Block, frozen=True, kw_only=True):
    """A row of the matrix, or a variant of one.

    `announces`: whether its dialplan announces at all. `alone_on_the_pbx`: it breaks what others need, so nothing may
    be played beside it.
    """

    play: Callable[["Stage"], Awaitable[None]]
    announces: bool = True
    alone_on_the_pbx: bool = False


MOMENT = 0.5  # seconds that somebody rings, talks or waits, where it does not matter how long


async def _not_here() -> None:
    raise RuntimeError("this play breaks the way between PBX and tap; its runner has not said how")


class Stage:
    """One play on its block of one PBX's numbers. `diary` is the phones' truth, `expected` the owners' streams."""

    def __init__(self, block: Block, mode: Mode, pbx: Asterisk, lab: AmiProbe, stack: AsyncExitStack) -> None:
        self.block, self.mode, self.pbx, self.lab = block, mode, pbx, lab
        self.diary: list[Entry] = []
        self.expected: dict[int, list[Episode]] = {}
        self.perhaps: set[int] = set()  # digits of users whose cards may as well be missing
        self._stack = stack
        # What stands between the PBX and the tap, for plays that break it; whoever runs the play sets these.
        self.lose_ami: Callable[[], Awaitable[None]] = _not_here
        self.regain_ami: Callable[[], Awaitable[None]] = _not_here
        self.sweep: Callable[[], Awaitable[None]] = _not_here  # lets the tap compare with the list of channels
        self.lose_events: Callable[[bool], None] = lambda on: None  # what tells of ends gets lost on the way

        self.in_step: Callable[[], Awaitable[None]] | None = None  # waits until the pages show what the tap knows

    async def moment(self) -> None:
        """People take their time: half a second, and until they see on their pages what there is to see."""
        await asyncio.sleep(MOMENT)
        if self.in_step is not None:
            await self.in_step()

    async def restart_pbx(self) -> None:
        """Kill Asterisk and start it again."""
        await asyncio.to_thread(self.pbx.stop)
        await asyncio.to_thread(self.pbx.start)

    @property
    def base(self) -> str:
        return self.block.base(self.mode)

    @property
    def queue(self) -> str:
        """The name of the block's queue."""
        return f"sales-{self.base}"

    @property
    def did(self) -> str:
        return self.block.did(self.mode)

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
        return self.block.caller(self.mode, which)

    async def phone(self, digit: int | str) -> Phone:
        """The desk phone (or a trunk's far end) of that digit, registered."""
        return await self._stack.enter_async_context(Phone(f"{self.base}{digit}", self.pbx.ports.sip, diary=self.diary))

    async def phones(self, *digits: int) -> list[Phone]:
        return [await self.phone(digit) for digit in digits]

    async def sipp_phone(self, digit: int, scenario: str, *, target: str) -> Sipp:
        """The desk phone of that digit is a SIPp that plays sipp/<scenario>.xml; `target`: whom it transfers to."""
        number, port = self.number(digit), free_port(socket.SOCK_DGRAM)
        phone = sipp(scenario, self.pbx.ports.sip, port=port, number=number, target=target)
        running = await self._stack.enter_async_context(phone)
        async with sipp("register", self.pbx.ports.sip, number=number, contact_port=str(port)) as registration:
            await registration.done()
        return running

    async def outside(self, which: int = 1) -> Phone:
        """Somebody in the telephone network."""
        return await self._stack.enter_async_context(
            Phone(self.caller(which), self.pbx.ports.sip, register=False, diary=self.diary)
        )

    async def ring(self, number: str | None = None) -> tuple[Leg, Leg]:
        """Somebody outside calls `number` (phone 1's own if not given), and phone 1 rings: its leg, the caller's."""
        desk, outside = await self.phone(1), await self.outside()
        call = await outside.dial(number or self.number(1))
        leg = await desk.rings()
        await self.moment()
        return leg, call

    async def ring_all(self, *digits: int) -> tuple[list[Leg], Leg]:
        """Somebody outside calls the service number, and all of these phones ring: their legs, the caller's."""
        phones, outside = await self.phones(*digits), await self.outside()
        call = await outside.dial(self.service)
        legs = [await phone.rings() for phone in phones]
        await self.moment()
        return legs, call

    async def pick_up(self, leg: Leg, call: Leg | None = None) -> None:
        """The phone answers and talks for a moment; `call` is the caller's leg if he hears it ring until then."""
        await leg.answer()
        if call is not None:
            await call.until_answered()
        await self.moment()

    async def hang_up(self, first: Leg, *others: Leg) -> None:
        """`first` hangs up, and so ends the others."""
        await first.hangup()
        for leg in others:
            await leg.until_ended()

    async def channel_of(self, digit: int) -> str:
        """The name of phone `digit`'s only channel."""
        name = f"PJSIP/{self.number(digit)}-"
        (row,) = [row for row in await self.lab.rows("CoreShowChannels") if row["Channel"].startswith(name)]
        return row["Channel"]

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
