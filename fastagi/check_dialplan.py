"""`zvonok check`: the dialplan as Asterisk has loaded it. Is our context there, whom does it ask, and who calls it?"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from fastagi.ami_wire import Message
from zvonok.address import Address, parse_address
from zvonok.check import Finding, Level

PART: Final = "pbx"
CONTEXT: Final = "zvonok"
DEFAULT_AGI: Final = "127.0.0.1:4573"  # dialplan/zvonok.conf, where ZVONOK_AGI is not set
NAMED: Final = 6  # contexts named in a line

_HOOK: Final = re.compile(r"\bzvonok,s,1\b|agi://[^,]*/announce", re.IGNORECASE)
_DIALS: Final = frozenset({"dial", "queue", "retrydial", "followme"})


def judge(entries: Iterable[Message], agi: str | None, listen: Address, *, announced: int) -> Iterator[Finding]:
    """What the rows of ShowDialPlan say, `agi` being the global variable ZVONOK_AGI. Pure.

    `announced`: so many of the last calls were announced, which counts for more than what can be read.
    """
    ours: list[str] = []
    hooked: set[str] = set()
    dials: dict[tuple[str, str], str] = {}
    announces: set[tuple[str, str]] = set()
    for entry in entries:
        context, data = entry.headers.get("Context", ""), entry.headers.get("AppData", "")
        place = context, entry.headers.get("Extension", "")
        if context == CONTEXT:
            ours.append(data.lower())
        elif _HOOK.search(data):
            announces.add(place)
            hooked.add(context)
        elif entry.headers.get("Application", "").lower() in _DIALS:
            dials[place] = context
    yield _loaded(ours, agi or DEFAULT_AGI, listen)
    if ours:
        without = {context for place, context in dials.items() if place not in announces}
        yield _hook(sorted(hooked), sorted(without), announced)


def _loaded(ours: list[str], agi: str, listen: Address) -> Finding:
    if not ours:
        todo = "#include zvonok.conf in extensions.conf and `dialplan reload`; until then cards come from AMI alone"
        return _finding("dialplan", Level.WARNING, f"the context {CONTEXT} is not loaded", todo)
    if not any("agi://" in data for data in ours):
        todo = "compare it with dialplan/zvonok.conf of this version"
        return _finding("dialplan", Level.WARNING, f"the context {CONTEXT} is loaded, but does not call AGI()", todo)
    try:
        fits = parse_address(agi).port == listen.port
    except ValueError:
        fits = False
    if not fits:
        todo = "make the global variable ZVONOK_AGI in extensions.conf and ZVONOK_AGI_LISTEN the same"
        return _finding("dialplan", Level.FAILED, f"the dialplan asks {agi[:60]}, but we listen on {listen}", todo)
    return _finding("dialplan", Level.OK, f"the context {CONTEXT} is loaded and asks {agi}")


def _hook(hooked: list[str], without: list[str], announced: int) -> Finding:
    if not hooked and not announced:
        todo = "put the GosubIf of dialplan/README.md before Dial() or Queue() where calls come in, `dialplan reload`"
        return _finding("hook", Level.WARNING, f"no extension calls {CONTEXT},s,1: cards come from AMI alone", todo)
    says = f"called in {_names(hooked)}" if hooked else "called, as the last calls show"
    if without:
        says += f"; Dial() or Queue() without it in {_names(without)}, whose calls are seen by AMI alone"
    return _finding("hook", Level.OK, says)


def _names(contexts: list[str]) -> str:
    more = f" and {len(contexts) - NAMED} more" if len(contexts) > NAMED else ""
    return ", ".join(name[:60] for name in contexts[:NAMED]) + more


def _finding(what: str, level: Level, says: str, todo: str | None = None) -> Finding:
    return Finding(part=PART, what=what, level=level, says=says, todo=todo)
