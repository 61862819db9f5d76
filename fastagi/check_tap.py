"""`zvonok check`: what the running tap says about itself, and about what the PBX tells it."""

import socket
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from fastagi.tap_control import Standing, WhyAnswer, WhyQuestion
from zvonok.check import Finding, Level
from zvonok.cli import package_version
from zvonok.service import mask_number

PART: Final = "pbx"
TIMEOUT: Final = 3.0
SILENT_FASTAGI_S: Final = 30.0
SHOWN: Final = 5

_LOOK: Final = "its log says more: journalctl -u zvonok-tap -n 50"
_READ: Final = "give its AMI user `read = call,agent` (dialplan/manager.d/zvonok.conf), then `manager reload`"


def ask(path: Path) -> WhyAnswer | Finding:
    """The running tap's answer, or why there is none."""
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(TIMEOUT)
            sock.connect(str(path))
            sock.sendall(msgspec.json.encode(WhyQuestion(last=0)) + b"\n")
            said = b"".join(iter(lambda: sock.recv(65_536), b""))
        return msgspec.json.decode(said, type=WhyAnswer)
    except PermissionError:
        return _finding("tap", Level.SKIPPED, f"{path} is not ours to ask", "run this as root or as zvonok")
    except (OSError, msgspec.DecodeError) as exc:
        todo = "is zvonok tap running, and of this version? See: journalctl -u zvonok-tap -n 50; no cards without it"
        return _finding("tap", Level.FAILED, f"no answer at {path} ({exc})", todo)


def judge(tap: WhyAnswer, *, now: float | None = None) -> Iterator[Finding]:
    """What the tap's answer means. Pure, with `now` (Unix seconds)."""
    for what, well, state in (
        ("tap and PBX", tap.ami_up, tap.ami_state),
        ("tap and notifier", tap.notifier_ok, tap.notifier_state),
    ):
        level, todo = (Level.OK, None) if well else (Level.FAILED, _LOOK)
        yield _finding(what, level, f"the tap says: {state}", todo)
    standing = tap.standing
    if standing is None or standing.version != package_version():
        says = f"the running tap is {standing.version if standing else 'older'}, installed is {package_version()}"
        yield _finding("tap", Level.WARNING, says, "systemctl restart zvonok.target")
    if standing is not None:
        if tap.ami_up:
            yield _events(standing)
        yield _fastagi(standing, time.time() if now is None else now)
        yield from _directory_and_history(standing)
        yield from _announced(standing)


def _events(standing: Standing) -> Finding:
    """Whether `read =` of our AMI user is what it should be, as far as that can be known."""
    since = datetime.fromtimestamp((standing.ami_since or 0) / 1000).astimezone().strftime("%d.%m. %H:%M:%S")
    heard = {name: standing.heard.get(name, 0) for name in ("call", "agent")}
    if standing.unheard:
        kept = " and ".join(standing.unheard)
        says = f"channels that the PBX lists were never told of: it keeps the class {kept} from the tap"
        return _finding("AMI events", Level.FAILED if "call" in standing.unheard else Level.WARNING, says, _READ)
    told = f"{heard['call']} of class call and {heard['agent']} of class agent since {since}"
    if not heard["call"]:
        says = f"{told}: whether it may read them shows with the next call (AMI cannot be asked)"
        return _finding("AMI events", Level.SKIPPED, says)
    if not heard["agent"]:
        told += " (agent: shows with the next queue call)"
    return _finding("AMI events", Level.OK, told)


def _fastagi(standing: Standing, now: float) -> Finding:
    if not standing.fastagi_heard:
        todo = "is zvonok fastagi running, with the same ZVONOK_RUNTIME_DIR? See: journalctl -u zvonok-fastagi -n 50"
        return _finding("tap and FastAGI", Level.FAILED, "no FastAGI server ever reached the tap", todo)
    silent = now - standing.fastagi_heard
    if silent > SILENT_FASTAGI_S:
        todo = "see: journalctl -u zvonok-fastagi -n 50; calls go on, and cards come from AMI alone"
        return _finding("tap and FastAGI", Level.FAILED, f"the FastAGI server is silent for {silent:.0f} s", todo)
    return _finding("tap and FastAGI", Level.OK, "announcements reach the tap")


def _directory_and_history(standing: Standing) -> Iterator[Finding]:
    todo = "see the findings of the database; the tap tries again by itself"
    if standing.directory_ready:
        yield _finding("tap and database", Level.OK, "the tap's lookups are answered")
    else:
        yield _finding("tap and database", Level.FAILED, "the tap's lookups are not answered", todo)
    if standing.journal_alarm:
        todo = "is there space? df -h /var/lib/zvonok; cards go on from memory, but a restart forgets live calls"
        yield _finding("journal", Level.FAILED, "the journal cannot be written", todo)
    if standing.history_behind:
        says = "the history waits in the journal: the database does not take it"
        yield _finding("history", Level.WARNING, says, "see the findings of the database; nothing is lost meanwhile")


def _announced(standing: Standing) -> Iterator[Finding]:
    """Which of the last calls the dialplan's hook did not announce."""
    announced, others = standing.announced, sum(standing.others.values())
    if announced + others == 0:
        yield _finding("announcements", Level.SKIPPED, "no call has shown a card since the tap was started")
        return
    says = f"{announced} of the last {announced + others} calls with a card were announced"
    if others:
        named = list(standing.others.items())[:SHOWN]
        says += "; not those to " + ", ".join(f"{mask_number(number)} ({count})" for number, count in named)
        says += " and others" if len(standing.others) > SHOWN else ""
    if not announced:
        todo = "does each context of these numbers call the hook (dialplan/README.md)? Cards come from AMI alone so far"
        yield _finding("announcements", Level.WARNING, says, todo)
    else:
        yield _finding("announcements", Level.OK, says)


def _finding(what: str, level: Level, says: str, todo: str | None = None) -> Finding:
    return Finding(part=PART, what=what, level=level, says=says, todo=todo)
