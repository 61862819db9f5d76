"""Settings: `ZVONOK_*` from the environment, systemd's credentials and `.env`, read once, frozen, passed in.

Every problem is reported at once, by the variable's name; a secret's value is never printed. The environment wins over
a credential file, that over `.env`. `ZVONOK_X_FILE` names a file that holds the value of `ZVONOK_X`, and
`ZVONOK_ENV_FILE` the file to read instead of `.env` (an installed service: /etc/zvonok/zvonok.env).
"""

import difflib
import io
import ipaddress
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
from dotenv.parser import parse_stream

from zvonok.errors import SettingsError

PREFIX: Final = "ZVONOK_"
ENV_FILE: Final = PREFIX + "ENV_FILE"
MIN_SECRET_BYTES: Final = 32
_MIN_DIFFERENT: Final = 8  # characters; of 32 random hexadecimal digits hardly ever fewer than 10 are
_GUESSED: Final = 5  # with more unknown names than that, nothing is guessed
# A password in an URL, a generated key, a line that swallowed another: not to be shown in whichever variable it is.
_LIKE_A_SECRET: Final = re.compile(r"@|[0-9A-Fa-f]{32}|SECRET|TOKEN|PASSWORD")
_TOOLS: Final = ("TEST_", "LAB_", "DEMO_")  # variables of the test and demo tools: not ours to judge
SECRETS: Final = frozenset(
    {"DATABASE_URL", "AMI_SECRET", "INTAKE_SECRET", "AUTH_SECRET", "AUTH_PUBLIC_KEY", "METRICS_TOKEN", "NATS_URL"}
)


class Address(msgspec.Struct, frozen=True):
    """Where to listen or connect: `host:port`, or `unix:PATH` (then `path` is set and the others are empty)."""

    host: str = ""
    port: int = 0
    path: str | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings; a field's name in upper case, after `ZVONOK_`, is its variable. Durations are seconds."""

    database_url: str | None = None
    pbx_name: str = "pbx"
    agi_listen: Address = Address("127.0.0.1", 4573)
    agi_allow: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    ami_host: str | None = None
    ami_port: int = 5038
    ami_user: str = "zvonok"
    ami_secret: str | None = None
    intake_listen: Address = Address("127.0.0.1", 5005)
    notifier_url: str = "http://127.0.0.1:5005"
    intake_secret: str | None = None
    http_listen: Address = Address("127.0.0.1", 5004)
    auth_secret: str | None = None
    auth_public_key: str | None = None
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    metrics_token: str | None = None
    tap_metrics_listen: Address | None = None
    nats_url: str | None = None
    nats_ca: Path | None = None
    crm_card_url: str | None = None
    state_dir: Path = Path("/var/lib/zvonok")
    runtime_dir: Path = Path("/run/zvonok")
    log_level: str = "INFO"
    cache_ttl: float = 300.0
    recent_ttl: float = 600.0
    ring_watchdog: float = 120.0

    def __repr__(self) -> str:
        shown = (
            f"{field.name}={'<hidden>' if value and field.name.upper() in SECRETS else repr(value)}"
            for field in msgspec.structs.fields(type(self))
            if (value := getattr(self, field.name)) != field.default
        )
        return f"Settings({', '.join(shown)})"

    def secret_texts(self) -> tuple[str, ...]:
        """Everything in these settings that must not be seen, passwords in URLs by themselves as well."""
        texts = {getattr(self, name.lower()) for name in SECRETS} - {self.auth_public_key, self.nats_url, None}
        for url in (self.database_url, *(self.nats_url or "").split(",")):
            texts |= {quoted for quoted in (_password(url),) if quoted} | {unquote(_password(url) or "")}
        return tuple(sorted((text for text in texts if text), key=len, reverse=True))

    def variables(self) -> dict[str, str]:
        """The environment that loads these settings again, for a child process: defaults are left out."""
        out: dict[str, str] = {}
        for field in msgspec.structs.fields(type(self)):
            value = getattr(self, field.name)
            if value is None or value == field.default:
                continue
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            out[PREFIX + field.name.upper()] = text
        return out


def load(environ: Mapping[str, str] | None = None, *, needs: Iterable[str] = ()) -> Settings:
    """The settings, checked. `needs` names the variables (without prefix) that the caller cannot do without.

    `A|B` in `needs` asks for one of both. The file is `.env` in the working directory, or what ZVONOK_ENV_FILE names
    (which must then be there). Raises `SettingsError` with one line for each wrong, missing or unknown variable.
    """
    environ = os.environ if environ is None else environ
    problems: list[str] = []
    raw = _collect(environ, problems)
    known = names()
    unknown = [name for name in sorted(raw) if name not in known and not name.startswith(_TOOLS)]
    problems += [
        f"{PREFIX}{_named(name)}: no such setting; {_meant(name, known if len(unknown) <= _GUESSED else ())}"
        for name in unknown
    ]
    values: dict[str, Any] = {}
    for name in sorted(known & raw.keys()):
        text = raw[name].strip()
        if not text:
            continue
        try:
            values[name.lower()] = _PARSERS.get(name, _text)(text)
        except ValueError as exc:
            shown = "" if name in SECRETS or _LIKE_A_SECRET.search(text) else f" (is {text[:80]!r})"
            problems.append(f"{PREFIX}{name}: {exc}{shown}")
    wrong = {problem.split(":", 1)[0].removesuffix("_FILE") for problem in problems}
    for name in needs:
        either = name.split("|")
        if not any(part.lower() in values or PREFIX + part in wrong for part in either):
            wanted = " or ".join(PREFIX + part for part in either)
            problems.append(f"{wanted}: is not set; {_HINTS.get(either[0], 'set it in the environment or in .env')}")
    if problems:
        raise SettingsError(problems)
    return Settings(**values)


