"""`zvonok check`: the PBX host: does FastAGI answer, does AMI let us in and no further, is the dialplan loaded?"""

import itertools
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

import msgspec

from fastagi.agi_probe import NoAnswerError, probe
from fastagi.ami_wire import AmiParser, Banner, Message, NotAmi, encode_action
from fastagi.tap_control import SOCKET_NAME, WhyAnswer, WhyQuestion
from zvonok.check import Finding, Level
from zvonok.errors import ZvonokError
from zvonok.settings import Address, Settings, parse_address

PART: Final = "pbx"
SLOW_SESSION_MS: Final = 100.0
DEFAULT_AGI: Final = "127.0.0.1:4573"  # dialplan/zvonok.conf, where ZVONOK_AGI is not set
CONTEXT: Final = "zvonok"
# An AMI user that may do one of these could place calls, run programs or rewrite the configuration.
TOO_MUCH: Final = frozenset({"originate", "command", "updateconfig", "redirect", "getconfig"})

_TIMEOUT: Final = 3.0


def findings(settings: Settings) -> Iterator[Finding]:
    """What this host's FastAGI server and PBX say; nothing is changed there."""
    if not settings.ami_host:
        yield _finding("AMI", Level.SKIPPED, "ZVONOK_AMI_HOST is not set: no PBX is served from this host")
        return
    yield _fastagi(settings.agi_listen)
    yield from _ami(settings)
    yield from _tap(settings.runtime_dir / SOCKET_NAME)


def _fastagi(listen: Address) -> Finding:
    todo = "is zvonok fastagi running? See: journalctl -u zvonok-fastagi -n 50; calls go on without it"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104 - asked, not bound
    try:
        took = probe(Address(host, listen.port), timeout=_TIMEOUT) * 1000
    except NoAnswerError as exc:
        return _finding("FastAGI", Level.FAILED, str(exc), todo)
    says = f"a session at {listen} took {took:.1f} ms"
    if took > SLOW_SESSION_MS:
        return _finding("FastAGI", Level.WARNING, says, "each announced call waits so long: is the host overloaded?")
    return _finding("FastAGI", Level.OK, says)


def _ami(settings: Settings) -> Iterator[Finding]:
    assert settings.ami_host is not None
    where = f"{settings.ami_host}:{settings.ami_port}"
    if not settings.ami_secret:
        todo = "set it to the secret in manager.conf (dialplan/manager.d/zvonok.conf)"
        yield _finding("AMI", Level.FAILED, "ZVONOK_AMI_SECRET is not set", todo)
        return
    try:
        with _Ami(settings.ami_host, settings.ami_port) as ami:
            login = ami.ask(
                "Login", ("Username", settings.ami_user), ("Secret", settings.ami_secret), ("Events", "off")
            )
            if not login.succeeded:
                said = login.headers.get("Message", "no reason given")
                todo = "compare ZVONOK_AMI_USER and _SECRET with manager.conf (and its permit=), then `manager reload`"
                yield _finding("AMI login", Level.FAILED, f"{where} refuses {settings.ami_user}: {said}", todo)
                return
            version = ami.banner.version if ami.banner else "?"
            yield _finding("AMI login", Level.OK, f"{where} lets {settings.ami_user} in (AMI {version})")
            yield from _rights(ami)
            yield from _dialplan(ami, settings.agi_listen)
    except (OSError, NotAmi, AmiSilenceError) as exc:
        todo = "is Asterisk running, `enabled = yes` in manager.conf, and are ZVONOK_AMI_HOST and _PORT its address?"
        yield _finding("AMI", Level.FAILED, f"{where}: {exc}", todo)


def _rights(ami: "_Ami") -> Iterator[Finding]:
    status = ami.ask("CoreStatus")
    if not status.succeeded:
        todo = "give the user `write = reporting` (dialplan/manager.d/zvonok.conf), then `manager reload`"
        said = status.headers.get("Message", "no reason given")
        yield _finding("AMI rights", Level.FAILED, f"CoreStatus is refused: {said}", todo)
        return
    allowed = {name.lower() for name in ami.ask("ListCommands").headers}
    too_much = sorted(allowed & TOO_MUCH)
    if too_much:
        todo = "`write = reporting` is enough: see dialplan/manager.d/zvonok.conf"
        yield _finding("AMI rights", Level.WARNING, f"it may do more than it needs: {', '.join(too_much)}", todo)
    else:
        up = status.headers.get("CoreStartupDate", "?"), status.headers.get("CoreStartupTime", "?")
        yield _finding("AMI rights", Level.OK, f"reporting and no more; Asterisk is up since {' '.join(up)}")


