"""How long a benchmark takes: TINY shows that it runs, SMALL is a quick look, FULL is what docs/performance.md has."""

from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Size(StrEnum):
    """`make bench SIZE=...`."""

    TINY = "tiny"
    SMALL = "small"
    FULL = "full"

    def of(self, tiny: T, small: T, full: T) -> T:
        """The one of the three that is for this size."""
        return {Size.TINY: tiny, Size.SMALL: small, Size.FULL: full}[self]
