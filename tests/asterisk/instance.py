"""A running Asterisk of the lab: started on free ports with its own folders, stopped with everything it left."""

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from tests.asterisk import config
from tests.asterisk.ami_probe import AmiProbe
from tests.asterisk.roots import asterisk_root
from tests.levels import within

START_SECONDS = 30


class Asterisk:
    """One Asterisk. Use it as a context manager, or `start()` and `stop()` it.

    `ports.sip` (UDP), `ports.ami`; it looks for the FastAGI server on `ports.agi`, where nothing listens until a test
    binds it. `home` holds its folders; `log()` is its own full log.
    """

    def __init__(self, version: str, site: config.Site, *, agi_port: int | None = None) -> None:
        self.version = version
        self.site = site
        self.root = asterisk_root(version)
        self.home = Path(tempfile.mkdtemp(prefix=f"zvonok-asterisk-{version}-"))
        self.etc = self.home / "etc"
        self.ports = config.Ports(
            sip=free_port(socket.SOCK_DGRAM), ami=free_port(), agi=agi_port if agi_port is not None else free_port()
        )
        config.write(self.etc, site, self.ports, root=self.root, home=self.home)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def start(self) -> None:
        """Start it and wait until it is fully booted. Raises `RuntimeError` with its log if it does not."""
        with (self.home / "console.log").open("ab") as console:
            # setpriv: Asterisk dies with us, whatever kills us. A session of its own: Ctrl-C is ours to handle.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig=KILL", "--", *self.command("-f")],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.home,
            )
        deadline = time.monotonic() + within(START_SECONDS)
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"Asterisk {self.version} ended at its start:\n{self.log()[-3000:]}")
            if self._fully_booted():
                return
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"Asterisk {self.version} was not ready after {START_SECONDS} s:\n{self.log()[-3000:]}")

    def _fully_booted(self) -> bool:
        login = f"Action: Login\r\nUsername: {config.LAB_USER}\r\nSecret: {config.LAB_SECRET}\r\n\r\n"
        said = b""
        try:
            with socket.create_connection(("127.0.0.1", self.ports.ami), timeout=within(2)) as ami:
                ami.sendall(login.encode())
                while b"Event: FullyBooted" not in said and (data := ami.recv(4096)):
                    said += data
        except OSError:
            pass
        return b"Event: FullyBooted" in said

    def stop(self) -> None:
        """Kill it, with no farewell to its peers; its folders stay until the `with` block ends."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None
        shutil.rmtree(self.home / "run", ignore_errors=True)
        (self.home / "run").mkdir(exist_ok=True)

    @property
    def pid(self) -> int:
        """Its process id, while it runs."""
        if self._process is None:
            raise RuntimeError("this Asterisk does not run")
        return self._process.pid

    def command(self, *arguments: str) -> list[str]:
        """The command line that runs this root's asterisk with this instance's folders."""
        loader = next(self.root.glob("lib/*/ld-linux-*.so*"))
        libraries = [
            str(path) for name in ("usr/lib", "usr/lib/*-linux-gnu", "lib/*-linux-gnu") for path in self.root.glob(name)
        ]
        asterisk = str(self.root / "usr/sbin/asterisk")
        conf = str(self.etc / "asterisk.conf")
        return [str(loader), "--library-path", ":".join(libraries), asterisk, "-C", conf, *arguments]

    def cli(self, command: str) -> str:
        """The answer of Asterisk's console to `command`."""
        answered = subprocess.run(
            self.command("-rx", command), capture_output=True, text=True, timeout=within(10), check=False, cwd=self.home
        )
        return answered.stdout

    def log(self) -> str:
        """All that it logged, from notices up to verbose 3."""
        paths = [self.home / "console.log", self.home / "log" / "full"]
        return "".join(path.read_text(errors="replace") for path in paths if path.is_file())

    def warnings(self) -> list[str]:
        """The lines of its log that are warnings or errors."""
        path = self.home / "log" / "full"
        lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
        return [line for line in lines if "] WARNING[" in line or "] ERROR[" in line]

    def lab_ami(self) -> AmiProbe:
        """A connection that may do and see everything: the lab's own hand on the PBX."""
        return AmiProbe(self.ports.ami, config.LAB_USER, config.LAB_SECRET)

    def tap_ami(self) -> AmiProbe:
        """A connection with the rights that Zvonok's tap has, by dialplan/manager.d/zvonok.conf."""
        return AmiProbe(self.ports.ami, config.TAP_USER, config.TAP_SECRET)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that nothing uses at the moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
