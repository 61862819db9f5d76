"""What lies between a PBX's AMI and the tap: it can be cut, and it can lose the events that tell of a call's end."""

import asyncio
import contextlib
from typing import Self

TELL_OF_ENDS = (b"HangupRequest", b"SoftHangupRequest", b"BridgeLeave", b"BridgeDestroy", b"DialEnd", b"Hangup")


class AmiProxy:
    """Forwards 127.0.0.1:`port` to the AMI port `pbx_port`; `port` stays the same over a cut."""

    def __init__(self, pbx_port: int) -> None:
        self._pbx_port = pbx_port
        self.port = 0
        self.losing = False
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        await self.join()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.cut()

    async def join(self) -> None:
        """Let connections through."""
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Break all connections and refuse new ones."""
        if self._server:
            self._server.close()
            self._server = None
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            pbx_reader, pbx_writer = await asyncio.open_connection("127.0.0.1", self._pbx_port, limit=2**20)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, pbx_writer}
        tasks = [
            asyncio.create_task(self._to_pbx(reader, pbx_writer)),
            asyncio.create_task(self._to_tap(pbx_reader, writer)),
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for side in (writer, pbx_writer):
            side.transport.abort()
            self._open.discard(side)

    async def _to_pbx(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()

    async def _to_tap(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            writer.write(await reader.readline())  # the banner
            while True:
                block = await reader.readuntil(b"\r\n\r\n")
                event = block.partition(b"\r\n")[0].removeprefix(b"Event: ")
                if not (self.losing and event in TELL_OF_ENDS):
                    writer.write(block)
                    await writer.drain()
