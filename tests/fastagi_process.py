"""A running `zvonok fastagi`, with the tap's socket and systemd's played by the test."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from fastagi.fact_link import SOCKET_NAME
from tests.agi_peer import connected, request
from tests.levels import within
from zvonok.address import Address


class Fastagi:
    """The process, ready; `settings` are its ZVONOK_ variables beside the address and the directory."""

    def __init__(self, directory: Path, *, watchdog: float | None = None, **settings: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = Address(*free.getsockname())
        self.env_file = directory / "zvonok.env"
        self.env_file.write_text("ZVONOK_LOG_LEVEL=INFO\n")
        self.log = directory / "log"
        self.tap = _bound(directory / SOCKET_NAME, socket.SOCK_STREAM)
        self.tap.listen()
        self.systemd = _bound(directory / "notify", socket.SOCK_DGRAM)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ZVONOK_")} | {
            "ZVONOK_ENV_FILE": str(self.env_file),
            "ZVONOK_AGI_LISTEN": str(self.address),
            "ZVONOK_RUNTIME_DIR": str(directory),
            "NOTIFY_SOCKET": str(directory / "notify"),
            **settings,
        }
        if watchdog is not None:
            environment["WATCHDOG_USEC"] = str(int(watchdog * 1_000_000))
        with self.log.open("w") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "zvonok", "fastagi"], env=environment, stderr=log)
        assert self.told() == "READY=1"

    def told(self) -> str:
        """The next thing systemd is told."""
        return self.systemd.recv(1_000).decode()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            return self.process.wait(within(5))
        finally:
            self.process.kill()
            self.tap.close()
            self.systemd.close()

    def call(self) -> float:
        """One call without options: seconds until Asterisk has it back."""
        started = time.monotonic()
        with connected(self.address) as peer:
            peer.run(request("84951234567", "1760000000.1"))
        return time.monotonic() - started


def _bound(path: Path, kind: socket.SocketKind) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, kind)
    sock.settimeout(within(10))
    sock.bind(str(path))
    return sock
