"""requirements.lock, which the installer installs from: complete, pinned, with hashes, naming no registry."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

LOCK = Path("requirements.lock").read_text(encoding="utf-8")
CLUSTER = Path("requirements-cluster.lock").read_text(encoding="utf-8")


def entries(lock: str) -> list[str]:
    return re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"(?m)^\s*#.*\n", "", lock).strip())


ENTRIES = entries(LOCK)
PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]


def pinned(entry: str) -> tuple[str, Version]:
    requirement = Requirement(entry.split("\\")[0].strip())
    (specifier,) = requirement.specifier
    assert specifier.operator == "==", entry
    return canonicalize_name(requirement.name), Version(specifier.version)


def test_every_package_is_pinned_to_one_version_with_hashes() -> None:
    assert len(ENTRIES) > 15
    for entry in (*ENTRIES, *entries(CLUSTER)):
        pinned(entry)
        assert re.findall(r"--hash=sha256:[0-9a-f]{64}", entry), entry
    assert "://" not in LOCK + CLUSTER


def test_it_has_every_dependency_of_the_services_in_a_version_that_they_ask_for() -> None:
    versions = dict(map(pinned, ENTRIES))
    for text in PROJECT["dependencies"]:
        wanted = Requirement(text)
        assert wanted.specifier.contains(versions[canonicalize_name(wanted.name)]), text


def test_what_a_cluster_needs_is_locked_by_itself_and_agrees_with_the_rest() -> None:
    versions, base = dict(map(pinned, entries(CLUSTER))), dict(map(pinned, ENTRIES))
    for text in PROJECT["optional-dependencies"]["cluster"]:
        wanted = Requirement(text)
        assert wanted.specifier.contains(versions[canonicalize_name(wanted.name)]), text
    assert all(base.get(name, version) == version for name, version in versions.items())
    assert "nats-py" not in base


CLUSTERED = re.compile(r"(?ms)^clustered\(\) \{.*?^\}")


@pytest.mark.parametrize(
    ("line", "environment", "credential", "wanted"),
    [
        ("#ZVONOK_NATS_URL=nats://n:1", {}, "", False),
        ("ZVONOK_NATS_URL=", {}, "", False),
        ("ZVONOK_NATS_URL=nats://n:1", {}, "", True),
        ("export ZVONOK_NATS_URL_FILE=/somewhere", {}, "", True),
        ("", {"ZVONOK_NATS_URL": "nats://n:1"}, "", True),
        ("", {}, "nats://n:1", True),
    ],
)
def test_the_installer_brings_it_where_the_settings_name_a_cluster(
    tmp_path: Path, line: str, environment: dict[str, str], credential: str, wanted: bool
) -> None:
    found = CLUSTERED.search(Path("install/install.sh").read_text(encoding="utf-8"))
    assert found is not None
    (tmp_path / "credentials").mkdir()
    (tmp_path / "zvonok.env").write_text(f"ZVONOK_PBX_NAME=x\n{line}\n")
    (tmp_path / "credentials" / "nats_url").write_text(credential)
    script = f"set -euo pipefail; CONFIG={tmp_path}\n{found[0]}\nif clustered; then echo yes; else echo no; fi"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ZVONOK_")}
    done = subprocess.run(["bash", "-c", script], env=clean | environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ("yes" if wanted else "no")


def test_the_installer_takes_nothing_that_the_lock_does_not_name() -> None:
    installer = Path("install/install.sh").read_text(encoding="utf-8")
    installs = [line for line in installer.replace("\\\n", " ").splitlines() if "pip install" in line]
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert "--only-binary :all:" in installs[0]
    assert '-r "$here/requirements.lock" "${cluster[@]}"' in installs[0]
    assert 'cluster=(-r "$here/requirements-cluster.lock")' in installer
    assert "--no-deps --no-index" in installs[1]
