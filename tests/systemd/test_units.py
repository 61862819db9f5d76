"""The units as files: systemd understands every line, and each service is shut in well."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.levels import unavailable

UNITS = Path("systemd")
SERVICES = sorted(UNITS.glob("*.service"))
EXPOSURE_AT_MOST = 20  # of 100; systemd prints it as 2.0


@pytest.fixture(autouse=True)
def _systemd_analyze() -> None:
    if shutil.which("systemd-analyze") is None:
        unavailable("systemd-analyze is missing: apt-get install systemd")


def read(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    parser.read(path)
    return parser


@pytest.mark.parametrize("path", [*SERVICES, UNITS / "zvonok.target"], ids=lambda path: path.name)
def test_systemd_understands_every_line_of_the_unit(path: Path, tmp_path: Path) -> None:
    for unit in UNITS.iterdir():  # what is not installed here cannot be executed here
        (tmp_path / unit.name).write_text(
            re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.M)
        )
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / path.name], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if "zvonok" in line or str(tmp_path) in line]
    assert (done.returncode, complaints) == (0, [])


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_service_that_was_broken_into_could_do_little(path: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_AT_MOST}", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, "\n".join(line for line in done.stdout.splitlines() if line.startswith(("✗", "→")))


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_service_comes_back_by_itself_and_needs_no_other(path: Path) -> None:
    unit = read(path)
    assert unit["Service"]["Type"] == "notify"
    assert unit["Service"]["Restart"] == "always"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert not {"Requires", "BindsTo", "Requisite", "Wants"} & set(unit["Unit"])


def test_a_hung_fastagi_server_holds_calls_for_three_seconds_at_most() -> None:
    service = read(UNITS / "zvonok-fastagi.service")["Service"]
    assert 0 < float(service["WatchdogSec"]) <= 3
    assert service["WatchdogSignal"] == "SIGKILL"


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_every_service_is_hardened_alike(path: Path) -> None:
    def hardening(unit: Path) -> list[str]:
        return unit.read_text().split("# The PBX must stay well", 1)[1].splitlines()

    assert hardening(path) == hardening(SERVICES[0])
