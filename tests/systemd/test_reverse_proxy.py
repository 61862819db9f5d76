"""operate/nginx.conf as it is, but for ports and paths: a real nginx with TLS between a page and a real notifier."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.asterisk.instance import free_port
from tests.levels import unavailable, within
from tests.notifier_server import Browser, Server, a_call, running, token

EXAMPLE = Path("operate/nginx.conf")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate, cert.pem and key.pem, for localhost."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


class Proxy:
    """A running nginx. `tls` trusts its certificate."""

    def __init__(self, http: int, https: int, certificate: Path) -> None:
        self.http, self.https = http, https
        self.tls = ssl.create_default_context(cafile=certificate / "cert.pem")

    def url(self, path: str, *, scheme: str = "https") -> str:
        return f"{scheme}://localhost:{self.https if scheme in ('https', 'wss') else self.http}{path}"

    @contextlib.asynccontextmanager
    async def browser(self, **headers: str) -> AsyncIterator[Browser]:
        async with aiohttp.ClientSession() as session:
            origin = {"Origin": self.url(""), **headers}
            async with session.ws_connect(self.url("/ws", scheme="wss"), ssl=self.tls, headers=origin) as ws:
                yield Browser(ws)


@contextlib.contextmanager
def nginx(users: str, certificate: Path, folder: Path) -> Iterator[Proxy]:
    """nginx with the example, before the notifier's users' port."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        unavailable("nginx is missing: apt-get install nginx-light")
    http, https = free_port(), free_port()
    site = EXAMPLE.read_text()
    for theirs, ours in {
        "127.0.0.1:5004": users.removeprefix("http://"),
        "listen 80;": f"listen 127.0.0.1:{http};",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{https} ssl http2;",
        "server_name calls.example.ru;": "server_name localhost;",
        "/etc/letsencrypt/live/calls.example.ru/fullchain.pem": f"{certificate}/cert.pem",
        "/etc/letsencrypt/live/calls.example.ru/privkey.pem": f"{certificate}/key.pem",
    }.items():
        assert theirs in site
        site = site.replace(theirs, ours)
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = folder / "nginx.conf"
    main.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{site}\n}}\n"
    )
    checked = subprocess.run([program, "-t", "-c", main], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr, checked.stderr
    process = subprocess.Popen([program, "-c", main], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + within(5)
        while socket.socket().connect_ex(("127.0.0.1", https)) != 0:
            assert time.monotonic() < deadline, (folder / "error.log").read_text()
            time.sleep(0.02)
        yield Proxy(http, https, certificate)
    finally:
        process.terminate()
        process.wait()


@contextlib.asynccontextmanager
async def proxied(certificate: Path, folder: Path) -> AsyncIterator[tuple[Server, Proxy]]:
    async with running() as server:
        with nginx(server.users, certificate, folder) as proxy:
            yield server, proxy


async def test_a_page_behind_the_proxy_gets_its_cards_and_the_close_code(certificate: Path, tmp_path: Path) -> None:
    async with proxied(certificate, tmp_path) as (server, proxy), proxy.browser() as page:
        await page.send(type="auth", token=token(1), tab_id="t")
        await page.receive("hello")
        await page.receive("snapshot")
        await server.post(a_call())
        assert (await page.receive("call"))["call"]["state"] == "ringing"
        await page.ws.send_str("this is not JSON")
        assert await page.close_code() == 4400


async def test_a_page_of_another_site_is_refused_through_the_proxy_too(certificate: Path, tmp_path: Path) -> None:
    async with proxied(certificate, tmp_path) as (_, proxy), proxy.browser(Origin="https://evil.example") as page:
        assert await page.close_code() == 4403


async def test_plain_http_is_sent_to_https_and_the_page_is_served_there(certificate: Path, tmp_path: Path) -> None:
    async with proxied(certificate, tmp_path) as (_, proxy), aiohttp.ClientSession() as session:
        async with session.get(proxy.url("/x?y=1", scheme="http"), allow_redirects=False) as moved:
            assert moved.status == 301
            assert moved.headers["Location"].startswith("https://localhost")
            assert moved.headers["Location"].endswith("/x?y=1")
        async with session.get(proxy.url("/"), ssl=proxy.tls) as page:
            assert page.status == 200
            assert "Strict-Transport-Security" in page.headers
            assert "default-src 'none'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/healthz"])
async def test_what_is_for_the_operator_stays_inside(certificate: Path, tmp_path: Path, path: str) -> None:
    async with (
        proxied(certificate, tmp_path) as (_, proxy),
        aiohttp.ClientSession() as session,
        session.get(proxy.url(path), ssl=proxy.tls) as answer,
    ):
        assert answer.status == 404


async def test_an_address_that_guesses_tokens_is_shut_out_whatever_it_claims_to_be(
    certificate: Path, tmp_path: Path
) -> None:
    statuses = []
    async with proxied(certificate, tmp_path) as (_, proxy), aiohttp.ClientSession() as session:
        for attempt in range(90):
            claimed = {"X-Forwarded-For": f"192.0.2.{attempt}", "Authorization": "Bearer wrong"}
            async with session.get(proxy.url("/api/calls"), ssl=proxy.tls, headers=claimed) as answer:
                statuses.append(answer.status)
    assert statuses[0] == 401
    assert 429 in statuses
