"""`zvonok check`: what it prints, for whom, and what it exits with."""

import argparse
import io
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from zvonok import check
from zvonok.check import Finding, Level
from zvonok.settings import Settings

WELL = Finding(part="database", what="login", level=Level.OK, says="as zvonok")
BAD = Finding(part="pbx", what="AMI", level=Level.FAILED, says="refuses us", todo="mend the secret")
WARN = Finding(part="clock", what="skew", level=Level.WARNING, says="2 s", todo="run NTP")


@pytest.fixture(autouse=True)
def _no_settings_and_no_systemd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(check, "service_findings", lambda: iter(()))


def run(*found: Finding, json: bool = False, strict: bool = False) -> int:
    def section(settings: Settings) -> Iterator[Finding]:
        yield from found

    return check.run(argparse.Namespace(json=json, strict=strict, sections=lambda: [section]))


@pytest.mark.parametrize(
    ("found", "strict", "code"),
    [((WELL,), False, 0), ((WELL, WARN), False, 0), ((WELL, WARN), True, 1), ((BAD, WELL), False, 1)],
)
def test_the_exit_code_says_whether_something_failed(found: tuple[Finding, ...], strict: bool, code: int) -> None:
    assert run(*found, strict=strict) == code


def test_each_finding_is_a_line_with_what_to_do_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    run(WELL, BAD)
    assert capsys.readouterr().out.splitlines() == [
        "ok   settings, values: every value that is set is well-formed",
        "ok   database, login: as zvonok",
        "FAIL pbx, AMI: refuses us",
        "       -> mend the secret",
        "1 failed, 0 warnings, 2 well.",
    ]


def test_json_is_one_object_with_the_same_findings(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(WELL, BAD, json=True) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert report["findings"][-1] == {
        "part": "pbx", "what": "AMI", "level": "failed", "says": "refuses us", "todo": "mend the secret",
    }  # fmt: skip


def test_wrong_settings_are_all_listed_and_exit_two(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZVONOK_AMI_PORT", "0")
    monkeypatch.setenv("ZVONOK_LOG_LEVEL", "loud")
    assert run(WELL) == 2
    out = capsys.readouterr().out
    assert "ZVONOK_AMI_PORT" in out
    assert "ZVONOK_LOG_LEVEL" in out
    assert "database" not in out


def test_colours_are_for_terminals_only() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, file = Terminal(), io.StringIO()
    check._print([WELL, BAD], as_json=False, stream=terminal)
    check._print([WELL, BAD], as_json=False, stream=file)
    assert "\x1b[31mFAIL" in terminal.getvalue()
    assert "\x1b" not in file.getvalue()


def test_what_a_table_or_a_peer_says_cannot_steer_the_terminal() -> None:
    shown = check.line(Finding(part="x", what="y", level=Level.OK, says="evil\x1b]0;title\x07\nok   all is well"))
    assert "\x1b" not in shown
    assert "\n" not in shown


def fake_systemctl(tmp_path: Path, *units: dict[str, str]) -> str:
    """A program that answers `systemctl show` as systemd 252 does; the real one is met in tests/systemd."""
    text = "\n\n".join("\n".join(f"{name}={value}" for name, value in unit.items()) for unit in units)
    path = tmp_path / "systemctl"
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def unit(**changes: str) -> dict[str, str]:
    well = {
        "Id": "zvonok-tap.service", "LoadState": "loaded", "UnitFileState": "enabled", "ActiveState": "active",
        "SubState": "running", "Result": "success", "NRestarts": "0",
    }  # fmt: skip
    return well | changes


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({}, Level.OK),
        ({"NRestarts": "3"}, Level.WARNING),
        ({"ActiveState": "activating", "SubState": "auto-restart", "Result": "watchdog"}, Level.FAILED),
        ({"ActiveState": "failed"}, Level.FAILED),
        ({"ActiveState": "inactive"}, Level.FAILED),
        ({"ActiveState": "inactive", "UnitFileState": "disabled"}, Level.SKIPPED),
    ],
)
def test_a_services_state_is_judged(tmp_path: Path, changes: dict[str, str], level: Level) -> None:
    (finding,) = SERVICE_FINDINGS(fake_systemctl(tmp_path, unit(**changes)))
    assert finding.level is level
    assert finding.todo is None or "zvonok-tap.service" in finding.todo


def test_services_that_are_not_installed_are_no_finding(tmp_path: Path) -> None:
    missing = {"Id": "zvonok-tap.service", "LoadState": "not-found", "ActiveState": "inactive"}
    assert list(SERVICE_FINDINGS(fake_systemctl(tmp_path, missing))) == []


SERVICE_FINDINGS = check.service_findings
