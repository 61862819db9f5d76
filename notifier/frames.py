"""WebSocket frames of a server (RFC 6455, section 5.2), made once and written to many sockets. Pure.

aiohttp does the handshake and reads; what we send is written to the transport directly, because nothing may wait for
a peer in a fan-out, and because a frame for twenty sockets needs encoding once. Without compression a frame is a header
and the payload, unmasked.
"""

from typing import Final

PING: Final = b"\x89\x00"


def text(payload: bytes) -> bytes:
    """A whole text frame; `payload` is UTF-8."""
    return _frame(0x81, payload)


def pong(payload: bytes) -> bytes:
    """The answer to a ping: the same bytes, at most 125 of them."""
    return _frame(0x8A, payload[:125])


def close(code: int, reason: str = "") -> bytes:
    """A close frame; `reason` is cut to the 123 bytes that fit."""
    return _frame(0x88, code.to_bytes(2, "big") + reason.encode()[:123].decode(errors="ignore").encode())


def _frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload
