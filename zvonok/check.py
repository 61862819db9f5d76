"""`zvonok check`: is everything as it should be? One line a finding, and under what is not well, what to do about it.

The sections themselves live where their knowledge is: each of the modules in `zvonok.cli.CHECKS` has
`findings(settings) -> Iterator[Finding]`, which never raises for what it finds and bounds every wait.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, TextIO

import msgspec

from zvonok.errors import SettingsError
from zvonok.settings import Settings, load

Section = Callable[[Settings], Iterator["Finding"]]

_CREDENTIALS: Final = Path("/etc/zvonok/credentials")
_SYSTEMCTL_SECONDS: Final = 10.0
_MEND: Final = "mend what is set wrongly and run this again; then: systemctl restart zvonok.target"


class Level(StrEnum):
    """How bad it is. `SKIPPED`: not looked at, because these settings or this host have no such part."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at: `part` is the section, `what` the thing, `says` what was seen, `todo` what helps.

    No text holds a secret; numbers are masked.
    """

    part: str
    what: str
    level: Level
    says: str
    todo: str | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints."""

    ok: bool
    findings: list[Finding]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `zvonok check`."""
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    parser.add_argument("--strict", action="store_true", help="exit 1 for warnings too")


def run(args: argparse.Namespace) -> int:
    """Print the findings as they come. Exit code 0: all well; 1: something failed; 2: the settings are wrong."""
    sections: Sequence[Section] = args.sections()
    try:
        settings = load()
    except SettingsError as exc:
        wrong = [Finding(part="settings", what="values", level=Level.FAILED, says=line) for line in exc.problems]
        wrong[-1] = msgspec.structs.replace(wrong[-1], todo=_MEND)
        _print(wrong, as_json=args.json, stream=sys.stdout)
        return 2
    found = _print(_all(settings, sections), as_json=args.json, stream=sys.stdout)
    return 1 if failed(found, strict=args.strict) else 0


def failed(found: Iterable[Finding], *, strict: bool = False) -> bool:
    """Whether these findings make the check fail; `strict`: warnings too."""
    bad = {Level.FAILED, Level.WARNING} if strict else {Level.FAILED}
    return any(finding.level in bad for finding in found)


def _all(settings: Settings, sections: Sequence[Section]) -> Iterator[Finding]:
    yield Finding(part="settings", what="values", level=Level.OK, says="every value that is set is well-formed")
    yield from _credentials()
    yield from service_findings()
    for section in sections:
        yield from section(settings)


def _credentials(folder: Path = _CREDENTIALS) -> Iterator[Finding]:
    """Whether this account may not see secrets that the services see: what it finds missing may be there."""
    if folder.is_dir() and not os.access(folder, os.R_OK):
        says = f"secrets in {folder} are for root to read: if one lies there, it is missing below"
        yield Finding(part="settings", what="credentials", level=Level.SKIPPED, says=says, todo="run this as root")


def _print(findings: Iterable[Finding], *, as_json: bool, stream: TextIO) -> list[Finding]:
    found = []
    colours = stream.isatty()
    for finding in findings:
        found.append(finding)
        if not as_json:
            stream.write(line(finding, colours=colours) + "\n")
            stream.flush()
    if as_json:
        stream.write(msgspec.json.encode(Report(ok=not failed(found), findings=found)).decode() + "\n")
    else:
        stream.write(summary(found) + "\n")
    return found


_MARKS: Final = {Level.OK: "ok", Level.WARNING: "WARN", Level.FAILED: "FAIL", Level.SKIPPED: "-"}
_COLOURS: Final = {Level.OK: "32", Level.WARNING: "33", Level.FAILED: "31", Level.SKIPPED: "2"}


def line(finding: Finding, *, colours: bool = False) -> str:
    """A finding for people: one line, and a second one with what to do where there is something to do."""
    mark = f"{_MARKS[finding.level]:4}"
    if colours:
        mark = f"\x1b[{_COLOURS[finding.level]}m{mark}\x1b[0m"
    text = f"{mark} {_plain(finding.part)}, {_plain(finding.what)}: {_plain(finding.says)}"
    return f"{text}\n       -> {_plain(finding.todo)}" if finding.todo else text


def summary(found: Sequence[Finding]) -> str:
    """The last line."""
    counts = {level: sum(finding.level is level for finding in found) for level in Level}
    if not counts[Level.FAILED] and not counts[Level.WARNING]:
        return f"All is well ({counts[Level.OK]} checks)."
    return f"{counts[Level.FAILED]} failed, {counts[Level.WARNING]} warnings, {counts[Level.OK]} well."


def _plain(text: str) -> str:
    # What other programs and tables say is shown here: nothing of it may steer the terminal.
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def service_findings(systemctl: str | None = None) -> Iterator[Finding]:
    """How systemd sees the installed services; nothing where they are not installed."""
    program = systemctl or shutil.which("systemctl")
    if program is None:
        return
    names = [f"zvonok-{name}.service" for name in ("fastagi", "tap", "notifier")]
    properties = "Id,LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts"
    try:
        shown = subprocess.run(  # noqa: S603 - our own words only
            [program, "show", f"--property={properties}", *names],
            capture_output=True, text=True, timeout=_SYSTEMCTL_SECONDS, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):  # no systemd runs here
        return
    for block in shown.strip().split("\n\n"):
        unit = dict(entry.split("=", 1) for entry in block.splitlines() if "=" in entry)
        if unit.get("LoadState") == "loaded":
            yield _service(unit)


def _service(unit: dict[str, str]) -> Finding:
    name, state = unit["Id"], unit["ActiveState"]
    if unit["UnitFileState"] == "disabled" and state == "inactive":
        return Finding(part="services", what=name, level=Level.SKIPPED, says="is disabled on this host")
    restarts = int(unit["NRestarts"]) if unit["NRestarts"].isdigit() else 0
    look = f"see: journalctl -u {name} -n 50"
    if state == "inactive":
        todo = f"systemctl start zvonok.target; or, if it is not wanted on this host: systemctl disable {name}"
        return Finding(part="services", what=name, level=Level.FAILED, says="is stopped", todo=todo)
    if state != "active":
        says = f"is {state} ({unit['SubState']}, result {unit['Result']})"
        return Finding(part="services", what=name, level=Level.FAILED, says=says, todo=look)
    if restarts:
        says = f"runs, after {restarts} restarts of its own since it was started"
        return Finding(part="services", what=name, level=Level.WARNING, says=says, todo=look)
    return Finding(part="services", what=name, level=Level.OK, says="runs")
