"""The benchmarks run, and end with their targets. Nothing here says how fast anything is."""

import importlib
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks import docs, programs, setup_profile
from tests.benchmarks.__main__ import PARTS
from tests.benchmarks.size import Size
from tests.benchmarks.targets import Target, report
from tests.levels import unavailable

# The peers are other people's packages, installed by `make bench` only.
WITHOUT_PEERS = {"agi", "ami"}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_runs_and_gives_its_targets(
    part: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "STOLEN_AT_MOST", 1.0)  # how fast it is does not matter here
    if shutil.which("cc") is None:
        unavailable("there is no C compiler: apt-get install gcc libc6-dev")
    if part == "asterisk":
        _can_time_calls()
    measure = importlib.import_module(PARTS[part]).measure
    targets: list[Target] = measure(Size.TINY, peers=()) if part in WITHOUT_PEERS else measure(Size.TINY)
    assert all(math.isfinite(target.measured) for target in targets)
    assert bool(targets) == (part != "directory")
    assert len(capfd.readouterr().out.splitlines()) > 3


def _can_time_calls() -> None:
    if shutil.which("sipp") is None or os.geteuid() != 0:
        unavailable("call set-up is timed with SIPp and as root: sudo make test-tools")


def test_a_calls_set_up_is_divided_by_the_packets_on_the_wire(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _can_time_calls()
    monkeypatch.setattr(programs, "STOLEN_AT_MOST", 1.0)
    calls = setup_profile.profile(20)
    assert len(calls) >= 10  # of two that were set up at once it cannot be told whose connection is whose
    assert all(section > 0 for call in calls for section in call)
    assert len(capsys.readouterr().out.splitlines()) == 2 + len(setup_profile.SECTIONS) + 1


def test_what_was_measured_while_the_host_took_processors_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks, pauses = [0] * 8, []
    monkeypatch.setattr(programs, "_processor_ticks", lambda: list(ticks))
    monkeypatch.setattr(programs.time, "sleep", pauses.append)
    monkeypatch.setattr(programs, "disturbances", [])

    def measuring(*stolen: int) -> Callable[[], int]:
        left = list(stolen)

        def measure() -> int:
            ticks[0] += 100 - left[0]
            ticks[7] += left[0]
            return left.pop(0)

        return measure

    assert programs.undisturbed(measuring(30, 1, 0)) == 1
    assert programs.undisturbed(measuring(30, 10, 20, 40, 0)) == 10
    assert programs.disturbances == [0.01, 0.1]
    assert len(pauses) == 1 + 3


def test_the_report_has_a_line_for_each_target_and_the_sum(capsys: pytest.CaptureFixture[str]) -> None:
    report([Target("a ratio", 1.234, 2), Target("a rate", 9, 10, "events/s", at_least=True)])
    assert capsys.readouterr().out.splitlines() == [
        "a ratio: measured 1.23 x target <= 2 x met",
        "a rate: measured 9.00 events/s target >= 10 events/s NOT met",
        "targets: 1 of 2 met",
    ]


def test_a_run_puts_its_tables_where_the_page_has_marks_and_touches_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("A\n<!-- make bench: agi -->\n```\nold\nrows\n```\nB\n```\nmine\n```\n")
    assert docs.update({"agi": "new \\1", "ami": "x"}, tmp_path) == ["ami"]
    assert page.read_text() == "A\n<!-- make bench: agi -->\n```\nnew \\1\n```\nB\n```\nmine\n```\n"


def test_every_table_has_its_mark_in_a_page() -> None:
    text = "".join(page.read_text() for page in docs.PAGES.glob("*.md"))
    for name in ("machine", "targets", *PARTS):
        assert text.count(f"<!-- make bench: {name} -->\n```\n") == 1
