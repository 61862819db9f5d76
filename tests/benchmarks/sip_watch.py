"""When packets passed on loopback, by the kernel's clock: SIPp itself counts in ticks of 4 ms. Needs root."""

import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import addressof, create_string_buffer

_ETH_P_IP, _OUTGOING = 0x0800, 4
_SO_ATTACH_FILTER, _SO_TIMESTAMPNS = 26, 35
_CALL_ID = re.compile(rb"\r\nCall-ID: ([^\r]+)", re.IGNORECASE)


class Passed:
    """Seconds (Unix) at which the first INVITE and the first 180 of each Call-ID passed."""

    def __init__(self) -> None:
        self.invites: dict[bytes, float] = {}
        self.rings: dict[bytes, float] = {}

    def saw(self, packet: bytes, at: float) -> None:
        """One IPv4 packet with UDP."""
        text = packet[(packet[0] & 15) * 4 + 8 :]
        seen = self.invites if text.startswith(b"INVITE ") else self.rings if text.startswith(b"SIP/2.0 180") else None
        if seen is not None and (found := _CALL_ID.search(text)):
            seen.setdefault(found[1], at)

    def milliseconds(self) -> list[float]:
        """How long each call that rang took from its INVITE to its 180."""
        return [(at - self.invites[call]) * 1000 for call, at in self.rings.items() if call in self.invites]


@contextmanager
def watching(port: int) -> Iterator[Passed]:
    """Watch the SIP packets from and to the UDP port `port` as long as the block runs."""
    passed = Passed()
    with packets(socket.IPPROTO_UDP, port, passed.saw):
        yield passed


@contextmanager
def packets(protocol: int, port: int, saw: Callable[[bytes, float], None]) -> Iterator[None]:
    """Give `saw` each IPv4 packet of `protocol` from and to `port`, and when it passed, as long as the block runs."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_IP)) as sniffer:
        code = _only(protocol, port)
        buffer = create_string_buffer(code)
        sniffer.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(code) // 8, addressof(buffer)))
        sniffer.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        sniffer.bind(("lo", _ETH_P_IP))
        sniffer.settimeout(0.1)
        over = threading.Event()
        watcher = threading.Thread(target=_watch, args=(sniffer, saw, over), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()


def _watch(sniffer: socket.socket, saw: Callable[[bytes, float], None], over: threading.Event) -> None:
    while not over.is_set():
        try:
            packet, ancillary, _, address = sniffer.recvmsg(65_536, 256)
        except TimeoutError:
            continue
        if address[2] == _OUTGOING:
            continue  # on loopback each packet is seen going and coming
        for _, kind, data in ancillary:
            if kind == _SO_TIMESTAMPNS:
                seconds, nanoseconds = struct.unpack("ll", data)
                saw(packet, seconds + nanoseconds / 1e9)


def _only(protocol: int, port: int) -> bytes:
    """A classic BPF program: IPv4, `protocol`, from or to `port`."""
    load_byte, load_half_x, load_x_header, equal, give = 0x30, 0x48, 0xB1, 0x15, 0x06
    program = [
        (load_byte, 0, 0, 9),  # the protocol
        (equal, 0, 6, protocol),
        (load_x_header, 0, 0, 0),
        (load_half_x, 0, 0, 0),  # from
        (equal, 2, 0, port),
        (load_half_x, 0, 0, 2),  # to
        (equal, 0, 1, port),
        (give, 0, 0, 65_535),
        (give, 0, 0, 0),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in program)
