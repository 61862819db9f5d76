"""All three processes of Zvonok, as on a PBX host, on free ports: for tests that go the whole way of a call.

`with running_zvonok(database_url, ami_port=..., ...) as zvonok`. Each process can be killed, stopped and started by
itself; their logs are kept.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fastagi.tap import LOOKUPS_PROBLEM
from notifier.auth import issue
from tests.levels import within
from tests.notifiers import AUTH_SECRET, INTAKE_SECRET, ROOT

NAMES: Final = ("notifier", "tap", "fastagi")


class Zvonok:
    """The processes; `agi_port` and `url` stay the same over restarts."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory = directory
        self.agi_port, http, intake, self.metrics_port = (free_port() for _ in range(4))
        self.url = f"http://127.0.0.1:{http}"
        self.settings = {
            "ZVONOK_AGI_LISTEN": f"127.0.0.1:{self.agi_port}",
            "ZVONOK_HTTP_LISTEN": f"127.0.0.1:{http}",
            "ZVONOK_INTAKE_LISTEN": f"127.0.0.1:{intake}",
            "ZVONOK_NOTIFIER_URL": f"http://127.0.0.1:{intake}",
            "ZVONOK_TAP_METRICS_LISTEN": f"127.0.0.1:{self.metrics_port}",
            "ZVONOK_INTAKE_SECRET": INTAKE_SECRET,
            "ZVONOK_AUTH_SECRET": AUTH_SECRET,
            "ZVONOK_STATE_DIR": str(directory / "state"),
            "ZVONOK_RUNTIME_DIR": str(directory / "run"),
            "ZVONOK_ENV_FILE": os.devnull,
        } | settings
        (directory / "run").mkdir(exist_ok=True)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the processes, and of commands that speak to them: as in production, without asyncio's
        debug mode."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("ZVONOK_") and name != "PYTHONASYNCIODEBUG"
        }
        return inherited | self.settings

    @property
    def pids(self) -> dict[str, int]:
        """The running processes, by name."""
        return {name: process.pid for name, process in self._processes.items()}

    def start(self, *names: str) -> None:
        """Start these processes (default: all) and wait until each is ready. Raises RuntimeError with its log."""
        for name in names or NAMES:
            told = self.directory / f"{name}.notify"
            told.unlink(missing_ok=True)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd, self._log(name).open("ab") as log:
                systemd.bind(str(told))
                systemd.settimeout(within(20))
                process = self._processes[name] = subprocess.Popen(
                    [sys.executable, "-m", "zvonok", name],
                    cwd=ROOT,
                    env=self.environment | {"NOTIFY_SOCKET": str(told)},
                    stderr=log,
                )
                try:
                    while b"READY=1" not in systemd.recv(1000):
                        pass
                except TimeoutError:
                    process.kill()
                    raise RuntimeError(f"zvonok {name} did not start:\n{self.log(name)[-3000:]}") from None

    def stop(self, *names: str) -> None:
        """SIGTERM, as systemd would."""
        ending = {name: self._processes.pop(name) for name in names or NAMES if name in self._processes}
        for process in ending.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for name, process in ending.items():
            try:
                process.wait(within(15))
            except subprocess.TimeoutExpired:
                process.kill()
                raise RuntimeError(f"zvonok {name} did not stop:\n{self.log(name)[-3000:]}") from None

    def kill(self, name: str) -> None:
        """SIGKILL."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send any other signal."""
        self._processes[name].send_signal(number)

    def pid(self, name: str) -> int:
        """The process id of `name`, which runs."""
        return self._processes[name].pid

    def log(self, name: str) -> str:
        """All that the process `name` has logged."""
        path = self._log(name)
        return path.read_text(errors="replace") if path.exists() else ""

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of `zvonok` against this installation."""
        return subprocess.run(
            [sys.executable, "-m", "zvonok", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=within(60),
            check=False,
        )

    def link(self, user_id: int) -> str:
        """A login link of the stand-alone page."""
        return f"{self.url}/#token={issue(AUTH_SECRET, user_id, lifetime_s=3600)}"

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}.log"


@contextlib.contextmanager
def running_zvonok(database_url: str, *, ami_port: int, ami_secret: str, **settings: str) -> Iterator[Zvonok]:
    """An installation for as long as the block runs. `settings` are without prefix: `RING_WATCHDOG="5"`."""
    directory = Path(tempfile.mkdtemp(prefix="zvonok-test-"))
    variables = {f"ZVONOK_{name}": value for name, value in settings.items()}
    zvonok = Zvonok(
        directory,
        ZVONOK_DATABASE_URL=database_url,
        ZVONOK_AMI_HOST="127.0.0.1",
        ZVONOK_AMI_PORT=str(ami_port),
        ZVONOK_AMI_SECRET=ami_secret,
        **variables,
    )
    try:
        zvonok.start()
        yield zvonok
    finally:
        zvonok.stop()
        shutil.rmtree(directory, ignore_errors=True)


def in_step(zvonok: Zvonok, *, lookups: bool = True) -> bool:
    """Whether the tap has followed and resynced the PBX, reaches the notifier, and its `lookups` are answered."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{zvonok.metrics_port}/readyz", timeout=within(2)) as answer:
            return bool(json.loads(answer.read())["ready"])
    except urllib.error.HTTPError as exc:
        return not lookups and json.loads(exc.read())["problems"] == [LOOKUPS_PROBLEM]
    except OSError:
        return False


def wait_in_step(zvonok: Zvonok, seconds: float = 10, *, lookups: bool = True) -> None:
    """Wait until `in_step`."""
    deadline = time.monotonic() + within(seconds)
    while not in_step(zvonok, lookups=lookups):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the tap is not in step after {seconds} s:\n{zvonok.log('tap')[-3000:]}")
        time.sleep(0.05)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
