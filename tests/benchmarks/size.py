"""How long a benchmark takes: TINY shows that it runs, SMALL is a quick look (10 minutes), MEDIUM has everything in it
that docs/performance.md tells (25 minutes), FULL the same with more rounds and a million calls (an hour)."""

from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Size(StrEnum):
    """`make bench SIZE=...`."""

    TINY = "tiny"
    SMALL = "small"
    MEDIUM = "medium"
    FULL = "full"

    def of(self, tiny: T, small: T, full: T, *, medium: T | None = None) -> T:
        """The one that is for this size; MEDIUM is as SMALL where nothing else is said."""
        chosen = {Size.TINY: tiny, Size.SMALL: small, Size.MEDIUM: small if medium is None else medium, Size.FULL: full}
        return chosen[self]
