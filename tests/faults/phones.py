"""Phones on the stand-in PBX, with a diary of their own: it is the truth that the cards and the history are held to.

Nothing of the diary comes from Zvonok. What Asterisk says of a call is a recording of a real one (`demo/recorded`).
"""

import asyncio
from collections.abc import Sequence
from typing import Literal

from demo.calls import Line, RecordedCall, recorded_calls
from demo.pbx import Pbx
from zvonok.call import wall_ms

Outcome = Literal["answered", "missed"]


class PhoneCall:
    """One call to one user's phone; times are Unix milliseconds of what the phone did, None while it has not."""

    def __init__(self, pbx: Pbx, user_id: int, number: str, recording: RecordedCall, *, caller: str) -> None:
        self.user_id = user_id
        self.number = number
        self.caller = caller
        self.rang_at: int | None = None
        self.answered_at: int | None = None
        self.ended_at: int | None = None
        self._pbx = pbx
        self._steps = _steps(list(recording.replay(caller, [number])))

    @property
    def state(self) -> str:
        """What the phone does now."""
        return "ended" if self.ended_at else "talking" if self.answered_at else "ringing"

    async def ring(self) -> None:
        """The caller dials; the phone rings."""
        await self._play()
        self.rang_at = wall_ms()

    async def answer(self) -> None:
        """The owner picks up."""
        await self._play()
        self.answered_at = wall_ms()

    async def hang_up(self) -> None:
        """The end of the call: the caller gives up, or it is answered (at the latest now) and over."""
        if len(self._steps) > 1:
            await self.answer()
        await self._play()
        self.ended_at = wall_ms()

    def vanish(self) -> None:
        """The PBX was killed with this call in it."""
        self.ended_at = wall_ms()
        self._steps.clear()

    async def _play(self) -> None:
        for line in self._steps.pop(0):
            await self._pbx.play(line)


class Phones:
    """Every user's phone. `numbers`: user id -> his number; `diary`: every call that was placed."""

    def __init__(self, pbx: Pbx, numbers: dict[int, str], callers: Sequence[str]) -> None:
        self._pbx = pbx
        self._numbers = numbers
        self._callers = callers
        answered, missed, *_ = recorded_calls()
        self._recordings: dict[Outcome, RecordedCall] = {"answered": answered, "missed": missed}
        self.diary: list[PhoneCall] = []

    async def call(self, user_id: int, outcome: Outcome = "answered") -> PhoneCall:
        """A call to this user that rings now. `outcome`: whether it will be answered or the caller will give up."""
        caller = self._callers[len(self.diary) % len(self._callers)]
        recording = self._recordings[outcome]
        call = PhoneCall(self._pbx, user_id, self._numbers[user_id], recording, caller=caller)
        self.diary.append(call)
        await call.ring()
        return call

    async def hang_up_all(self) -> None:
        """Every call ends that has not, one way or another."""
        await asyncio.gather(*(call.hang_up() for call in self.diary if call.ended_at is None))


def _steps(lines: list[Line]) -> list[list[Line]]:
    """The recording cut after the phone rings, and after it was answered (if it is)."""
    rings = 1 + max(
        index
        for index, line in enumerate(lines)
        if line.headers.get("Event") in ("Newstate", "DialState")
        and "5" in (line.headers.get("ChannelState"), line.headers.get("DestChannelState"))
    )
    bridged = [index for index, line in enumerate(lines) if line.headers.get("Event") == "BridgeEnter"]
    cuts = [rings, *([bridged[-1] + 1] if bridged else [])]
    return [lines[start:end] for start, end in zip([0, *cuts], [*cuts, len(lines)], strict=True)]
