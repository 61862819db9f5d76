"""Whose request or connection is it? The peer's address, or what a proxy that we trust says of it. Pure.

Limits count by it. Only a proxy in ZVONOK_TRUSTED_PROXIES is believed, and only as far as its own sight: of
X-Forwarded-For the last address that is not one of ours counts, because everything before it is the client's own claim.
"""

import ipaddress
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

LOCAL: Final = "local"
"""A peer on a unix socket: whoever may open it, so a proxy of this host."""


def trust(networks: Iterable[str]) -> Callable[[str], bool]:
    """Whether an address is a trusted proxy's; one on a unix socket always is."""
    trusted = [ipaddress.ip_network(network) for network in networks]

    @lru_cache(maxsize=1024)
    def is_trusted(address: str) -> bool:
        parsed = _parsed(address)
        return address == LOCAL or (parsed is not None and any(parsed in network for network in trusted))

    return is_trusted


def client_address(peer: str | None, forwarded: Iterable[str], is_trusted: Callable[[str], bool]) -> str:
    """The address that limits count by: `peer` is the connection's, `forwarded` its X-Forwarded-For headers."""
    address = peer or LOCAL
    hops = [hop.strip() for header in forwarded for hop in header.split(",")]
    while hops and is_trusted(address):
        address = hops.pop() or address
    return counted_as(address)


@lru_cache(maxsize=4096)
def counted_as(address: str) -> str:
    """The name under which an address is counted: an IPv6 peer by its /64, which is one customer's."""
    parsed = _parsed(address)
    if parsed is None:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed
