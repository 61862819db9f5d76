"""Who may read the metrics: programs of this host, and who shows ZVONOK_METRICS_TOKEN. Pure.

Behind a reverse proxy of this host everybody comes from its loopback. So a request counts as local only if no header
says that it was passed on, and if it names this host the local way: a proxy that says nothing of itself still asks for
the name that the browser asked for (and so does a browser whose page had its name pointed at the loopback).
"""

import hmac
import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

_PASSED_ON: Final = (
    "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server", "X-Real-IP",
)  # fmt: skip


def may_watch(remote: str | None, headers: Mapping[str, str], *, token: str | None, over_unix: bool = False) -> bool:
    """Whether a request may see metrics.

    `remote` is the peer's address and `headers` look up names in any case. `over_unix`: what is said to a request that
    came over a unix socket, whose permissions have decided already.
    """
    scheme, _, shown = headers.get("Authorization", "").partition(" ")
    if token is not None and scheme.lower() == "bearer":
        return same_secret(shown, token)
    if any(name in headers for name in _PASSED_ON):
        return False
    if not remote:
        return over_unix
    return _is_loopback(remote) and _is_local_name(headers.get("Host", ""))


def same_secret(shown: str, secret: str) -> bool:
    """Whether both are the same, in a time that does not tell how much of it is right. Anything may be shown."""
    return hmac.compare_digest(shown.strip().encode(errors="surrogateescape"), secret.encode())


@lru_cache(maxsize=1024)
def _is_local_name(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or _is_loopback(name)


@lru_cache(maxsize=1024)
def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
