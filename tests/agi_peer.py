"""Asterisk's side of one FastAGI session, on a real socket: what res_agi.c sends, and whatever else a test wants to."""

import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from tests.levels import within
from zvonok.address import Address


def request(
    *arguments: str, route: str = "announce", uniqueid: str = "1760000000.1", **lines: str | bytes
) -> list[bytes]:
    """The lines of a request as Asterisk 22 sends them, blank line included; `lines` replaces values by name."""
    values: dict[str, str | bytes] = {
        "network": "yes",
        "network_script": route,
        "request": f"agi://127.0.0.1/{route}",
        "channel": "PJSIP/trunk-00000001",
        "language": "ru",
        "type": "PJSIP",
        "uniqueid": uniqueid,
        "version": "22.10.0",
        "callerid": "79271390907",
        "calleridname": "Иван",
        "callingpres": "0",
        "callingani2": "0",
        "callington": "0",
        "callingtns": "0",
        "dnid": "84951234567",
        "rdnis": "unknown",
        "context": "zvonok",
        "extension": "s",
        "priority": "3",
        "enhanced": "0.0",
        "accountcode": "",
        "threadid": "140213374113536",
    }
    values.update({f"arg_{number}": text for number, text in enumerate(arguments, 1)})
    values.update(lines)
    encoded = {key: value if isinstance(value, bytes) else value.encode() for key, value in values.items()}
    return [*(b"agi_" + key.encode() + b": " + value + b"\n" for key, value in encoded.items()), b"\n"]


class AgiPeer:
    """A connection to a FastAGI server. `run` plays a session to its end and keeps the `commands` it was sent."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.commands: list[str] = []

    def send(self, lines: Iterable[bytes]) -> None:
        """One write a line, as Asterisk does."""
        for line in lines:
            self.sock.sendall(line)

    def run(self, lines: Iterable[bytes], *, reply: Callable[[str], bytes] = lambda _: b"200 result=1\n") -> list[str]:
        """Send the request, answer each command, until the server closes: the commands."""
        try:
            self.send(lines)
            for command in self.lines():
                self.commands.append(command)
                self.sock.sendall(reply(command))
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server closed before it had read everything
        return self.commands

    def lines(self) -> Iterator[str]:
        """The lines the server sends, until it closes the connection."""
        data = b""
        while more := self.sock.recv(4096):
            data += more
            *whole, data = data.split(b"\n")
            yield from (line.decode() for line in whole)


@contextmanager
def connected(address: Address) -> Iterator[AgiPeer]:
    """A connection to the server at `address`."""
    with socket.create_connection((address.host, address.port), timeout=within(5)) as sock:
        yield AgiPeer(sock)
