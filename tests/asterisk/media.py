"""The media of the lab's phones: a packet of silence now and then, for Asterisk does some things only when it flows."""

import asyncio
import contextlib
import secrets
import socket
import struct

from tests.asterisk import sip

RTP_INTERVAL = 0.1  # seconds; Asterisk needs some media to optimise Local channels away, not all of it


class Silence:
    """Sends RTP from its own port once it is told where to."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._talk: asyncio.Task[None] | None = None

    def start(self, sdp: str) -> None:
        """Send to the address in `sdp`, if it has one."""
        port = sip.media_port(sdp)
        if port and self._talk is None:
            self._talk = asyncio.create_task(self._send(port))

    async def _send(self, port: int) -> None:
        ssrc, sequence = secrets.randbits(32), 0
        while True:
            packet = (
                struct.pack("!BBHII", 0x80, 0, sequence & 0xFFFF, sequence * 800 & 0xFFFFFFFF, ssrc) + b"\xff" * 160
            )
            with contextlib.suppress(OSError):
                self._socket.sendto(packet, ("127.0.0.1", port))
            sequence += 1
            await asyncio.sleep(RTP_INTERVAL)

    def stop(self) -> None:
        """For good."""
        if self._talk:
            self._talk.cancel()
            self._talk = None
        self._socket.close()
