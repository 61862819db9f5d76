"""What a benchmark closes with: one line a target, measured and wanted, met or not. Reported, never asserted."""

from typing import NamedTuple


class Target(NamedTuple):
    """`measured` must be at most `limit`, or at least it (same `unit`; "x": a ratio to what the same run measured)."""

    what: str
    measured: float
    limit: float
    unit: str = "x"
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether it is, this time."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def line(self) -> str:
        """For people."""
        verdict = "met" if self.met else "NOT met"
        bound = ">=" if self.at_least else "<="
        return (
            f"{self.what}: measured {self.measured:.2f} {self.unit} target {bound} {self.limit:g} {self.unit} {verdict}"
        )


def report(targets: list[Target]) -> None:
    """Print a line for each target, and the sum."""
    for target in targets:
        print(target.line())
    print(f"targets: {sum(target.met for target in targets)} of {len(targets)} met")
