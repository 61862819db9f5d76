"""npm's side of the tests: its packages, and applications built from the packed client."""

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.levels import unavailable, within
from tests.notifiers import ROOT

HERE = Path(__file__).parent
CLIENT = ROOT / "notifier" / "client"
MODULES = HERE / "node_modules"


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The packages of tests/browser/package.json, installed once."""
    if shutil.which("npm") is None:
        unavailable("Node.js with npm is not installed: sudo make test-tools, or install Node.js 20 or newer")
    stamp, lock = MODULES / ".installed", HERE / "package-lock.json"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        done = run("npm", "ci", "--no-progress", cwd=HERE, seconds=300)
        if done.returncode:
            unavailable(f"npm ci failed in tests/browser: {done.stdout[-500:]}")
        stamp.write_bytes(lock.read_bytes())
    return MODULES


@pytest.fixture(scope="session")
def packed_client(node_modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive that `npm pack` makes of notifier/client."""
    folder = tmp_path_factory.mktemp("packed")
    done = run("npm", "pack", str(CLIENT), "--pack-destination", str(folder), cwd=folder, seconds=60)
    assert done.returncode == 0, done.stdout
    (archive,) = folder.glob("*.tgz")
    return archive


def run(*command: str, cwd: Path, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a command; its output, errors included."""
    return subprocess.run(
        command,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=within(seconds),
    )


def build_app(source: Path, target: Path, archive: Path, *, react: str, notifier_url: str, placeholder: str) -> Path:
    """Build the Vite application in `source` with the packed client and React 19 ("") or 18 ("18"); its dist folder."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("node_modules", "dist"))
    for file in target.rglob("*.jsx"):
        file.write_text(file.read_text().replace(placeholder, notifier_url))
    modules = target / "node_modules"
    for name in ("react", "react-dom"):
        shutil.copytree(MODULES / f"{name}{react}", modules / name)
    if not react:
        shutil.copytree(MODULES / "scheduler", modules / "scheduler")
    with tarfile.open(archive) as packed:
        packed.extractall(modules / "zvonok-client", filter="data")
    for part in (modules / "zvonok-client" / "package").iterdir():
        part.rename(modules / "zvonok-client" / part.name)
    built = run("node", str(MODULES / "vite" / "bin" / "vite.js"), "build", "--base", "./", cwd=target)
    assert built.returncode == 0, built.stdout
    return target / "dist"
