"""A network that can fail: a TCP proxy that is cut, swallows what passes, or delays it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Network:
    """The way to `host:port` from `port` here. Whole until told otherwise."""

    def __init__(self, target_port: int) -> None:
        self._target = target_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._passes = asyncio.Event()
        self._passes.set()
        self._is_cut = False
        self.delay = 0.0
        self.port = 0

    def cut(self) -> None:
        """Every connection is reset, and new ones are until `heal`."""
        self._is_cut = True
        for writer in self._writers:
            writer.transport.abort()

    def swallow(self) -> None:
        """A black hole: nothing arrives and nobody is told. What was sent arrives after `heal`, as TCP repeats it."""
        self._passes.clear()

    def heal(self) -> None:
        """Whole again."""
        self._is_cut, self.delay = False, 0.0
        self._passes.set()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._is_cut:
                writer.transport.abort()
                return
            await self._passes.wait()
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(back)
            try:
                await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
            finally:
                self._writers.discard(back)
                back.close()
        except OSError:
            pass  # as the peer did, so do we: below
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            await self._passes.wait()
            if self.delay:
                await asyncio.sleep(self.delay)
            sink.write(data)
            await sink.drain()
        await self._passes.wait()
        sink.close()


@contextlib.asynccontextmanager
async def network(target_port: int) -> AsyncIterator[Network]:
    """A `Network` in front of a port of this machine."""
    between = Network(target_port)
    server = await asyncio.start_server(between._connection, "127.0.0.1", 0)
    between.port = server.sockets[0].getsockname()[1]
    try:
        yield between
    finally:
        server.close()
        between.heal()
        between.cut()
