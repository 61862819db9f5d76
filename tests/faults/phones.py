"""Phones on the stand-in PBX, with a diary of their own: it is the truth that the cards and the history are held to.

Nothing of the diary comes from Zvonok. What Asterisk says of a call is a recording of a real one (`demo/recorded`).
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

from demo.calls import Line, RecordedCall, recorded_calls
from demo.pbx import Pbx
from zvonok.call import wall_ms

Outcome = Literal["answered", "missed", "group", "busy"]
PHONES: Final[dict[Outcome, int]] = {"answered": 1, "missed": 1, "group": 3, "busy": 1}
"""How many phones ring in a call of each kind."""
_WHO_ANSWERS: Final = {"answered": 0, "group": 1}


class Span(msgspec.Struct, frozen=True):
    """When something happened at the PBX: not before `began`, and it was over at `done` (Unix ms)."""

    began: int
    done: int


class Phone:
    """One owner's phone in one call: what it did, and when. None: it has not."""

    def __init__(self, user_id: int, number: str) -> None:
        self.user_id = user_id
        self.number = number
        self.rang: Span | None = None
        self.answered: Span | None = None
        self.ended: Span | None = None
        self.reason: str | None = None

    @property
    def state(self) -> str:
        """What the phone does now."""
        return "ended" if self.ended else "talking" if self.answered else "ringing"

    def end(self, when: Span, reason: str) -> None:
        """It is silent again."""
        if self.ended is None:
            self.ended, self.reason = when, reason


class PhoneCall:
    """One call from `caller` to one or several phones."""

    def __init__(
        self, pbx: Pbx, phones: Sequence[Phone], recording: RecordedCall, outcome: Outcome, *, caller: str
    ) -> None:
        self.caller = caller
        self.outcome = outcome
        self.phones = tuple(phones)
        who = _WHO_ANSWERS.get(outcome)
        self.answerer = None if who is None else phones[who]
        self._pbx = pbx
        self._steps = _steps(list(recording.replay(caller, [phone.number for phone in phones])))
        self._busy = asyncio.Lock()

    @property
    def over(self) -> bool:
        """Whether every phone of it is silent again."""
        return all(phone.ended for phone in self.phones)

    async def ring(self) -> None:
        """The caller dials; the phones ring."""
        when = await self._play()
        for phone in self.phones:
            phone.rang = when

    async def answer(self) -> None:
        """The one who answers picks up; the others' phones are silent."""
        async with self._busy:
            if self.answerer is None or self.answerer.answered or not self._steps:
                return
            when = await self._play()
            self.answerer.answered = when
            for phone in self.phones:
                if phone is not self.answerer:
                    phone.end(when, "answered_elsewhere")

    async def hang_up(self) -> None:
        """The end: the caller gives up, the phone is busy, or it is answered (at the latest now) and over."""
        await self.answer()
        async with self._busy:
            if not self._steps:
                return
            when = await self._play()
            for phone in self.phones:
                phone.end(when, "completed" if phone.answered else "busy" if self.outcome == "busy" else "missed")

    def vanish(self) -> None:
        """The PBX was killed with this call in it."""
        now = wall_ms()
        for phone in self.phones:
            phone.end(Span(now, now), "unknown")
        self._steps.clear()

    async def _play(self) -> Span:
        began = wall_ms()
        for line in self._steps.pop(0):
            await self._pbx.play(line)
        return Span(began, wall_ms())


class Phones:
    """Every user's phone. `numbers`: user id -> his number; `diary`: every call that was placed."""

    def __init__(self, pbx: Pbx, numbers: dict[int, str], callers: Iterable[str]) -> None:
        """`callers`: who calls, one number a call."""
        self._pbx = pbx
        self._numbers = numbers
        self._callers = iter(callers)
        answered, missed, group, busy, *_ = recorded_calls()
        self._recordings: dict[Outcome, RecordedCall] = {
            "answered": answered, "missed": missed, "group": group, "busy": busy,
        }  # fmt: skip
        self.diary: list[PhoneCall] = []

    async def call(self, *users: int, outcome: Outcome = "answered") -> PhoneCall:
        """A call to these users that rings now. `outcome`: who will answer it, if anybody."""
        phones = [Phone(user, self._numbers[user]) for user in users]
        call = PhoneCall(self._pbx, phones, self._recordings[outcome], outcome, caller=next(self._callers))
        self.diary.append(call)
        await call.ring()
        return call

    async def hang_up_all(self) -> None:
        """Every call ends that has not, one way or another."""
        await asyncio.gather(*(call.hang_up() for call in self.diary if not call.over))


def _steps(lines: list[Line]) -> list[list[Line]]:
    """The recording cut after the last phone rings, and after it was answered (if it is)."""
    events = [line.headers for line in lines]
    rings = [index for index, headers in enumerate(events) if _rings(headers)]
    bridged = [index for index, headers in enumerate(events) if headers.get("Event") == "BridgeEnter"]
    cuts = [*([rings[-1] + 1] if rings else []), *([bridged[-1] + 1] if bridged else [])]
    return [lines[start:end] for start, end in zip([0, *cuts], [*cuts, len(lines)], strict=True)]


def _rings(headers: dict[str, str]) -> bool:
    states = (headers.get("ChannelState"), headers.get("DestChannelState"))
    return headers.get("Event") in ("Newstate", "DialState") and "5" in states
