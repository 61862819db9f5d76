"""Somebody on the network who can reach our ports, and what he gets: from a host of his own, against real listeners."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from fastagi.agi_server import AgiServer
from fastagi.agi_session import AGISession
from fastagi.tap_metrics import TapMetrics, serve_metrics
from notifier import process
from notifier.limits import Limits
from notifier.listener import Crowd
from tests.agi_peer import AgiPeer, request
from tests.levels import within
from tests.notifier_server import Server, running, token
from tests.security.strangers import Strangers, read, strangers
from zvonok.address import Address

EVERYWHERE = Address("0.0.0.0", 0)
TOKEN = "metrics-token-of-the-tests-0123456789"


@pytest.fixture(scope="module")
def outside() -> Iterator[Strangers]:
    with strangers() as them:
        yield them


@contextlib.asynccontextmanager
async def exposed(limits: Limits | None = None, **changes: object) -> AsyncIterator[tuple[Server, int]]:
    """A notifier whose users' port is reachable from other hosts, and that port."""
    async with running(limits, http_listen=EVERYWHERE, metrics_token=TOKEN, **changes) as server:
        port = server.notifier.addresses["users"].port
        server.users = f"http://127.0.0.1:{port}"
        yield server, port


def get(path: str, **headers: str) -> str:
    lines = {"Host": "pbx.example.ru", "Connection": "close"} | {n.replace("_", "-"): v for n, v in headers.items()}
    return f"GET {path} HTTP/1.1\n" + "".join(f"{name}: {value}\n" for name, value in lines.items()) + "\n"


def status(answer: str) -> int:
    return int(answer.split()[1]) if answer else 0


# --- metrics


@pytest.mark.parametrize("headers", [
    {},
    {"Host": "127.0.0.1"},
    {"Host": "localhost", "X_Forwarded_For": "127.0.0.1"},
    {"Authorization": "Bearer guess"},
    {"Authorization": "Bearer \udcff\udcfe"},
    {"Authorization": "Bearer "},
], ids=str)  # fmt: skip
async def test_a_stranger_sees_no_metrics_of_the_notifier(outside: Strangers, headers: dict[str, str]) -> None:
    async with exposed() as (_, port):
        answer = await asyncio.to_thread(outside.ask, port, get("/metrics", **headers))
        assert status(answer) == 403
        assert "zvonok_" not in answer
        ready = await asyncio.to_thread(outside.ask, port, get("/readyz", **headers))
        assert '{"ready": true}' in ready
        if not headers:
            shown = get("/metrics", Authorization=f"Bearer {TOKEN}")
            assert "zvonok_notifier_sockets" in await asyncio.to_thread(outside.ask, port, shown)


async def test_metrics_are_not_public_through_a_proxy_of_this_host_that_says_nothing_of_itself() -> None:
    async with exposed() as (server, _):
        for headers in (
            {"Host": "calls.example.ru"}, {"X-Real-IP": "203.0.113.9"}, {"Via": "1.1 proxy"},
            {"X-Forwarded-Proto": "https"}, {"Forwarded": "for=203.0.113.9"},
        ):  # fmt: skip
            async with server.http.get(server.users + "/metrics", headers=headers) as response:
                assert response.status == 403, headers
        async with server.http.get(server.users + "/metrics") as response:
            assert response.status == 200


async def test_a_stranger_sees_neither_metrics_nor_problems_of_the_tap(outside: Strangers) -> None:
    with socket.create_server(("", 0)) as free:
        port = free.getsockname()[1]
    metrics = TapMetrics(lambda: iter([("live_calls", "Calls", 7.0)]), dict, dict)
    runner = await serve_metrics(
        Address("0.0.0.0", port), metrics, problems=lambda: ["the PBX's AMI: login refused"], token=TOKEN
    )
    try:
        for headers in ({}, {"Host": "127.0.0.1"}, {"Authorization": "Bearer \udcff"}):
            answer = await asyncio.to_thread(outside.ask, port, get("/metrics", **headers))
            assert status(answer) == 403, answer
            ready = await asyncio.to_thread(outside.ask, port, get("/readyz", **headers))
            assert status(ready) == 503
            assert "AMI" not in ready
        shown = await asyncio.to_thread(outside.ask, port, get("/metrics", Authorization=f"Bearer {TOKEN}"))
        assert "zvonok_tap_live_calls 7.0" in shown
        async with aiohttp.ClientSession() as http:
            async with http.get(f"http://127.0.0.1:{port}/readyz") as response:
                assert (await response.json())["problems"] == ["the PBX's AMI: login refused"]
            async with http.get(f"http://127.0.0.1:{port}/metrics", headers={"X-Forwarded-For": "x"}) as response:
                assert response.status == 403
    finally:
        await runner.cleanup()


# --- limits by address


