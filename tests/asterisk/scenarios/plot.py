"""Calls that are in every phase of a call's life when something breaks, and go on meanwhile and afterwards.

A play here is an async generator of two yields. What is before the first one brings the call into its phase; then the
fault strikes. What is between the two happens while it lasts; then it is over. What follows is how the call goes on.
Each yield tells the newest state of each card that must be on the pages: before the fault, and when it is over.
"""

from collections.abc import AsyncIterator, Callable
from typing import ClassVar

from tests.asterisk.scenarios.stage import Block, Stage

Cards = dict[int, list[str]]
"""Of the owners who have any, by digit: "ringing", "talking", or how a card ended."""


class Fault:
    """What breaks. `blind`: the tap hears nothing meanwhile, so nobody can know how a call ended.

    `loses_announcements`: those made meanwhile may not arrive. `ends_calls`: no call lives through it.
    """

    name: ClassVar[str]
    blind: ClassVar[bool] = False
    loses_announcements: ClassVar[bool] = False
    ends_calls: ClassVar[bool] = False

    async def strike(self) -> None:
        """It begins."""
        raise NotImplementedError

    async def repair(self) -> None:
        """It is over."""
        raise NotImplementedError

    def end(self, truth: str) -> str:
        """What a card that ends during the fault says, where a tap that hears everything would say `truth`."""
        return "unknown" if self.blind else truth


class Plot(Block, frozen=True, kw_only=True):
    """A call in one phase. `play` is described above."""

    play: Callable[[Stage, Fault], AsyncIterator[Cards]]
