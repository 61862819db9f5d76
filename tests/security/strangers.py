"""Another host on the network: a network namespace with addresses of its own, joined to this one by a veth pair.

A socket stays in the namespace in which it was made. So a thread enters it, makes the socket, and hands it over.
"""

import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.levels import unavailable, within

_CLONE_NEWNET = 0x40000000


class Strangers:
    """`ours` is this host's address on the common network, `addresses` those of the other host."""

    def __init__(self, name: str, ours: str, addresses: list[str]) -> None:
        self._name = name
        self.ours = ours
        self.addresses = addresses

    def connect(self, port: int, *, source: str | None = None) -> socket.socket:
        """A connection to our `port`, from the other host's first address or from `source`."""
        made: list[socket.socket | OSError] = []

        def make() -> None:
            with (Path("/run/netns") / self._name).open() as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                    made.append(OSError(ctypes.get_errno(), "setns"))
                    return
            try:
                sock = socket.create_connection(
                    (self.ours, port), within(5), source_address=(source or self.addresses[0], 0)
                )
                made.append(sock)
            except OSError as exc:
                made.append(exc)

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if isinstance(made[0], OSError):
            raise made[0]
        return made[0]

    def ask(self, port: int, request: str, *, source: str | None = None) -> str:
        """What comes back for `request` until the other side closes, or falls silent."""
        return read(self.connect(port, source=source), request)


def read(sock: socket.socket, request: str) -> str:
    """Send `request` and read until the other side closes, or falls silent."""
    with sock:
        sock.settimeout(within(2))
        said = b""
        try:
            sock.sendall(request.replace("\n", "\r\n").encode("utf-8", "surrogateescape"))
            while data := sock.recv(65_536):
                said += data
        except (TimeoutError, ConnectionError):
            pass
        return said.decode(errors="replace")


@contextmanager
def strangers() -> Iterator[Strangers]:
    """Another host for as long as the block runs."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        unavailable("network namespaces need root and iproute2")
    name, number = f"zvonok-{os.getpid()}", os.getpid() % 250
    outside, inside = f"zvs{number}o", f"zvs{number}i"
    ours, theirs = f"10.213.{number}.1", [f"10.213.{number}.{last}" for last in (2, 3)]

    def ip(*words: str) -> None:
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            unavailable(f"network namespaces cannot be made here: ip {' '.join(words)}: {done.stderr.strip()}")

    ip("netns", "add", name)
    try:
        ip("link", "add", outside, "type", "veth", "peer", "name", inside)
        ip("link", "set", inside, "netns", name)
        ip("address", "add", f"{ours}/24", "dev", outside)
        ip("link", "set", outside, "up")
        for address in theirs:
            ip("-n", name, "address", "add", f"{address}/24", "dev", inside)
        ip("-n", name, "link", "set", inside, "up")
        yield Strangers(name, ours, theirs)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False)  # takes the veth pair along
