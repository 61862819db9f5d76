"""The door of the users' listener: who knocks, from which page, how often; and every answer's headers."""

import asyncio
import hmac
import ipaddress
import re
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from notifier.limits import Budget, Counter, Limits
from notifier.metrics import Metrics

_HOST: Final = re.compile(r"[A-Za-z0-9.\-]{1,253}(?::\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::\d{1,5})?")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Door:
    """Origins, addresses and limits of one listener."""

    def __init__(
        self, *, allowed_origins: tuple[str, ...], metrics_token: str | None, limits: Limits, metrics: Metrics
    ) -> None:
        self._allowed_origins = frozenset(allowed_origins)
        self._metrics_token = metrics_token
        self._limits = limits
        self._metrics = metrics
        self._waiting = Counter()
        self._failures = Budget(limits.failures_per_address, limits.failures_refill)
        self._requests = Budget(limits.requests_per_address, limits.requests_refill)

    def origin_allowed(self, request: web.Request) -> bool:
        """Whether the page that asks may. Programs send no Origin; their token says who they are."""
        origin = request.headers.get("Origin")
        return origin is None or same_host(origin, request.host) or origin.lower() in self._allowed_origins

    def enter(self, request: web.Request) -> "Knock":
        """A socket that has not authenticated. Raises 429 if its address has too many, or failed too often."""
        address = client_address(request)
        if self._failures.spent(address, now=_now()):
            raise self._too_many("failures")
        if not self._waiting.enter(address, self._limits.unauthenticated_per_address):
            raise self._too_many("unauthenticated")
        return Knock(self, address)

    def spend(self, request: web.Request) -> None:
        """One request of /api. Raises 429 if its address sent too many."""
        address = client_address(request)
        if self._failures.spent(address, now=_now()) or not self._requests.take(address, now=_now()):
            raise self._too_many("requests")

    def failed(self, address: str) -> None:
        """An attempt to authenticate failed."""
        self._failures.take(address, now=_now())

    def left(self, address: str) -> None:
        """A socket authenticated or left."""
        self._waiting.leave(address)

    def may_see_metrics(self, request: web.Request) -> bool:
        """Whether it asks from this host itself (not through a proxy), or with ZVONOK_METRICS_TOKEN."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if self._metrics_token is not None and scheme.lower() == "bearer":
            return hmac.compare_digest(token.strip().encode(errors="surrogateescape"), self._metrics_token.encode())
        proxied = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
        return not proxied and _is_loopback(request.remote)

    def _too_many(self, limit: str) -> web.HTTPTooManyRequests:
        self._metrics.refused.labels(limit).inc()
        return web.HTTPTooManyRequests(headers={"Retry-After": "5"}, text="too many; come back later")


class Knock:
    """One unauthenticated socket of an address."""

    __slots__ = ("_address", "_door", "_inside")

    def __init__(self, door: Door, address: str) -> None:
        self._door = door
        self._address = address
        self._inside = False

    def authenticated(self) -> None:
        """It no longer waits: it is in, or gone. Twice is harmless."""
        if not self._inside:
            self._inside = True
            self._door.left(self._address)

    def failed(self) -> None:
        """Its token was refused."""
        self._door.failed(self._address)


def client_address(request: web.Request) -> str:
    """The peer's address; behind a proxy on this host, what that proxy saw (the last X-Forwarded-For).

    An IPv6 peer counts by its /64, which is one customer's.
    """
    address = request.remote or "local"
    if address == "local" or _is_loopback(address):
        address = request.headers.get("X-Forwarded-For", address).rsplit(",", 1)[-1].strip() or address
    return _counted_as(address)


@lru_cache(maxsize=4096)
def _counted_as(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address


@lru_cache(maxsize=1024)
def same_host(origin: str, host: str) -> bool:
    """Whether a page of `origin` was served from `host` (a Host header): same name, same port.

    The scheme may differ: behind a TLS proxy the page is https and we are http.
    """
    try:
        page = urlsplit(origin)
        here = urlsplit(f"{page.scheme}://{host}")
        default = _DEFAULT_PORTS[page.scheme]
        places = [(url.hostname, url.port or default) for url in (page, here)]
    except (ValueError, KeyError):
        return False
    return places[0] == places[1]


def headers_for(host: str) -> dict[str, str]:
    """The security headers of every answer; `host` is the request's Host header."""
    # 'self' does not cover WebSockets in every browser still in use.
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    return {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
            f"manifest-src 'self'; connect-src 'self'{sockets}; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the security headers on every answer that is not a WebSocket (aiohttp's `on_response_prepare`).

    A signal and no middleware: a middleware's frame would stay in memory as long as each WebSocket does.
    """
    if response.status == HTTPStatus.SWITCHING_PROTOCOLS:
        return
    for name, value in headers_for(request.host).items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "zvonok"


@lru_cache(maxsize=1024)
def _is_loopback(address: str | None) -> bool:
    try:
        return address is not None and ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _now() -> float:
    return asyncio.get_running_loop().time()
