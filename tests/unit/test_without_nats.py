"""nats-py is an extra: who has no cluster needs none of it, and who names one without it is told so."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.levels import within
from tests.notifiers import AUTH_SECRET, INTAKE_SECRET, ROOT

_PROGRAM = "import sys; sys.modules['nats'] = None; from zvonok.cli import main; sys.exit(main([{name!r}]))"
_SETTINGS = {
    "ZVONOK_ENV_FILE": os.devnull,
    "ZVONOK_HTTP_LISTEN": "127.0.0.1:0",
    "ZVONOK_INTAKE_LISTEN": "127.0.0.1:0",
    "ZVONOK_AUTH_SECRET": AUTH_SECRET,
    "ZVONOK_INTAKE_SECRET": INTAKE_SECRET,
    "ZVONOK_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
    "ZVONOK_AMI_HOST": "127.0.0.1",
    "ZVONOK_AMI_PORT": "9",
    "ZVONOK_AMI_SECRET": "secret of the manager",
}


def _start(name: str, directory: Path, **settings: str) -> "subprocess.Popen[str]":
    places = {"ZVONOK_STATE_DIR": str(directory), "ZVONOK_RUNTIME_DIR": str(directory)}
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("ZVONOK_")}
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM.format(name=name)],
        cwd=ROOT, env=inherited | _SETTINGS | places | settings, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["tap", "notifier"])
def test_without_a_cluster_it_starts_without_nats_py(name: str, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(within(20))
        with _start(name, tmp_path, NOTIFY_SOCKET=str(tmp_path / "notify")) as process:
            try:
                while b"READY=1" not in systemd.recv(1000):
                    pass
            finally:
                process.terminate()
            assert process.wait(within(15)) == 0


@pytest.mark.parametrize("name", ["tap", "notifier"])
def test_with_a_cluster_and_without_nats_py_it_says_what_to_install(name: str, tmp_path: Path) -> None:
    with _start(name, tmp_path, ZVONOK_NATS_URL="nats://127.0.0.1:4222") as process:
        _, said = process.communicate(timeout=within(20))
    assert process.returncode == 2
    assert "install zvonok[cluster]" in said
    assert "Traceback" not in said
