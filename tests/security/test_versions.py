"""No answer of ours, however odd the request, tells a stranger what software and which version answers."""

import asyncio
import re
import socket

import pytest

from fastagi.tap_metrics import TapMetrics, serve_metrics
from tests.notifier_server import running
from tests.security.strangers import read
from zvonok.address import Address

_TELLING = re.compile(r"aiohttp|python|cpython|asyncio|\bserver: (?!zvonok\b)", re.IGNORECASE)
REQUESTS = {
    "a page": "GET / HTTP/1.1\nHost: x\nConnection: close\n\n",
    "a page that is not there": "GET /no/such/page HTTP/1.1\nHost: x\nConnection: close\n\n",
    "another method": "DELETE /intake/v1 HTTP/1.1\nHost: x\nConnection: close\n\n",
    "no secret": "POST /intake/v1 HTTP/1.1\nHost: x\nConnection: close\nContent-Length: 2\n\n{}",
    "metrics": "GET /metrics HTTP/1.1\nHost: elsewhere\nConnection: close\n\n",
    "no HTTP": "HELO mail.example.ru\n\n",
    "a bad header": "GET / HTTP/1.1\nHost: x\nbroken\n\n",
    "a long line": "GET /" + "a" * 20_000 + " HTTP/1.1\n\n",
    "a bad length": "POST /intake/v1 HTTP/1.1\nHost: x\nContent-Length: none\n\n",
    "an expectation": "GET / HTTP/1.1\nHost: x\nExpect: wonders\nConnection: close\n\n",
}


async def answer(port: int, text: str) -> str:
    return await asyncio.to_thread(lambda: read(socket.create_connection(("127.0.0.1", port)), text))


@pytest.mark.parametrize("text", REQUESTS.values(), ids=REQUESTS.keys())
async def test_no_port_names_software_or_version(text: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    runner = await serve_metrics(
        Address("127.0.0.1", port), TapMetrics(lambda: iter([]), dict, dict), problems=list, token=None
    )
    try:
        async with running() as server:
            for address in (*server.notifier.addresses.values(), Address("127.0.0.1", port)):
                said = await answer(address.port, text)
                assert said.startswith("HTTP/1."), said
                head = said.partition("\r\n\r\n")[0]
                assert _TELLING.search(head) is None, head
                if not head.startswith("HTTP/1.1 200"):
                    assert _TELLING.search(said) is None, said
    finally:
        await runner.cleanup()
