"""A PBX host to install on: Debian 12 or 13 in a container, booted by a real systemd as its process 1.

It runs on an overlay of a root that is built once (ZVONOK_LAB_ROOTS, default ~/.cache/zvonok-lab), shares the host's
network, and sees the folders bound to it ("HERE:THERE").
"""

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.asterisk.roots import NoRoot, debian_mirror, roots_folder
from tests.levels import within

# What a PBX host has anyway; an installation must bring all the rest itself.
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,ca-certificates,procps,iproute2"
BUILD_SECONDS = 600


RELEASES = ("bookworm", "trixie")
"""The releases that `install.sh` is for."""


def host_root(release: str) -> Path:
    """The unpacked root of this Debian release, built if it is not there yet. Raises `NoRoot` with what to install."""
    for tool in ("mmdebstrap", "systemd-nspawn", "nsenter"):
        if shutil.which(tool) is None:
            raise NoRoot(f"{tool} is missing: apt-get install mmdebstrap systemd-container util-linux")
    if os.geteuid() != 0:
        raise NoRoot("a container that boots needs root: run the tests of tests/systemd as root")
    folder = roots_folder()
    folder.mkdir(parents=True, exist_ok=True)
    root = folder / f"pbx-host-{release}"
    with (folder / f"{root.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.is_dir():
            partial = root.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            command = [
                "mmdebstrap",
                "--variant=minbase",
                f"--include={PACKAGES}",
                release,
                str(partial),
                debian_mirror(),
            ]
            built = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
            if built.returncode != 0:
                shutil.rmtree(partial, ignore_errors=True)
                raise NoRoot(f"mmdebstrap could not unpack Debian {release}:\n{built.stderr[-1500:]}")
            partial.rename(root)
    return root


class Container:
    """One booted host; what is written in it lasts until `remove`, over reboots too."""

    def __init__(self, root: Path, *, binds: Sequence[str] = ()) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="zvonok-host-"))
        self.path = self._directory / "root"
        self._binds = binds
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._console = (self._directory / "console.log").open("wb")
        for name in ("upper", "work", "root"):
            (self._directory / name).mkdir()
        options = f"lowerdir={root},upperdir={self._directory}/upper,workdir={self._directory}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(self.path)], check=True)
        (self.path / "etc/hostname").write_text("pbx-one\n")

    def boot(self) -> None:
        """Start systemd and wait until it has started everything. Raises `AssertionError` with the console's end."""
        binds = [f"--bind={path}" for path in self._binds]
        self._nspawn = subprocess.Popen(
            ["systemd-nspawn", "--quiet", f"--directory={self.path}", "--boot", "--register=no", "--keep-unit",
             "--console=pipe", "--resolv-conf=replace-host", "--hostname=pbx-one", *binds],
            stdin=subprocess.DEVNULL, stdout=self._console, stderr=self._console,
        )  # fmt: skip
        self.wait_until("systemd is up", self._booted, seconds=60)

    def reboot(self) -> None:
        """Stop as `reboot` does (services get their stop signals) and boot again from the same disk."""
        assert self._nspawn is not None
        self.run("systemctl", "reboot", check=False)
        self._nspawn.wait(within(60))  # with --keep-unit nspawn leaves a reboot to whoever started it
        self.boot()

    def run(
        self, *command: str, check: bool = True, seconds: float = 60, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the container as root, in a clean environment. A failure shows all that it printed."""
        leader = self._leader()
        assert leader is not None, "the container is not running"
        clean = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        done = subprocess.run(
            ["nsenter", f"--target={leader}", "--mount", "--uts", "--ipc", "--pid", "--cgroup", "--root", "--wd", "--",
             *command],
            capture_output=True, text=True, errors="replace", timeout=within(seconds), check=False,
            stdin=subprocess.DEVNULL, env=clean | (environment or {}),
        )  # fmt: skip
        assert not check or done.returncode == 0, (
            f"{' '.join(command)} exited {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        )
        return done

    def property(self, unit: str, name: str) -> str:
        """One property of a unit, such as MainPID or ActiveState."""
        return self.run("systemctl", "show", unit, f"--property={name}", "--value").stdout.strip()

    def journal(self, unit: str) -> str:
        """All that a unit and systemd about it have logged."""
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit, check=False).stdout

    def wait_until(self, what: str, condition: Callable[[], bool], *, seconds: float) -> float:
        """Wait for a condition; the seconds that it took. Raises `AssertionError` naming `what`."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > within(seconds):
                console = (self._directory / "console.log").read_text(errors="replace")[-1500:]
                raise AssertionError(f"not within {seconds} s: {what}\n{console}")
            time.sleep(0.05)
        return time.monotonic() - began

    def remove(self) -> None:
        """Power off, hard if need be, and forget the disk."""
        if self._nspawn is not None and self._nspawn.poll() is None:
            self._nspawn.send_signal(signal.SIGTERM)  # nspawn asks systemd to power off
            try:
                self._nspawn.wait(within(30))
            except subprocess.TimeoutExpired:
                self._nspawn.kill()
                self._nspawn.wait()
        self._console.close()
        subprocess.run(["umount", "--lazy", str(self.path)], check=False)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _leader(self) -> int | None:
        """The host's process id of the container's systemd."""
        if self._nspawn is None or self._nspawn.poll() is not None:
            return None
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
        return int(children[0]) if children else None

    def _booted(self) -> bool:
        if self._leader() is None:
            return False
        try:
            state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        except (AssertionError, FileNotFoundError):  # it went between two looks
            return False
        return state in ("running", "degraded")
