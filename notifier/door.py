"""The door of the users' listener: who knocks, from which page, how often; and every answer's headers."""

import asyncio
import re
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from notifier.addresses import client_address
from notifier.limits import Budget, Counter, Limits
from notifier.metrics import Metrics
from zvonok.watchers import may_watch

_HOST: Final = re.compile(r"[A-Za-z0-9.\-]{1,253}(?::\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::\d{1,5})?")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Door:
    """Origins, addresses and limits of one listener."""

    def __init__(
        self,
        *,
        allowed_origins: tuple[str, ...],
        is_trusted: Callable[[str], bool],
        metrics_token: str | None,
        limits: Limits,
        metrics: Metrics,
    ) -> None:
        self._allowed_origins = frozenset(allowed_origins)
        self._is_trusted = is_trusted
        self._metrics_token = metrics_token
        self._limits = limits
        self._metrics = metrics
        self._waiting = Counter()
        self._failures = Budget(limits.failures_per_address, limits.failures_refill)
        self._requests = Budget(limits.requests_per_address, limits.requests_refill)
        self._requests_of_users = Budget(limits.requests_per_user, limits.user_requests_refill)

    def origin_allowed(self, request: web.Request) -> bool:
        """Whether the page that asks may. Programs send no Origin; their token says who they are."""
        origin = request.headers.get("Origin")
        return origin is None or same_host(origin, request.host) or origin.lower() in self._allowed_origins

    def enter(self, request: web.Request) -> "Knock":
        """A socket that has not authenticated. Raises 429 if its address has too many, or failed too often."""
        address = self.address(request)
        if self._failures.spent(address, now=_now()):
            raise self._too_many("failures")
        if not self._waiting.enter(address, self._limits.unauthenticated_per_address):
            raise self._too_many("unauthenticated")
        return Knock(self, address)

    def spend(self, request: web.Request) -> None:
        """One request of /api. Raises 429 if its address sent too many."""
        address = self.address(request)
        if self._failures.spent(address, now=_now()) or not self._requests.take(address, now=_now()):
            raise self._too_many("requests")

    def spend_of_user(self, user_id: int) -> None:
        """The same request, of this user. Raises 429 if he sent too many, from wherever."""
        if not self._requests_of_users.take(str(user_id), now=_now()):
            raise self._too_many("requests_of_user")

    def address(self, request: web.Request) -> str:
        """The client's address, as limits count it."""
        return client_address(request.remote, request.headers.getall("X-Forwarded-For", ()), self._is_trusted)

    def failed(self, address: str) -> None:
        """An attempt to authenticate failed."""
        self._failures.take(address, now=_now())

    def left(self, address: str) -> None:
        """A socket authenticated or left."""
        self._waiting.leave(address)

    def may_see_metrics(self, request: web.Request) -> bool:
        """Whether it asks from this host itself (not through a proxy), or with ZVONOK_METRICS_TOKEN."""
        return may_watch(request.remote, request.headers, token=self._metrics_token)

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


def _now() -> float:
    return asyncio.get_running_loop().time()
