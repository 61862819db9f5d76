"""`zvonok check`: what these settings open to others. An administrator's mistakes, said before somebody finds them."""

import ipaddress
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from zvonok.address import Address
from zvonok.check import Finding, Level
from zvonok.settings import ENV_FILE, Settings

PART: Final = "security"
MIN_AMI_SECRET: Final = 16


def findings(settings: Settings) -> Iterator[Finding]:
    """A warning for each thing that is open and need not be, or one line that says that nothing is."""
    found = [*_file_modes(), *_secrets(settings), *_networks(settings)]
    yield from found
    if not found:
        says = "secrets are kept apart, and nothing listens or is believed beyond this host without need"
        yield Finding(part=PART, what="settings", level=Level.OK, says=says)


def _file_modes() -> Iterator[Finding]:
    path = Path(os.environ.get(ENV_FILE) or ".env")
    try:
        status = path.stat()
    except OSError:
        return
    if stat.S_ISREG(status.st_mode) and status.st_mode & 0o027:
        todo = f"chmod 0640 {path} (owner root, group zvonok where the services run)"
        yield _warning("settings file", f"{path} holds secrets, and others may read or change it", todo)


def _secrets(settings: Settings) -> Iterator[Finding]:
    named = {
        name: secret
        for name in ("AUTH_SECRET", "INTAKE_SECRET", "AMI_SECRET", "METRICS_TOKEN")
        if (secret := getattr(settings, name.lower()))
    }
    by_value: dict[str, list[str]] = {}
    for name, secret in named.items():
        by_value.setdefault(secret, []).append(f"ZVONOK_{name}")
    for same in by_value.values():
        if len(same) > 1:
            todo = "give each its own: openssl rand -hex 32"
            yield _warning("secrets", f"{' and '.join(same)} are the same, so who knows one knows the other", todo)
    if settings.ami_secret and (len(settings.ami_secret) < MIN_AMI_SECRET or settings.ami_secret == "CHANGE-ME"):  # noqa: S105
        todo = "change it in manager.conf and here: openssl rand -hex 32"
        yield _warning("AMI secret", f"ZVONOK_AMI_SECRET has fewer than {MIN_AMI_SECRET} characters", todo)


def _networks(settings: Settings) -> Iterator[Finding]:
    if not _is_local(settings.http_listen):
        says = f"ZVONOK_HTTP_LISTEN {settings.http_listen} is open to the network, and tokens travel there in the clear"
        yield _warning("users' port", says, "listen on 127.0.0.1, with TLS before it: operate/nginx.conf")
    if not _is_local(settings.intake_listen):
        says = f"ZVONOK_INTAKE_LISTEN {settings.intake_listen} is open to the network"
        yield _warning("intake", says, "let the firewall pass the PBX hosts alone, and TLS or a VPN between them")
    url = urlsplit(settings.notifier_url)
    if url.scheme == "http" and not _is_local(Address(url.hostname or "", url.port or 80)):
        says = f"calls and ZVONOK_INTAKE_SECRET travel to {settings.notifier_url} in the clear"
        yield _warning("notifier", says, "use https:// (a TLS proxy before the intake), or a VPN")
    if settings.ami_host and not _is_local(Address(settings.ami_host, settings.ami_port)):
        says = f"AMI at {settings.ami_host} sends its password and every call in the clear"
        yield _warning("AMI", says, "run zvonok tap on the PBX host itself, or through a VPN")
    for name, networks in (("AGI_ALLOW", settings.agi_allow), ("TRUSTED_PROXIES", settings.trusted_proxies)):
        if wide := [network for network in networks if ipaddress.ip_network(network).prefixlen == 0]:
            yield _warning(name.lower().replace("_", " "), f"ZVONOK_{name} names everybody ({wide[0]})", "name hosts")
    plain = [origin for origin in settings.allowed_origins if origin.startswith("http://") and not _local_page(origin)]
    if plain:
        says = f"pages of {plain[0]} may connect, and whoever is between can change such a page"
        yield _warning("origins", says, "serve the CRM over https and name that in ZVONOK_ALLOWED_ORIGINS")


def _is_local(address: Address) -> bool:
    if address.path is not None or address.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.host).is_loopback
    except ValueError:  # a name: it may lead anywhere
        return False


def _local_page(origin: str) -> bool:
    return _is_local(Address(urlsplit(origin).hostname or ""))


def _warning(what: str, says: str, todo: str) -> Finding:
    return Finding(part=PART, what=what, level=Level.WARNING, says=says, todo=todo)
