"""The table of the fault matrix, printed after the tests that made it."""

import pytest

from tests.faults.play import PHASES

_WIDTH = 9
_NAME = 31


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Fault by phase: the seconds until the card was right after the fault's end."""
    plays = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            plays |= {name: took for what, (name, took) in _faults(report) if what == "fault"}
    if not plays:
        return
    write = terminalreporter.write_line
    terminalreporter.section("fault x phase of the call: seconds from the fault's end until the card was right")
    words = [phase.name.replace(",", "").split() for phase in PHASES]
    for line in range(2):
        heads = "".join((word[line] if line < len(word) else "").rjust(_WIDTH) for word in words)
        write(" " * _NAME + heads)
    for name, took in plays.items():
        cells = (f"{took[phase.name]:.1f}" if phase.name in took else "-" for phase in PHASES)
        write(name.ljust(_NAME) + "".join(cell.rjust(_WIDTH) for cell in cells))
    write("- : not played (the PBX itself was restarted), or not right within 2 s (then the test failed)")


def _faults(report: pytest.TestReport) -> list[tuple[str, tuple[str, dict[str, float]]]]:
    return [(name, value) for name, value in report.user_properties if name == "fault"]  # type: ignore[misc]
