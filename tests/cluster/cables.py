"""The engine on another host: a network namespace, with a cable of its own to each program of this host.

A cable that is pulled swallows what is sent: nobody is told, and TCP repeats it at growing intervals.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.levels import unavailable


class Cables:
    """`prefix` runs a command on the engine's host; `addresses[i]` is where the i-th cable finds the engine."""

    def __init__(self, name: str, count: int) -> None:
        self.name = name
        net = os.getpid() % 250
        self.prefix = ["ip", "netns", "exec", name]
        self.addresses = [f"10.214.{net}.{4 * number + 2}" for number in range(count)]
        self._ours = [f"10.214.{net}.{4 * number + 1}" for number in range(count)]
        self._ends = [(f"zvc{net}o{number}", f"zvc{net}i{number}") for number in range(count)]

    def lay(self) -> None:
        """Lay them all."""
        _ip("netns", "add", self.name)
        _ip("-n", self.name, "link", "set", "lo", "up")
        for (outside, inside), ours, theirs in zip(self._ends, self._ours, self.addresses, strict=True):
            _ip("link", "add", outside, "type", "veth", "peer", "name", inside)
            _ip("link", "set", inside, "netns", self.name)
            _ip("address", "add", f"{ours}/30", "dev", outside)
            _ip("-n", self.name, "address", "add", f"{theirs}/30", "dev", inside)
            _ip("link", "set", outside, "up")
            _ip("-n", self.name, "link", "set", inside, "up")

    def pull(self, number: int) -> None:
        """Pull this cable, at the engine's end."""
        _ip("-n", self.name, "link", "set", self._ends[number][1], "down")

    def plug(self, number: int) -> None:
        """Plug it in again."""
        _ip("-n", self.name, "link", "set", self._ends[number][1], "up")

    def remove(self) -> None:
        """Remove the namespace, and with it the cables."""
        subprocess.run(["ip", "netns", "delete", self.name], check=False, capture_output=True)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        unavailable(f"network namespaces cannot be made here: ip {' '.join(words)}: {done.stderr.strip()}")


@contextmanager
def cables(count: int) -> Iterator[Cables]:
    """Cables for as long as the block runs."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        unavailable("network namespaces need root and iproute2")
    laid = Cables(f"zvonok-engine-{os.getpid()}", count)
    try:
        laid.lay()
        yield laid
    finally:
        laid.remove()
