"""Waiting until what was started answers, and ports to start it on."""

import socket
import time
import urllib.request
from collections.abc import Callable
from typing import Final

from demo.processes import Children
from zvonok.errors import ZvonokError

READY_TIMEOUT: Final = 30.0


def answers(url: str) -> bool:
    """Whether a GET answers with success."""
    try:
        with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - our own address
            return True
    except OSError:
        return False


def listens(host: str, port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def wait_for(condition: Callable[[], bool], children: Children, what: str) -> None:
    """Wait until it is true. Raises ZvonokError when a child ends meanwhile, or it takes too long."""
    deadline = time.monotonic() + READY_TIMEOUT
    while not condition():
        if (dead := children.dead()) is not None:
            raise ZvonokError(f"zvonok {dead[0]} ended with code {dead[1]}; its message is above")
        if time.monotonic() > deadline:
            raise ZvonokError(
                f"{what} is not ready after {READY_TIMEOUT:.0f} s; see its messages with ZVONOK_LOG_LEVEL=INFO"
            )
        time.sleep(0.05)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