def _dialplan(ami: "_Ami", listen: Address) -> Iterator[Finding]:
    entries, answer = ami.ask_list("ShowDialPlan", ("Context", CONTEXT))
    if not entries:
        todo = "#include zvonok.conf in extensions.conf and `dialplan reload`; until then cards come from AMI alone"
        said = answer.headers.get("Message", "it is empty")
        yield _finding("dialplan", Level.WARNING, f"the context {CONTEXT} is not loaded ({said})", todo)
        return
    if not any("agi://" in entry.headers.get("AppData", "").lower() for entry in entries):
        todo = "compare it with dialplan/zvonok.conf of this version"
        yield _finding("dialplan", Level.WARNING, f"the context {CONTEXT} is loaded, but it does not call AGI()", todo)
        return
    asked = ami.ask("Getvar", ("Variable", "ZVONOK_AGI")).headers.get("Value") or DEFAULT_AGI
    try:
        fits = parse_address(asked).port == listen.port
    except ValueError:
        fits = False
    if fits:
        yield _finding("dialplan", Level.OK, f"the context {CONTEXT} is loaded and asks {asked}")
    else:
        todo = "make the global variable ZVONOK_AGI in extensions.conf and ZVONOK_AGI_LISTEN the same"
        yield _finding("dialplan", Level.FAILED, f"the dialplan asks {asked[:60]}, but we listen on {listen}", todo)


def _tap(path: Path) -> Iterator[Finding]:
    """How the running tap says it stands with the PBX and the notifier."""
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(_TIMEOUT)
            sock.connect(str(path))
            sock.sendall(msgspec.json.encode(WhyQuestion(last=1)) + b"\n")
            said = b"".join(iter(lambda: sock.recv(65_536), b""))
        tap = msgspec.json.decode(said, type=WhyAnswer)
    except PermissionError:
        yield _finding("tap", Level.SKIPPED, f"{path} is not ours to ask", "run this as root or as zvonok")
        return
    except (OSError, msgspec.DecodeError) as exc:
        todo = "is zvonok tap running, and of this version? See: journalctl -u zvonok-tap -n 50; no cards without it"
        yield _finding("tap", Level.FAILED, f"no answer at {path} ({exc})", todo)
        return
    look = "its log says more: journalctl -u zvonok-tap -n 50"
    for what, well, state in (
        ("tap and PBX", tap.ami_up, tap.ami_state),
        ("tap and notifier", tap.notifier_ok, tap.notifier_state),
    ):
        yield _finding(what, Level.OK if well else Level.FAILED, f"the tap says: {state}", None if well else look)


class AmiSilenceError(ZvonokError):
    """AMI did not answer in time, or hung up."""


class _Ami:
    """One AMI connection for a few questions, one at a time, each within `_TIMEOUT` seconds."""

    def __init__(self, host: str, port: int) -> None:
        self._parser = AmiParser(wanted=["ListDialplan", "ShowDialPlanComplete"])
        self._ids = itertools.count(1)
        self._pending: list[Banner | Message] = []
        self._sock = socket.create_connection((host, port), _TIMEOUT)
        self.banner: Banner | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._sock.close()

    def ask(self, action: str, *headers: tuple[str, str]) -> Message:
        """The response to an action. Raises `AmiSilenceError`."""
        ident = self._send(action, headers)
        while True:
            message = self._next(ident)
            if not message.event:
                return message

    def ask_list(self, action: str, *headers: tuple[str, str]) -> tuple[list[Message], Message]:
        """The events of a list, and the response that announced it (which may refuse it)."""
        ident = self._send(action, headers)
        entries: list[Message] = []
        response: Message | None = None
        while True:
            message = self._next(ident)
            if not message.event:
                response = message
                if not message.succeeded:
                    return [], message
            elif message.ends_list:
                assert response is not None
                return entries, response
            else:
                entries.append(message)

    def _send(self, action: str, headers: tuple[tuple[str, str], ...]) -> str:
        ident = f"check-{next(self._ids)}"
        self._deadline = time.monotonic() + _TIMEOUT
        self._sock.sendall(encode_action(action, ident, headers))
        return ident

    def _next(self, ident: str) -> Message:
        while True:
            while self._pending:
                message = self._pending.pop(0)
                if isinstance(message, Banner):
                    self.banner = message
                elif message.action_id == ident:
                    return message
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise AmiSilenceError(f"AMI did not answer within {_TIMEOUT:g} s")
            self._sock.settimeout(left)
            try:
                data = self._sock.recv(65_536)
            except TimeoutError as exc:
                raise AmiSilenceError(f"AMI did not answer within {_TIMEOUT:g} s") from exc
            if not data:
                raise AmiSilenceError("AMI hung up without an answer")
            self._pending.extend(self._parser.receive(data))


def _finding(what: str, level: Level, says: str, todo: str | None = None) -> Finding:
    return Finding(part=PART, what=what, level=level, says=says, todo=todo)
