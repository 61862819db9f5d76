"""The environment of the peers and the profiler, apart from Zvonok's own, in .cache/bench-peers."""

import subprocess
import sys
from pathlib import Path

ENVIRONMENT = Path(".cache/bench-peers")
PEERS = ("panoramisk==1.4", "pystrix==1.3.0", "aioagi==1.2.0", "pyst2==0.5.1", "setuptools<81", "py-spy==0.4.3")


def peers_python() -> Path:
    """Its interpreter; the environment is made when it is not there."""
    python = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / "installed"
    if not stamp.is_file() or stamp.read_text() != "\n".join(PEERS):
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PEERS], check=True)
        stamp.write_text("\n".join(PEERS))
    return python.absolute()
