"""A network that can fail: a TCP proxy that is cut, swallows what passes, or delays it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator


class Network:
    """The way to `host:port` from `port` here. Whole until told otherwise."""

    def __init__(self, target_port: int) -> None:
        self._target = target_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._passes = asyncio.Event()
        self._passes.set()
        self._is_cut = False
        self._hole_since = 0.0
        self._hole = (0.0, 0.0)
        self.delay = 0.0
        self.port = 0

    def cut(self) -> None:
        """Every connection is reset, and new ones are until `heal`."""
        self._is_cut = True
        for writer in self._writers:
            writer.transport.abort()

    def swallow(self) -> None:
        """A black hole: nothing arrives and nobody is told.

        What was sent into it arrives long after `heal`: TCP repeats it at growing intervals, so the last repetition may
        come as long after the hole's end as the hole lasted. That worst case is what happens here.
        """
        self._passes.clear()
        self._hole_since = time.monotonic()

    def heal(self) -> None:
        """Whole again."""
        if not self._passes.is_set():
            self._hole = (self._hole_since, time.monotonic())
        self._is_cut, self.delay = False, 0.0
        self._passes.set()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._is_cut:
                writer.transport.abort()
                return
            await self._way_is_free()
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(back)
            pumps = [asyncio.create_task(self._pump(reader, back)), asyncio.create_task(self._pump(there, writer))]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
                self._writers.discard(back)
                back.close()
        except OSError:
            pass  # as the peer did, so do we: below
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            await self._way_is_free()
            if self.delay:
                await asyncio.sleep(self.delay)
            if sink.is_closing():
                return
            sink.write(data)
            await sink.drain()
        await self._way_is_free()
        sink.close()

    async def _way_is_free(self) -> None:
        """Return when what is sent now arrives: at once, or after the hole and TCP's pause."""
        sent = time.monotonic()
        if self._passes.is_set():
            return
        await self._passes.wait()
        _, end = self._hole
        await asyncio.sleep(min(end - sent, 30.0))


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
