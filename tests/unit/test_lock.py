"""requirements.lock, which the installer installs from: complete, pinned, with hashes, naming no registry."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

LOCK = Path("requirements.lock").read_text(encoding="utf-8")
ENTRIES = re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"(?m)^\s*#.*\n", "", LOCK).strip())
PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]


def pinned(entry: str) -> tuple[str, Version]:
    requirement = Requirement(entry.split("\\")[0].strip())
    (specifier,) = requirement.specifier
    assert specifier.operator == "==", entry
    return canonicalize_name(requirement.name), Version(specifier.version)


def test_every_package_is_pinned_to_one_version_with_hashes() -> None:
    assert len(ENTRIES) > 15
    for entry in ENTRIES:
        pinned(entry)
        assert re.findall(r"--hash=sha256:[0-9a-f]{64}", entry), entry
    assert "://" not in LOCK


def test_it_has_every_dependency_of_the_services_in_a_version_that_they_ask_for() -> None:
    versions = dict(map(pinned, ENTRIES))
    for text in PROJECT["dependencies"]:
        wanted = Requirement(text)
        assert wanted.specifier.contains(versions[canonicalize_name(wanted.name)]), text


def test_the_installer_takes_nothing_that_the_lock_does_not_name() -> None:
    installer = Path("install/install.sh").read_text(encoding="utf-8")
    installs = [line for line in installer.replace("\\\n", " ").splitlines() if "pip install" in line]
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert "--only-binary :all:" in installs[0]
    assert '-r "$here/requirements.lock"' in installs[0]
    assert "--no-deps --no-index" in installs[1]