def _named(name: str) -> str:
    """An unknown name for a message: as far as it looks like one, because a value may be in it (a lost `=`)."""
    plain = re.match(r"[A-Z_]{0,40}", name)
    assert plain is not None
    return name if plain[0] == name else f"{plain[0]}... (is a = missing?)"


def names() -> frozenset[str]:
    """Every setting's name, without the prefix."""
    return frozenset(field.name.upper() for field in msgspec.structs.fields(Settings))


def _meant(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name[:60], known, n=1, cutoff=0.75)
    return f"is {PREFIX}{close[0]} meant?" if close else "docs/settings.md has all of them"


def _collect(environ: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    known = names()
    raw: dict[str, str] = {}
    named = environ.get(ENV_FILE, "").strip()
    if named:
        raw.update(_read_env_file(Path(named), problems))
    elif Path(".env").is_file():
        raw.update(_read_env_file(Path(".env"), problems))
    directory = environ.get("CREDENTIALS_DIRECTORY")
    for path in _credentials(Path(directory), problems) if directory else []:
        # zvonok_ami_secret as systemd hands it over; ami_secret as it lies in /etc/zvonok/credentials
        name = path.name.upper().removeprefix(PREFIX)
        if name in known or path.name.upper().startswith(PREFIX):
            raw[name] = _read(path, PREFIX + name, problems)
    raw.update({k[len(PREFIX) :]: v for k, v in environ.items() if k.startswith(PREFIX) and k != ENV_FILE})
    for name in [n for n in raw if n.endswith("_FILE") and n.removesuffix("_FILE") in known]:
        path_text = raw.pop(name).strip()
        if path_text:
            raw.setdefault(name.removesuffix("_FILE"), _read(Path(path_text), PREFIX + name, problems))
    return raw


def _credentials(directory: Path, problems: list[str]) -> list[Path]:
    try:
        return [path for path in sorted(directory.iterdir()) if path.is_file()]
    except (OSError, ValueError) as exc:
        problems.append(f"CREDENTIALS_DIRECTORY: {directory} cannot be read ({_why(exc)}); {_READ_HINT}")
        return []


def _read_env_file(path: Path, problems: list[str]) -> dict[str, str]:
    """The `ZVONOK_*` lines of an env file; a line that is no `NAME=value` is a problem, not a lost setting."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as exc:
        problems.append(f"{path}: cannot be read ({_why(exc)}); {_READ_HINT}")
        return {}
    found: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            problems.append(f"{path}, line {binding.original.line}: is not NAME=value; fix the line or put # before it")
        elif binding.key is not None and binding.key.startswith(PREFIX) and binding.key != ENV_FILE:
            found[binding.key[len(PREFIX) :]] = binding.value or ""
    return found


def _read(path: Path, variable: str, problems: list[str]) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError, ValueError) as exc:
        problems.append(f"{variable}: the file cannot be read ({_why(exc)}); {_READ_HINT}")
        return ""


def _why(exc: Exception) -> str:
    return exc.strerror or type(exc).__name__ if isinstance(exc, OSError) else "it is not UTF-8 text"


def _text(text: str) -> str:
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise ValueError("must not have control characters or line breaks")
    return text


def _password(url: str | None) -> str | None:
    try:
        return urlsplit(url).password if url else None
    except ValueError:
        return None


def parse_address(text: str) -> Address:
    """An `Address` from `host:port`, `[v6]:port` or `unix:/path`. Raises ValueError."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/"):
            raise ValueError("unix: takes an absolute path, such as unix:/run/zvonok/intake.sock")
        return Address(path=path)
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/\[\]]+)):(\d{1,5})", text)
    if match is None or not 0 <= int(match[3]) <= 65535:
        raise ValueError("must be host:port with a port up to 65535, or unix:/path")
    return Address(match[1] or match[2], int(match[3]))


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
    if len(_text(text).encode()) < MIN_SECRET_BYTES:
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
    if not _text(text).startswith(("postgresql://", "postgres://")):
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
    if re.search(r"[\s/@\[\]]", _text(text)) or re.fullmatch(r"[^:]*:\d+", text):
        raise ValueError("must be a host name or an address alone; the port goes into ZVONOK_AMI_PORT")
    return text


def _notifier_url(text: str) -> str:
    if text.startswith("unix:"):
        parse_address(text)
        return text
    url = _web_address(_text(text))
    if url is None:
        raise ValueError("must be http(s)://host:port, or unix:/path")
    if url.username is not None:
        raise ValueError("must not hold a user or password: ZVONOK_INTAKE_SECRET is what the notifier asks for")
    return text.rstrip("/")


def _nats_url(text: str) -> str:
    seen = []
    for part in _text(text).split(","):
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
    _text(text)
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
    if not _text(text).startswith("/"):
        raise ValueError("must be an absolute path")
    return Path(text)


_READ_HINT: Final = "mend it, or run this as root or as its owner"

_PARSERS: Final[dict[str, Callable[[str], Any]]] = {
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

_HINTS: Final[dict[str, str]] = {
    "DATABASE_URL": "set it to the CRM's database, such as postgresql://zvonok:PASSWORD@127.0.0.1/crm",
    "AMI_HOST": "set it to the PBX's address, usually 127.0.0.1",
    "AMI_SECRET": "set it to the secret of the manager.conf user (dialplan/manager.d/zvonok.conf)",
    "INTAKE_SECRET": "make one with: openssl rand -hex 32; the tap and the notifier share it",
    "AUTH_SECRET": "make one with: openssl rand -hex 32; the CRM signs its users' tokens with it",
}
