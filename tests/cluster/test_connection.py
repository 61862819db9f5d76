"""Connections to servers that are not there, silent, frozen, or no NATS at all."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from tests.cluster.engine import Engine
from tests.levels import within
from tests.notifier_server import settings
from zvonok.cluster.connection import LostError, Reach, connected, keep_connected, servers


def ignore(reach: Reach, why: str) -> None:
    """Nobody wants to know."""


@contextlib.asynccontextmanager
async def peer(greeting: bytes) -> AsyncIterator[int]:
    """Somebody who says this to whoever connects, and nothing more; his port."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    "greeting",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"INFO {\r\n", b'INFO {"max_payload":1}\r\n', b"\x00" * 100_000],
    ids=["silent", "HTTP", "half", "no more than a greeting", "noise"],
)
async def test_who_is_no_nats_server_is_given_up_soon(greeting: bytes) -> None:
    async with peer(greeting) as port:
        named = settings(nats_url=f"nats://127.0.0.1:{port}")
        async with asyncio.timeout(within(4)):
            with pytest.raises(LostError, match="cannot be reached"):
                async with connected(named, servers(named)[0], name="zvonok test", told=ignore):
                    pass


async def test_a_server_that_freezes_is_left_for_another_one_within_two_seconds(one_node: Engine) -> None:
    (node,) = one_node.nodes
    here = asyncio.Event()
    told: list[Reach] = []

    async def session(client: Client) -> None:
        here.set()
        await asyncio.Event().wait()

    named = settings(nats_url=one_node.url)
    following = asyncio.create_task(
        keep_connected(named, name="zvonok test", session=session, told=lambda reach, why: told.append(reach))
    )
    try:
        async with asyncio.timeout(within(5)):
            await here.wait()
        node.signal(signal.SIGSTOP)
        async with asyncio.timeout(within(2)):
            while Reach.UNREACHABLE not in told:
                await asyncio.sleep(0.02)
        here.clear()
    finally:
        node.signal(signal.SIGCONT)
    async with asyncio.timeout(within(3)):
        await here.wait()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_a_loss_that_several_notice_at_once_is_one_loss_and_the_next_one_is_survived_too(
    one_node: Engine,
) -> None:
    (node,) = one_node.nodes
    here = asyncio.Event()

    async def session(client: Client) -> None:
        here.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionResetError("noticed by the session as well") from None

    following = asyncio.create_task(
        keep_connected(settings(nats_url=one_node.url), name="zvonok test", session=session, told=ignore)
    )
    for _ in range(3):
        async with asyncio.timeout(within(5)):
            await here.wait()
        here.clear()
        node.signal(signal.SIGSTOP)
        await asyncio.sleep(within(2))
        node.signal(signal.SIGCONT)
        assert not following.done()
    async with asyncio.timeout(within(5)):
        await here.wait()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_a_mistake_of_ours_ends_the_service_instead_of_being_tried_for_ever(one_node: Engine) -> None:
    async def session(client: Client) -> None:
        raise KeyError("a mistake")

    with pytest.raises(KeyError, match="a mistake"):
        await keep_connected(settings(nats_url=one_node.url), name="zvonok test", session=session, told=ignore)


async def test_a_cancelled_session_is_cancelled_and_not_connected_again(one_node: Engine) -> None:
    here = asyncio.Event()

    async def session(client: Client) -> None:
        here.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(
        keep_connected(settings(nats_url=one_node.url), name="zvonok test", session=session, told=ignore)
    )
    async with asyncio.timeout(within(5)):
        await here.wait()
    task.cancel()
    async with asyncio.timeout(within(2)):
        with pytest.raises(asyncio.CancelledError):
            await task
