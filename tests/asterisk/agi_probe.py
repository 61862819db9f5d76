"""A FastAGI listener of a few lines, apart from fastagi's: it notes what Asterisk passes, and lets each call go on."""

import asyncio
import contextlib
import time
from typing import Self

import msgspec


class Request(msgspec.Struct, frozen=True):
    """One AGI session: `at` is `time.monotonic()` when its environment was complete."""

    at: float
    env: dict[str, str]

    @property
    def arguments(self) -> list[str]:
        """agi_arg_1 and those that follow."""
        names = sorted((name for name in self.env if name.startswith("agi_arg_")), key=lambda name: int(name[8:]))
        return [self.env[name] for name in names]


class AgiProbe:
    """Listens on 127.0.0.1:`port`; `requests` has each session in the order of completion."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.requests: list[Request] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._session, "127.0.0.1", self._port, backlog=256)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        env: dict[str, str] = {}
        with contextlib.suppress(ConnectionError):
            while line := (await reader.readline()).decode(errors="surrogateescape").rstrip("\r\n"):
                name, _, value = line.partition(": ")
                env[name] = value
            self.requests.append(Request(time.monotonic(), env))
            writer.close()