async def test_one_address_holds_so_many_connections_and_others_still_get_in(outside: Strangers) -> None:
    async with exposed(Limits(connections_per_address=3)) as (server, port):
        mine, yours = outside.addresses
        held = [await asyncio.to_thread(outside.connect, port, source=mine) for _ in range(3)]
        assert await asyncio.to_thread(outside.ask, port, get("/healthz"), source=mine) == ""
        assert status(await asyncio.to_thread(outside.ask, port, get("/healthz"), source=yours)) == 200
        async with server.browser():
            pass
        for sock in held:
            sock.close()
        async with asyncio.timeout(within(5)):
            while status(await asyncio.to_thread(outside.ask, port, get("/healthz"), source=mine)) != 200:
                await asyncio.sleep(0.1)
        async with server.http.get(server.users + "/metrics") as response:
            assert 'requests_refused_total{limit="connections_of_address"}' in await response.text()


async def test_all_addresses_together_leave_the_process_descriptors_for_its_own_work(
    monkeypatch: pytest.MonkeyPatch, outside: Strangers
) -> None:
    monkeypatch.setattr(process, "most_sockets", lambda: 8)
    async with exposed() as (server, port):
        await server.post()
        held = [await asyncio.to_thread(outside.connect, port) for _ in range(12)]
        assert len(server.notifier._crowd) == 8
        await server.post()  # the tap's connection was there before
        for sock in held:
            sock.close()
        async with asyncio.timeout(within(5)):
            while status(await asyncio.to_thread(outside.ask, port, get("/healthz"))) != 200:
                await asyncio.sleep(0.1)


async def test_a_connection_that_asks_for_nothing_is_closed(outside: Strangers) -> None:
    async with exposed(Limits(silent_connection=0.3)) as (_, port):
        for beginning in ("", "GET / HT", "GET / HTTP/1.1\nHost: x\nX-Slow: "):
            sock = await asyncio.to_thread(outside.connect, port)
            assert await asyncio.to_thread(read, sock, beginning) == ""


async def test_a_stranger_cannot_say_who_he_is_to_evade_a_limit(outside: Strangers) -> None:
    limits = Limits(failures_per_address=3, failures_refill=0.001)
    async with exposed(limits) as (server, port):
        for number in range(3):
            claimed = get("/api/calls", Authorization="Bearer x", X_Forwarded_For=f"203.0.113.{number}")
            assert status(await asyncio.to_thread(outside.ask, port, claimed)) == 401
        claimed = get("/api/calls", Authorization="Bearer x", X_Forwarded_For="203.0.113.77")
        assert status(await asyncio.to_thread(outside.ask, port, claimed)) == 429
        # Nor can he lock out somebody else by claiming his address.
        other = get("/api/calls", Authorization=f"Bearer {token()}")
        assert status(await asyncio.to_thread(outside.ask, port, other, source=outside.addresses[1])) == 503
        async with server.browser(headers={"X-Forwarded-For": "203.0.113.1"}):
            pass


async def test_a_proxy_on_another_host_is_believed_once_it_is_named(outside: Strangers) -> None:
    limits = Limits(failures_per_address=2, failures_refill=0.001)
    async with exposed(limits, trusted_proxies=(f"{outside.addresses[0]}/32",)) as (_, port):
        for _ in range(3):
            bad = get("/api/calls", Authorization="Bearer x", X_Forwarded_For="6.6.6.6, 203.0.113.1")
            answer = await asyncio.to_thread(outside.ask, port, bad)
        assert status(answer) == 429
        good = get("/api/calls", Authorization=f"Bearer {token()}", X_Forwarded_For="203.0.113.2")
        assert status(await asyncio.to_thread(outside.ask, port, good)) == 503  # let in; there is no database


async def test_a_user_asks_for_his_history_so_often_from_wherever() -> None:
    async with running(Limits(requests_per_user=2, user_requests_refill=0.001)) as server:
        statuses = []
        for number in range(3):
            headers = {"Authorization": f"Bearer {token()}", "X-Forwarded-For": f"203.0.113.{number}"}
            async with server.http.get(server.users + "/api/calls", headers=headers) as response:
                statuses.append(response.status)
        assert statuses == [503, 503, 429]
        headers = {"Authorization": f"Bearer {token(2)}"}
        async with server.http.get(server.users + "/api/calls", headers=headers) as response:
            assert response.status == 503


async def test_pongs_that_nobody_asked_for_count_as_messages() -> None:
    async with running(Limits(messages=5, messages_refill=0.1)) as server, server.browser() as browser:
        for _ in range(7):
            await browser.ws.pong()
        assert await browser.close_code() == 4400


# --- what is no request at all


