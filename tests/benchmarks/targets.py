"""What a benchmark closes with: one line a target, measured and wanted, met or not. Reported, never asserted."""

from typing import NamedTuple


class Target(NamedTuple):
    """`measured` must be at most `limit` (both in `unit`; "x" is a ratio to something measured in the same run)."""

    what: str
    measured: float
    limit: float
    unit: str = "x"

    @property
    def met(self) -> bool:
        """Whether it is, this time."""
        return self.measured <= self.limit

    def line(self) -> str:
        """For people."""
        verdict = "met" if self.met else "NOT met"
        return f"target: {self.what}: {self.measured:.2f} {self.unit} (at most {self.limit:g}): {verdict}"


def report(targets: list[Target]) -> None:
    """Print a line for each target, and the sum."""
    for target in targets:
        print(target.line())
    print(f"targets: {sum(target.met for target in targets)} of {len(targets)} met")
