"""`zvonok check`: the PBX host: does FastAGI answer, does AMI let us in and no further, is the dialplan loaded?"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fastagi import check_dialplan, check_tap
from fastagi.agi_probe import NoAnswerError, probe
from fastagi.ami_asker import TIMEOUT, AmiAsker, AmiSilenceError
from fastagi.ami_wire import NotAmi
from fastagi.journal import MAX_BYTES
from fastagi.tap_control import SOCKET_NAME
from zvonok.address import Address
from zvonok.check import Finding, Level
from zvonok.settings import Settings

PART: Final = "pbx"
DIALPLAN_TIMEOUT: Final = 15.0  # a big dialplan has tens of thousands of lines
SLOW_SESSION_MS: Final = 100.0
# An AMI user that may do one of these could place calls, run programs or rewrite the configuration.
TOO_MUCH: Final = frozenset({"originate", "command", "updateconfig", "redirect", "getconfig"})

# What a list action answers with. CoreShowChannels is what the tap resyncs by.
_WANTED: Final = ("ListDialplan", "ShowDialPlanComplete", "CoreShowChannel", "CoreShowChannelsComplete")


def findings(settings: Settings) -> Iterator[Finding]:
    """What this host's FastAGI server and PBX say; nothing is changed there."""
    if not settings.ami_host:
        yield _finding("AMI", Level.SKIPPED, "ZVONOK_AMI_HOST is not set: no PBX is served from this host")
        return
    yield _fastagi(settings.agi_listen)
    yield from _space(settings.state_dir)
    tap = check_tap.ask(settings.runtime_dir / SOCKET_NAME)
    standing = None if isinstance(tap, Finding) else tap.standing
    yield from _ami(settings, announced=standing.announced if standing else 0)
    if isinstance(tap, Finding):
        yield tap
    else:
        yield from check_tap.judge(tap)


def _dialplan(ami: AmiAsker, listen: Address, announced: int) -> Iterator[Finding]:
    agi = ami.ask("Getvar", ("Variable", "ZVONOK_AGI")).headers.get("Value")
    try:
        entries, _ = ami.ask_list("ShowDialPlan", seconds=DIALPLAN_TIMEOUT)
    except AmiSilenceError:  # the connection is of no more use, and nothing is asked after this
        says = f"all of it could not be read in {DIALPLAN_TIMEOUT:g} s; by hand: asterisk -rx 'dialplan show zvonok'"
        yield _finding("dialplan", Level.SKIPPED, says)
        return
    yield from check_dialplan.judge(entries, agi, listen, announced=announced)


def _fastagi(listen: Address) -> Finding:
    todo = "is zvonok fastagi running? See: journalctl -u zvonok-fastagi -n 50; calls go on without it"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104 - asked, not bound
    try:
        took = probe(Address(host, listen.port), timeout=TIMEOUT) * 1000
    except NoAnswerError as exc:
        return _finding("FastAGI", Level.FAILED, str(exc), todo)
    says = f"a session at {listen} took {took:.1f} ms"
    if took > SLOW_SESSION_MS:
        return _finding("FastAGI", Level.WARNING, says, "each announced call waits so long: is the host overloaded?")
    return _finding("FastAGI", Level.OK, says)


def _space(state_dir: Path) -> Iterator[Finding]:
    """Whether the journal has room; the directory is the tap's to make, and `check` may not be allowed to see it."""
    place = next((path for path in (state_dir, *state_dir.parents) if path.is_dir()), None)
    try:
        free = shutil.disk_usage(place).free if place is not None else None
    except OSError:
        return
    if free is not None and free < MAX_BYTES:
        says = f"{free // 1_000_000} MB are free at {place}; while the database is away the journal takes up to"
        todo = f"make room (df -h {place}); without it calls are shown, but the history of an outage is lost"
        yield _finding("disk", Level.WARNING, f"{says} {MAX_BYTES // 1_000_000} MB", todo)


def _ami(settings: Settings, *, announced: int) -> Iterator[Finding]:
    assert settings.ami_host is not None
    where = f"{settings.ami_host}:{settings.ami_port}"
    if not settings.ami_secret:
        todo = "set it to the secret in manager.conf (dialplan/manager.d/zvonok.conf)"
        yield _finding("AMI", Level.FAILED, "ZVONOK_AMI_SECRET is not set", todo)
        return
    try:
        with AmiAsker(settings.ami_host, settings.ami_port, wanted=_WANTED) as ami:
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
            yield from _dialplan(ami, settings.agi_listen, announced)
    except (OSError, NotAmi, AmiSilenceError) as exc:
        todo = "is Asterisk running, `enabled = yes` in manager.conf, and are ZVONOK_AMI_HOST and _PORT its address?"
        yield _finding("AMI", Level.FAILED, f"{where}: {exc}", todo)


def _rights(ami: AmiAsker) -> Iterator[Finding]:
    status = ami.ask("CoreStatus")
    _, channels = ami.ask_list("CoreShowChannels")
    for name, answer in (("CoreStatus", status), ("CoreShowChannels", channels)):
        if not answer.succeeded:
            todo = "give the user `write = reporting` (dialplan/manager.d/zvonok.conf), then `manager reload`"
            said = answer.headers.get("Message", "no reason given")
            yield _finding("AMI rights", Level.FAILED, f"{name} is refused: {said}", todo)
            return
    allowed = {name.lower() for name in ami.ask("ListCommands").headers}
    too_much = sorted(allowed & TOO_MUCH)
    if too_much:
        todo = "`write = reporting` is enough: see dialplan/manager.d/zvonok.conf"
        yield _finding("AMI rights", Level.WARNING, f"it may do more than it needs: {', '.join(too_much)}", todo)
    else:
        up = status.headers.get("CoreStartupDate", "?"), status.headers.get("CoreStartupTime", "?")
        yield _finding("AMI rights", Level.OK, f"reporting and no more; Asterisk is up since {' '.join(up)}")


def _finding(what: str, level: Level, says: str, todo: str | None = None) -> Finding:
    return Finding(part=PART, what=what, level=level, says=says, todo=todo)
