"""A FastAGI session of our own, played towards a FastAGI server: feeds its watchdog, and answers `zvonok check`."""

import socket
import time
from typing import Final

from zvonok.address import Address
from zvonok.errors import ZvonokError

ROUTE: Final = "health"


class NoAnswerError(ZvonokError):
    """Nothing answers FastAGI there, or not in time."""


def probe(address: Address, *, timeout: float) -> float:
    """One whole session of the route `health`: its time in seconds. Raises `NoAnswerError` after `timeout` seconds.

    The server must read the request, send a command, take its reply and close: what each announced call needs.
    """
    started = time.monotonic()
    request = f"agi_network: yes\nagi_network_script: {ROUTE}\nagi_uniqueid: {ROUTE}\n\n"
    try:
        with socket.create_connection((address.host, address.port), timeout) as sock:
            sock.sendall(request.encode())
            command = _read(sock, until=started + timeout)
            sock.sendall(b"200 result=0\n")
            rest = _read(sock, until=started + timeout)
    except OSError as exc:
        raise NoAnswerError(f"no FastAGI answer from {address}: {exc}; is zvonok fastagi running there?") from exc
    if command != b"NOOP" or rest:
        raise NoAnswerError(f"what answers at {address} is not zvonok fastagi (it says {command[:40]!r})")
    return time.monotonic() - started


def _read(sock: socket.socket, *, until: float) -> bytes:
    """One line without its line feed, or b"" at the end of the connection."""
    data = b""
    while not data.endswith(b"\n") and len(data) < 8_192:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        sock.settimeout(left)
        more = sock.recv(4_096)
        if not more:
            break
        data += more
    return data.rstrip(b"\n")
