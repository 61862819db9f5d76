"""Settings: `ZVONOK_*` from the environment, systemd's credentials and `.env`, read once, frozen, passed in.

Every problem is reported at once, by the variable's name; a secret's value is never printed. The environment wins over
a credential file, that over `.env`. `ZVONOK_X_FILE` names a file that holds the value of `ZVONOK_X`, and
`ZVONOK_ENV_FILE` the file to read instead of `.env` (an installed service: /etc/zvonok/zvonok.env).
"""

import difflib
import io
import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import msgspec
from dotenv.parser import parse_stream

from zvonok.address import Address
from zvonok.errors import SettingsError
from zvonok.setting_values import PARSERS, plain_text

PREFIX: Final = "ZVONOK_"
ENV_FILE: Final = PREFIX + "ENV_FILE"
_GUESSED: Final = 5  # with more unknown names than that, nothing is guessed
# A password in an URL, a generated key, a line that swallowed another: not to be shown in whichever variable it is.
_LIKE_A_SECRET: Final = re.compile(r"@|[0-9A-Fa-f]{32}|SECRET|TOKEN|PASSWORD")
_TOOLS: Final = ("TEST_", "LAB_", "DEMO_")  # variables of the test and demo tools: not ours to judge
SECRETS: Final = frozenset(
    {"DATABASE_URL", "AMI_SECRET", "INTAKE_SECRET", "AUTH_SECRET", "AUTH_PUBLIC_KEY", "METRICS_TOKEN", "NATS_URL"}
)


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
            values[name.lower()] = PARSERS.get(name, plain_text)(text)
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


def _password(url: str | None) -> str | None:
    try:
        return urlsplit(url).password if url else None
    except ValueError:
        return None


_READ_HINT: Final = "mend it, or run this as root or as its owner"

_HINTS: Final[dict[str, str]] = {
    "DATABASE_URL": "set it to the CRM's database, such as postgresql://zvonok:PASSWORD@127.0.0.1/crm",
    "AMI_HOST": "set it to the PBX's address, usually 127.0.0.1",
    "AMI_SECRET": "set it to the secret of the manager.conf user (dialplan/manager.d/zvonok.conf)",
    "INTAKE_SECRET": "make one with: openssl rand -hex 32; the tap and the notifier share it",
    "AUTH_SECRET": "make one with: openssl rand -hex 32; the CRM signs its users' tokens with it",
}
