"""The users' HTTP: headers, origins, addresses, limits, metrics and the client's files, from a real server."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from notifier.addresses import client_address, trust
from notifier.client_files import CLIENT_DIRECTORY, ENTRIES, ClientFiles
from notifier.door import headers_for, same_host
from notifier.limits import Limits
from tests.notifier_server import Server, running, token


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running() as server:
        yield server


@pytest.mark.parametrize(("origin", "host", "same"), [
    ("http://crm.ru", "crm.ru", True),
    ("https://crm.ru", "crm.ru", True),
    ("https://crm.ru", "crm.ru:443", True),
    ("http://crm.ru", "crm.ru:443", False),
    ("http://CRM.ru:5004", "crm.ru:5004", True),
    ("http://crm.ru:5004", "crm.ru", False),
    ("http://crm.ru.evil.example", "crm.ru", False),
    ("http://[::1]:5004", "[::1]:5004", True),
    ("null", "null", False),
    ("file://", "", False),
    ("http://crm.ru:99999", "crm.ru", False),
    ("", "", False),
])  # fmt: skip
def test_a_page_is_ours_if_its_name_and_port_are(origin: str, host: str, same: bool) -> None:
    assert same_host(origin, host) is same


@pytest.mark.parametrize(("peer", "forwarded", "address"), [
    ("203.0.113.5", [], "203.0.113.5"),
    ("203.0.113.5", ["10.0.0.1"], "203.0.113.5"),
    ("127.0.0.1", ["10.0.0.1, 203.0.113.9"], "203.0.113.9"),
    ("127.0.0.1", ["10.0.0.1", "203.0.113.9"], "203.0.113.9"),
    ("10.1.0.7", ["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
    ("127.0.0.1", ["6.6.6.6, 203.0.113.9, 10.1.0.7, 10.1.0.8"], "203.0.113.9"),
    ("10.1.0.7", [], "10.1.0.7"),
    ("::ffff:10.1.0.7", ["203.0.113.9"], "203.0.113.9"),
    (None, ["203.0.113.9"], "203.0.113.9"),
    (None, [], "local"),
    ("::1", ["2001:db8::1"], "2001:db8::/64"),
    ("::ffff:10.0.0.1", [], "10.0.0.1"),
    ("127.0.0.1", ["x" * 500], "x" * 64),
])  # fmt: skip
def test_an_address_is_the_peers_or_what_a_trusted_proxy_saw(
    peer: str | None, forwarded: list[str], address: str
) -> None:
    assert client_address(peer, forwarded, trust(("127.0.0.0/8", "::1/128", "10.1.0.0/24"))) == address


def test_the_policy_names_our_own_sockets_and_nothing_that_a_host_header_smuggles_in() -> None:
    policy = headers_for("crm.ru:5004")["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self' ws://crm.ru:5004 wss://crm.ru:5004;" in policy
    assert "unsafe" not in policy
    for host in ("a; script-src *", "a b", "a'", "a\n", "a,b", ""):
        assert "connect-src 'self';" in headers_for(host)["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/", "/client/index.js", "/client/none.js", "/none", "/healthz", "/api/calls"])
async def test_every_answer_has_the_security_headers(server: Server, path: str) -> None:
    async with server.http.get(server.users + path) as response:
        assert "require-trusted-types-for 'script'" in response.headers["Content-Security-Policy"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["X-Frame-Options"] == "DENY"
        assert "Python" not in response.headers["Server"]


async def test_the_page_loads_its_files_under_a_version_that_may_be_kept_for_ever(server: Server) -> None:
    async with server.http.get(server.users + "/") as response:
        assert response.headers["Cache-Control"] == "no-cache"
        page = await response.text()
    version = ClientFiles().version
    assert f'="client/{version}/' in page
    assert '="client/page' not in page
    async with server.http.get(f"{server.users}/client/{version}/index.js") as response:
        assert response.status == 200
        assert "immutable" in response.headers["Cache-Control"]
        assert response.headers["Content-Type"].startswith("text/javascript")
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


@pytest.mark.parametrize("entry", ENTRIES)
async def test_an_entry_leads_to_the_version_so_that_only_itself_is_asked_for_again(server: Server, entry: str) -> None:
    async with server.http.get(f"{server.users}/client/{entry}") as response:
        assert response.headers["Cache-Control"] == "no-cache"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert await response.text() == f'export * from "./{ClientFiles().version}/{entry}";\n'
    async with server.http.get(f"{server.users}/client/{ClientFiles().version}/{entry}") as response:
        assert await response.text() == (CLIENT_DIRECTORY / entry).read_text()


async def test_an_unversioned_or_outdated_file_is_asked_for_again_each_time(server: Server) -> None:
    for path in ("/client/index.js", "/client/0123456789ab/index.js"):
        async with server.http.get(server.users + path) as response:
            assert response.status == 200
            assert response.headers["Cache-Control"] == "no-cache"
            etag = response.headers["ETag"]
        async with server.http.get(server.users + path, headers={"If-None-Match": etag}) as response:
            assert response.status == 304
            assert response.headers["ETag"] == etag


@pytest.mark.parametrize(
    "path",
    [
        "/client/../app.py",
        "/client/%2e%2e/app.py",
        "/client/..%2fapp.py",
        "/client//etc/passwd",
        "/client/node_modules/x.js",
    ],
)
async def test_nothing_but_the_client_is_served(server: Server, path: str) -> None:
    from yarl import URL

    async with server.http.get(URL(server.users + path, encoded=True)) as response:
        assert response.status == 404


def test_only_known_types_are_served_and_no_hidden_or_test_files(tmp_path: Path) -> None:
    for name in ("a.js", "b.py", ".hidden.js", "test/c.js", "node_modules/d.js", "core/e.mjs", "f.d.ts"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    files = ClientFiles(tmp_path)
    assert {
        name
        for name in ("a.js", "b.py", ".hidden.js", "test/c.js", "node_modules/d.js", "core/e.mjs", "f.d.ts")
        if name in files
    } == {"a.js", "core/e.mjs", "f.d.ts"}
    before = files.version
    (tmp_path / "a.js").write_text("y")
    assert ClientFiles(tmp_path).version != before


async def test_big_files_go_compressed_to_who_accepts_it(server: Server) -> None:
    big = max(CLIENT_DIRECTORY.rglob("*.js"), key=lambda path: path.stat().st_size)
    url = f"{server.users}/client/{big.relative_to(CLIENT_DIRECTORY)}"
    async with aiohttp.ClientSession(auto_decompress=False) as http:
        async with http.get(url, headers={"Accept-Encoding": "gzip"}) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(await response.read()) == big.read_bytes()
        async with http.get(url, headers={"Accept-Encoding": "identity"}) as response:
            assert await response.read() == big.read_bytes()


async def test_the_crms_origin_may_ask_for_the_history_and_others_may_not() -> None:
    async with running(allowed_origins=("https://crm.example.ru",)) as server:
        url = server.users + "/api/calls"
        async with server.http.options(url, headers={"Origin": "https://crm.example.ru"}) as response:
            assert response.status == 204
            assert response.headers["Access-Control-Allow-Origin"] == "https://crm.example.ru"
            assert "authorization" in response.headers["Access-Control-Allow-Headers"]
        async with server.http.options(url, headers={"Origin": "https://evil.example"}) as response:
            assert response.status == 403
            assert "Access-Control-Allow-Origin" not in response.headers
        headers = {"Origin": "https://evil.example", "Authorization": f"Bearer {token()}"}
        async with server.http.get(url, headers=headers) as response:
            assert response.status == 403
            assert "Access-Control-Allow-Origin" not in response.headers


async def test_metrics_are_for_this_host_or_who_has_the_token() -> None:
    async with running(metrics_token="m" * 32) as server, server.browser():
        url = server.users + "/metrics"
        async with server.http.get(url) as response:
            assert response.status == 200
            text = await response.text()
        assert "zvonok_notifier_sockets 1.0" in text
        proxied = {"X-Forwarded-For": "203.0.113.9"}
        async with server.http.get(url, headers=proxied) as response:
            assert response.status == 403
        async with server.http.get(url, headers=proxied | {"Authorization": "Bearer " + "m" * 32}) as response:
            assert response.status == 200
        async with server.http.get(url, headers={"Authorization": "Bearer wrong"}) as response:
            assert response.status == 403


async def test_readiness_tells_details_to_this_host_only(server: Server) -> None:
    await server.post()
    async with server.http.get(server.users + "/readyz") as response:
        assert (await response.json())["pbxs"] == {"main": "up"}
    async with server.http.get(server.users + "/readyz", headers={"X-Forwarded-For": "203.0.113.9"}) as response:
        assert await response.json() == {"ready": True}


async def test_an_address_with_too_many_failures_is_told_to_wait() -> None:
    async with running(Limits(failures_per_address=3, failures_refill=0.01)) as server:
        for _ in range(3):
            async with server.socket() as browser:
                await browser.send(type="auth", token="x", tab_id="")
                assert await browser.close_code() == 4401
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with server.socket():
                pass
        assert refused.value.status == 429
        async with server.browser(headers={"X-Forwarded-For": "203.0.113.9"}):
            pass


async def test_an_address_holds_so_many_unauthenticated_sockets_and_no_more() -> None:
    async with running(Limits(unauthenticated_per_address=2)) as server, server.socket(), server.socket() as second:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with server.socket():
                pass
        assert refused.value.status == 429
        await second.send(type="auth", token=token(), tab_id="")
        await second.receive("hello")
        async with server.browser(2):
            pass


async def test_an_address_asks_for_history_so_often_and_no_more() -> None:
    async with running(Limits(requests_per_address=2, requests_refill=0.01)) as server:
        statuses = []
        for _ in range(3):
            async with server.http.get(
                server.users + "/api/calls", headers={"Authorization": f"Bearer {token()}"}
            ) as response:
                statuses.append(response.status)
        assert statuses == [503, 503, 429]