@pytest.mark.parametrize("garbage", [
    "GARBAGE\n\n",
    "\x16\x03\x01\x02\x00\x01\x00",
    "GET / HTTP/1.1\nHost: x\nAuthorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2VjcmV0\x01\n\n",
    "GET / HTTP/1.1\nHost: x\nX: " + "a" * 9000 + "\n\n",
    "GET http://[ HTTP/1.1\n\n",
    "POST / HTTP/1.1\nHost: x\nContent-Length: -1\n\n",
    "POST / HTTP/1.1\nHost: x\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\n\nGET /metrics HTTP/1.1\n\n",
    "GET / HTTP/1.1\nHost: a\nHost: b\n\n",
], ids=lambda text: text[:20])  # fmt: skip
async def test_a_request_that_is_no_http_is_refused_in_one_counted_word_and_fills_no_log(
    outside: Strangers, caplog: pytest.LogCaptureFixture, garbage: str
) -> None:
    caplog.set_level(logging.INFO)
    async with exposed() as (server, port):
        answer = await asyncio.to_thread(outside.ask, port, garbage)
        assert 400 <= status(answer) < 500
        assert "zvonok_" not in answer
        assert status(await asyncio.to_thread(outside.ask, port, get("/healthz"))) == 200
        async with server.http.get(server.users + "/metrics") as response:
            counted = 'requests_refused_total{limit="malformed"} 1.0' in await response.text()
    noise = [record for record in caplog.records if record.name.startswith("aiohttp") or record.exc_info]
    assert noise == []
    assert "eyJ" not in caplog.text
    assert counted


# --- FastAGI


def test_fastagi_serves_a_stranger_only_once_he_is_on_the_list_and_complains_once(
    outside: Strangers, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(session: AGISession) -> str:
        session.verbose("hello")
        return "ok"

    mine, yours = outside.addresses
    server = AgiServer(EVERYWHERE, {"announce": answer}, allow=["127.0.0.0/8", f"{yours}/32"], workers=2)
    server.start()
    try:
        for _ in range(5):
            with contextlib.suppress(ConnectionError):
                assert AgiPeer(outside.connect(server.address.port, source=mine)).run(request()) == []
        friend = AgiPeer(outside.connect(server.address.port, source=yours))
        assert friend.run(request()) == ['VERBOSE "hello" 1']
    finally:
        assert server.stop(timeout=within(3))
    complaints = [record for record in caplog.records if "ZVONOK_AGI_ALLOW" in record.getMessage()]
    assert len(complaints) == 1
    assert mine in complaints[0].getMessage()


# --- the crowd, by itself


class Wire(asyncio.Transport):
    """A transport that only knows whether it is closed."""

    closed = False

    def is_closing(self) -> bool:
        return self.closed


def test_a_crowd_counts_what_is_open_and_forgets_what_was_closed() -> None:
    refused: list[str] = []
    crowd = Crowd(most=4, most_of_one=2, exempt=lambda address: address == "proxy", refused=refused.append)
    wires = []
    for address in ("a", "a", "proxy", "proxy"):
        seat = crowd.enter(address, now=10)
        assert seat is not None
        seat.transport = Wire()
        wires.append(seat.transport)
    assert crowd.enter("proxy", now=10) is None
    wires[0].closed = True
    assert crowd.enter("a", now=10.5) is None  # counted anew once a second at most
    assert crowd.enter("a", now=11.5) is not None
    assert crowd.enter("a", now=20) is None
    assert refused == ["connections", "connections", "connections"]
    for wire in wires:
        wire.closed = True
    crowd.forget_closed(now=30)
    assert len(crowd) == 1
    assert crowd.enter("a", now=30) is not None
    assert crowd.enter("a", now=40) is None
    assert refused[3:] == ["connections_of_address"]


# --- origins


@pytest.mark.parametrize(("origin", "welcome"), [
    ("https://crm.example.ru", True),
    ("https://CRM.example.ru", True),
    ("http://crm.example.ru", False),
    ("https://crm.example.ru:8443", False),
    ("https://crm.example.ru.evil.example", False),
    ("https://evil-crm.example.ru", False),
    ("https://evil.example/https://crm.example.ru", False),
    ("https://crm.example.ru@evil.example", False),
    ("https://crm.example.ru https://evil.example", False),
    ("null", False),
    ("", False),
    ("file://", False),
    ("https://pbx.example.ru", True),  # the page's own host
    ("https://pbx.example.ru.evil.example", False),
])  # fmt: skip
async def test_a_page_of_another_site_gets_neither_socket_nor_history_with_a_stolen_token(
    origin: str, welcome: bool
) -> None:
    async with running(allowed_origins=("https://crm.example.ru",)) as server:
        headers = {"Host": "pbx.example.ru", "Origin": origin, "Authorization": f"Bearer {token()}"}
        async with server.http.get(server.users + "/api/calls", headers=headers) as response:
            assert response.status == (503 if welcome else 403)  # 503: let in, but there is no database
            assert response.headers.get("Access-Control-Allow-Origin") == (origin if welcome else None)
        async with server.socket(headers={"Host": "pbx.example.ru", "Origin": origin}) as browser:
            await browser.send(type="auth", token=token(), tab_id="")
            if welcome:
                await browser.receive("hello")
            else:
                assert await browser.close_code() == 4403
