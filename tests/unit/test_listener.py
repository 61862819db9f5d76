"""Everybody who knocks leaves the kernel's queue at once, and is served in his turn."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from notifier import listener
from notifier.listener import Crowd, Listener
from tests.levels import within
from zvonok.address import Address

MANY = 5 * listener._HANDED_OVER_AT_ONCE


def people(count: int, address: Address) -> list[socket.socket]:
    """So many whose connection is complete, though nobody has accepted it."""
    return [socket.create_connection((address.host, address.port), timeout=within(10)) for _ in range(count)]


def queued(server: Listener) -> int:
    """How many complete connections the kernel keeps for it: `tcpi_unacked` of a listening socket (linux/tcp.h)."""
    info = server._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)
    return int(struct.unpack_from("=I", info, 24)[0])


@asynccontextmanager
async def listening(crowd: Crowd) -> AsyncIterator[Listener]:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    server = Listener(runner, Address("127.0.0.1", 0), name="HTTP_LISTEN", crowd=crowd)
    try:
        yield server
    finally:
        server.stop()
        await runner.cleanup()


def crowd() -> Crowd:
    return Crowd(most=2 * MANY, most_of_one=2 * MANY, exempt=lambda address: False, refused=lambda limit: None)


async def test_the_kernels_queue_is_emptied_in_one_turn_and_all_are_served() -> None:
    async with listening(crowd()) as server:
        everybody = people(MANY, server.address)  # the event loop stands still meanwhile
        assert queued(server) == MANY
        await asyncio.sleep(0)
        while queued(server) == MANY:
            await asyncio.sleep(0)
        assert queued(server) == 0
        assert len(server._waiting) > MANY // 2  # taken from the kernel, and not yet all handed over
        for each in everybody:
            each.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        for each in everybody:
            assert b"hello" in await asyncio.to_thread(each.recv, 4096)
            each.close()


async def test_who_still_waits_when_it_stops_is_told_so_and_leaves_his_seat() -> None:
    taken = crowd()
    async with listening(taken) as server:
        everybody = people(MANY, server.address)
        while queued(server):
            await asyncio.sleep(0)
        assert len(taken) == MANY
        server.stop()
        assert len(taken) <= listener._HANDED_OVER_AT_ONCE
        assert await asyncio.to_thread(everybody[-1].recv, 1) == b""
        for each in everybody:
            each.close()


async def test_one_that_cannot_be_served_keeps_nobody_else_waiting() -> None:
    taken = crowd()
    async with listening(taken) as server:
        serve, failed = server._server, []

        def once_broken() -> asyncio.Protocol:
            if not failed:
                failed.append(True)
                raise RuntimeError("broken")
            return serve()

        server._server = once_broken  # type: ignore[assignment]
        (first,) = people(1, server.address)
        assert await asyncio.to_thread(first.recv, 1) == b""
        assert len(taken) == 0
        (second,) = people(1, server.address)
        second.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"hello" in await asyncio.to_thread(second.recv, 4096)
        first.close()
        second.close()
