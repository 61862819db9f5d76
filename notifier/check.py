"""`zvonok check`: is the notifier reachable for the tap, and for the users, and does it fit?"""

import asyncio
from collections.abc import Iterator
from typing import Final

import aiohttp
import msgspec

from notifier.status import Status
from zvonok.address import Address, parse_address
from zvonok.check import Finding, Level
from zvonok.cli import package_version
from zvonok.settings import Settings

PART: Final = "notifier"
CLOCK_WARNING_MS: Final = 1_000
TWO_TAPS: Final = 3
_TIMEOUT: Final = aiohttp.ClientTimeout(total=3.0)


def findings(settings: Settings) -> Iterator[Finding]:
    """What the tap and the users find at the notifier's two listeners."""
    if settings.nats_url and not (settings.auth_secret or settings.auth_public_key):
        yield _finding("users", Level.SKIPPED, "no ZVONOK_AUTH_SECRET here: no notifier of the cluster is on this host")
        return
    yield from asyncio.run(_intake(settings))
    yield from asyncio.run(_users(settings))


async def _intake(settings: Settings) -> list[Finding]:
    where = settings.notifier_url
    if not settings.intake_secret:
        todo = "put the same ZVONOK_INTAKE_SECRET on the PBX host and on the notifier's"
        return [_finding("intake", Level.FAILED, "ZVONOK_INTAKE_SECRET is not set", todo)]
    path = parse_address(where).path if where.startswith("unix:") else None
    url = ("http://notifier" if path is not None else where) + "/intake/v1"
    try:
        code, body = await _get(url, path=path, token=settings.intake_secret)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
        todo = "is zvonok notifier running there, and is ZVONOK_NOTIFIER_URL its ZVONOK_INTAKE_LISTEN?"
        return [_finding("intake", Level.FAILED, f"{where} does not answer ({_said(exc)})", todo)]
    if code == 401:
        todo = "make ZVONOK_INTAKE_SECRET the same on the PBX host and on the notifier's, and restart both"
        return [_finding("intake", Level.FAILED, f"{where} refuses our secret", todo)]
    try:
        status = msgspec.json.decode(body, type=Status)
    except msgspec.DecodeError:
        todo = "ZVONOK_NOTIFIER_URL must be the notifier's intake (its ZVONOK_INTAKE_LISTEN), not the users' port"
        return [_finding("intake", Level.FAILED, f"{where} answers {code}, but not as our notifier", todo)]
    return [
        _finding("intake", Level.OK, f"{where} takes our secret; {status.sockets} pages are connected"),
        _version(status.version),
        *judge(settings, status),
    ]


def judge(settings: Settings, status: Status) -> Iterator[Finding]:
    """What the notifier's own view says about the database and this host's PBX. Pure."""
    if status.database == "none":
        todo = "set ZVONOK_DATABASE_URL on its host: users see neither their numbers nor their history"
        yield _finding("database", Level.WARNING, "the notifier has no database", todo)
    elif status.database != "up":
        todo = "look at its log, and at ZVONOK_DATABASE_URL on its host; valid tokens are enough meanwhile"
        yield _finding("database", Level.WARNING, "the notifier cannot reach its database", todo)
    if not settings.ami_host:
        return
    name = settings.pbx_name
    ours = next((pbx for pbx in status.pbxs if pbx.name == name), None)
    if ours is None or not ours.up:
        seen = "has not heard" if ours is None else "no longer hears"
        todo = "is zvonok tap running on this host? Its log says how it stands with the notifier"
        yield _finding("pbx", Level.FAILED, f"the notifier {seen} PBX {name}", todo)
        return
    if ours.two_taps >= TWO_TAPS:
        todo = "stop the second tap, or give it a ZVONOK_PBX_NAME of its own"
        yield _finding("pbx", Level.FAILED, f"two taps send as PBX {name}; the older one's calls are dropped", todo)
    elif not ours.complete:
        todo = "the tap is not in step with AMI: see the findings of the PBX"
        yield _finding("pbx", Level.WARNING, f"the notifier hears PBX {name}, but not all of its calls", todo)
    else:
        yield _finding("pbx", Level.OK, f"the notifier hears PBX {name} and holds all of its calls")
    offset = ours.clock_offset_ms
    if abs(offset) > CLOCK_WARNING_MS:
        side = "behind" if offset > 0 else "ahead of"
        todo = "run NTP on both hosts (timedatectl set-ntp true); cards are corrected, history times are the PBX's"
        says = f"the PBX's clock is {abs(offset) / 1000:.1f} s {side} the notifier's"
        yield _finding("clock", Level.WARNING, says, todo)
    else:
        yield _finding(
            "clock", Level.OK, f"the PBX's clock and the notifier's agree within {CLOCK_WARNING_MS / 1000:g} s"
        )


async def _users(settings: Settings) -> list[Finding]:
    if not (settings.auth_secret or settings.auth_public_key):
        return [_finding("users", Level.SKIPPED, "no ZVONOK_AUTH_SECRET here: this host serves no users")]
    listen = settings.http_listen
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104 - asked, not bound
    url = "http://notifier" if listen.path is not None else f"http://{Address(host, listen.port)}"
    try:
        code, _ = await _get(url + "/readyz", path=listen.path)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
        todo = "is zvonok notifier running? See: journalctl -u zvonok-notifier -n 50"
        return [_finding("users", Level.FAILED, f"the users' port {listen} does not answer ({_said(exc)})", todo)]
    if code != 200:
        todo = "it is stopping, or something else listens there"
        return [_finding("users", Level.FAILED, f"the users' port {listen} answers {code} to /readyz", todo)]
    return [_finding("users", Level.OK, f"the users' port {listen} is ready")]


def _version(theirs: str) -> Finding:
    ours = package_version()
    if theirs == ours:
        return _finding("version", Level.OK, f"{ours}, the same on both sides")
    todo = "install the same version on all hosts (the PBX host first or last, either works meanwhile)"
    return _finding("version", Level.WARNING, f"the notifier is {theirs}, this host is {ours}", todo)


async def _get(url: str, *, path: str | None, token: str | None = None) -> tuple[int, bytes]:
    connector = aiohttp.UnixConnector(path) if path is not None else aiohttp.TCPConnector()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT, headers=headers) as session,
        session.get(url, allow_redirects=False) as response,
    ):
        return response.status, await response.content.read(65_536)


def _said(exc: Exception) -> str:
    return str(exc) or type(exc).__name__


def _finding(what: str, level: Level, says: str, todo: str | None = None) -> Finding:
    return Finding(part=PART, what=what, level=level, says=says, todo=todo)
