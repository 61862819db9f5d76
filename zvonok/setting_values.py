"""What a setting's text must be, and what it becomes. Each parser raises ValueError that says what it should be."""

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from zvonok.address import parse_address

MIN_SECRET_BYTES: Final = 32
_MIN_DIFFERENT: Final = 8  # characters; of 32 random hexadecimal digits hardly ever fewer than 10 are


def plain_text(text: str) -> str:
    """Any text of one line. Raises ValueError."""
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise ValueError("must not have control characters or line breaks")
    return text


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise ValueError("must be a port from 1 to 65535")
    return int(text)


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"must be a number of seconds from {low:g} to {high:g}") from None
        if not low <= value <= high:
            raise ValueError(f"must be from {low:g} to {high:g} seconds")
        return value

    return parse


def _secret(text: str) -> str:
    if len(plain_text(text).encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"must have at least {MIN_SECRET_BYTES} bytes; make one with: openssl rand -hex 32")
    if len(set(text)) < _MIN_DIFFERENT:
        raise ValueError("repeats a few characters and can be guessed; make one with: openssl rand -hex 32")
    return text


def _networks(text: str) -> tuple[str, ...]:
    out = []
    for part in filter(None, re.split(r"[,\s]+", text)):
        try:
            out.append(str(ipaddress.ip_network(part, strict=False)))
        except ValueError:
            raise ValueError(
                f"{part[:60]!r} is not an IP address or network, such as 10.0.0.5 or 10.0.0.0/24"
            ) from None
    return tuple(out)


def _web_address(text: str) -> SplitResult | None:
    """`http(s)://host[:port]` and nothing behind it, else None."""
    try:
        url = urlsplit(text)
        good = url.scheme in ("http", "https") and url.hostname and (url.port is None or url.port > 0)
    except ValueError:  # brackets that are no IPv6 address, a port that is no number
        return None
    return url if good and url.path in ("", "/") and not url.query and not url.fragment else None


def _origins(text: str) -> tuple[str, ...]:
    out = []
    for part in filter(None, re.split(r"[,\s]+", text)):
        url = _web_address(part)
        if url is None or url.username is not None:
            raise ValueError(f"{part[:60]!r} is not an origin, such as https://crm.example.ru")
        out.append(f"{url.scheme}://{url.netloc}".lower())
    return tuple(out)


def _database_url(text: str) -> str:
    if not plain_text(text).startswith(("postgresql://", "postgres://")):
        raise ValueError("must be a URL such as postgresql://zvonok:PASSWORD@127.0.0.1/crm")
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise ValueError("has a % that stands for nothing; write a % in the password as %25")
    # libpq would take a part of the password for the host, and name it in its error.
    place, _, _ = text.partition("://")[2].partition("?")
    authority, _, path = place.partition("/")
    if authority.count("@") > 1 or "@" in path:
        raise ValueError("its password holds a @ or a /; write @ as %40, / as %2F, : as %3A")
    if authority.count("[") != authority.count("]"):
        raise ValueError("has a [ without its ]; write [ in the password as %5B and ] as %5D")
    return text


def _host(text: str) -> str:
    if re.search(r"[\s/@\[\]]", plain_text(text)) or re.fullmatch(r"[^:]*:\d+", text):
        raise ValueError("must be a host name or an address alone; the port goes into ZVONOK_AMI_PORT")
    return text


def _notifier_url(text: str) -> str:
    if text.startswith("unix:"):
        parse_address(text)
        return text
    url = _web_address(plain_text(text))
    if url is None:
        raise ValueError("must be http(s)://host:port, or unix:/path")
    if url.username is not None:
        raise ValueError("must not hold a user or password: ZVONOK_INTAKE_SECRET is what the notifier asks for")
    return text.rstrip("/")


def _nats_url(text: str) -> str:
    seen = []
    for part in plain_text(text).split(","):
        try:
            url = urlsplit(part.strip())
            good = url.scheme in ("nats", "tls") and url.hostname and url.port and not (url.path or url.query)
        except ValueError:  # brackets that are no IPv6 address, a port that is no number
            good = False
        if not good or part.count("@") > 1:
            raise ValueError(
                "must be nats://host:port or tls://user:password@host:port, one for each server, with commas between; "
                "write @ in the password as %40, : as %3A, / as %2F, a comma as %2C"
            )
        seen.append(url.scheme)
    if len(set(seen)) > 1:
        raise ValueError("must not mix nats:// and tls://: a password would go over the network unprotected")
    return text


def _card_url(text: str) -> str:
    plain_text(text)
    if not text.startswith(("http://", "https://")):
        raise ValueError("must be an http(s) URL with {kind}, {id} or {number} in it")
    unknown = set(re.findall(r"\{([^{}]*)\}", text)) - {"kind", "id", "number"}
    if unknown or text.count("{") != text.count("}"):
        raise ValueError("may have {kind}, {id} and {number} in braces, nothing else")
    return text


def _public_key(text: str) -> str:
    text = text.replace("\\n", "\n")
    if "-----BEGIN" not in text or "PUBLIC KEY-----" not in text:
        raise ValueError("must be a PEM public key; name its file with ZVONOK_AUTH_PUBLIC_KEY_FILE")
    return text


def _log_level(text: str) -> str:
    level = text.upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
    return level


def _pbx_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", text):
        raise ValueError("must be 1 to 32 letters, digits, '-' or '_'")
    return text


def _directory(text: str) -> Path:
    if not plain_text(text).startswith("/"):
        raise ValueError("must be an absolute path")
    return Path(text)


PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "DATABASE_URL": _database_url,
    "PBX_NAME": _pbx_name,
    "AGI_LISTEN": parse_address,
    "AGI_ALLOW": _networks,
    "AMI_HOST": _host,
    "AMI_PORT": _port,
    "INTAKE_LISTEN": parse_address,
    "NOTIFIER_URL": _notifier_url,
    "INTAKE_SECRET": _secret,
    "HTTP_LISTEN": parse_address,
    "AUTH_SECRET": _secret,
    "AUTH_PUBLIC_KEY": _public_key,
    "ALLOWED_ORIGINS": _origins,
    "TRUSTED_PROXIES": _networks,
    "METRICS_TOKEN": _secret,
    "TAP_METRICS_LISTEN": parse_address,
    "NATS_URL": _nats_url,
    "NATS_CA": _directory,
    "CRM_CARD_URL": _card_url,
    "STATE_DIR": _directory,
    "RUNTIME_DIR": _directory,
    "LOG_LEVEL": _log_level,
    "CACHE_TTL": _seconds(1, 86_400),
    "RECENT_TTL": _seconds(10, 86_400),
    "RING_WATCHDOG": _seconds(5, 3_600),
}
"""By the variable's name without its prefix; what is not here is any text of one line."""
