"""The route `announce`: the dialplan says that a call is about to ring a number, and may ask who calls.

    AGI(agi://HOST/announce,<number>,<linkedid>[,<options>])

Options, in any order, in one argument or several: `vars`, `name`, `now`. Without `vars` or `name` the call is
released at once. Whatever happens here, the call goes on.
"""

import logging
import re
import unicodedata
from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache
from typing import Final

from fastagi.agi_session import AGISession
from fastagi.directory import LookupUnavailable
from fastagi.facts import Announced
from zvonok.call import Caller, Kind, wall_ms
from zvonok.service import mask_number, mask_text

log = logging.getLogger(__name__)

ROUTE: Final = "announce"

# Channel variables that the dialplan gets with the option `vars`.
CALLER_NAME: Final = "ZVONOK_CALLER_NAME"
CALLER_KIND: Final = "ZVONOK_CALLER_KIND"
CALLER_COMPANY: Final = "ZVONOK_CALLER_COMPANY"
# Set last, with `vars` or `name`: where it is set, the others are too.
STATUS: Final = "ZVONOK_STATUS"

MAX_PHONE_NAME: Final = 80  # characters; Asterisk itself cuts caller names at 80 bytes in places
MAX_VALUE: Final = 250  # characters of a channel variable
_UNWANTED: Final = ('"', "\\", "  ")
_OPTIONS: Final = frozenset({"vars", "name", "now"})
_NOBODY: Final = frozenset({"", "unknown"})  # what res_agi sends for a caller id that is not there


class Status(StrEnum):
    """`ZVONOK_STATUS`: found; not in the CRM; the directory took too long; the directory cannot be asked."""

    OK = "OK"
    UNKNOWN = "UNKNOWN"
    LATE = "LATE"
    ERROR = "ERROR"


WhoCalls = Callable[[str], Caller]
"""`Directory.caller`: who has a number, within the directory's budget. Raises `LookupUnavailable`."""
Remembered = Callable[[str], Caller | None]
"""`Directory.cached_caller`: who has a number, if that is known without waiting."""


class Announcer:
    """Serves `announce`; call it with a session, it returns the session's result for the metrics.

    `send_fact` must not wait. It gets the fact after the call was released.
    """

    def __init__(self, *, remembered: Remembered, who_calls: WhoCalls, send_fact: Callable[[Announced], None]) -> None:
        self._remembered = remembered
        self._who_calls = who_calls
        self._send_fact = send_fact

    def __call__(self, session: AGISession) -> str:
        env = session.env
        arguments = session.arguments()
        number = arguments[0] if arguments else ""
        linkedid = arguments[1] if len(arguments) > 1 else ""
        options = {word for text in arguments[2:] for word in re.split(r"[\s,&|:]+", text.lower()) if word}
        uniqueid = env.get("agi_uniqueid", "")
        if not number or not uniqueid:
            log.warning("call %s: announce without a number: give the called number as its first argument", uniqueid)
            session.verbose("zvonok: announce needs the called number, as in AGI(agi://HOST/announce,${EXTEN},...)")
            return "bad_request"
        if unknown := options - _OPTIONS:
            words = plain(", ".join(sorted(unknown)), 200)
            log.warning("call %s: announce has no option %s; it has name, now, vars", uniqueid, mask_text(words))
            session.verbose(f"zvonok: announce has no option {words}; it has name, now, vars")

        restricted = _is_restricted(env.get("agi_callingpres", ""))
        caller_number = None if restricted else _present(env.get("agi_callerid"))
        caller: Caller | None = None
        result = "announced"
        try:
            if options & {"vars", "name"}:
                status, caller = self._look_up(session, uniqueid, caller_number)
                result = status.lower()
                _answer(session, options, status, caller)
        finally:
            # Also when the caller hung up or Asterisk refused a variable: the tap must know of the call.
            session.release()
            self._send_fact(
                Announced(
                    uniqueid=uniqueid,
                    linkedid=linkedid or uniqueid,
                    channel=env.get("agi_channel", ""),
                    number=number,
                    caller_number=caller_number,
                    caller_name=None if restricted else _present(env.get("agi_calleridname")),
                    caller=caller,
                    restricted=restricted,
                    now="now" in options,
                    at=wall_ms(),
                )
            )
        return result

    def _look_up(self, session: AGISession, uniqueid: str, number: str | None) -> tuple[Status, Caller | None]:
        if number is None:  # hidden or absent: nobody to ask for
            return Status.UNKNOWN, None
        try:
            caller = self._remembered(number)
            if caller is None:
                session.step_aside()
                caller = self._who_calls(number)
        except LookupUnavailable as exc:
            status = Status.LATE if exc.late else Status.ERROR
            log.warning("call %s: who is %s? %s: %s", uniqueid, mask_number(number), status, exc)
            return status, None
        return (Status.UNKNOWN if caller.kind is Kind.UNKNOWN else Status.OK), caller


def _answer(session: AGISession, options: set[str], status: Status, caller: Caller | None) -> None:
    found = caller if status is Status.OK else None
    if "vars" in options:
        session.set_variable(CALLER_NAME, plain(found.name, MAX_VALUE) if found else "")
        session.set_variable(CALLER_KIND, caller.kind.value if caller else Kind.UNKNOWN.value)
        session.set_variable(CALLER_COMPANY, plain(found.company, MAX_VALUE) if found else "")
    if "name" in options and found and (shown := phone_name(found.name, found.company)):
        session.set_variable("CALLERID(name)", shown)
    session.set_variable(STATUS, status.value)


@lru_cache(maxsize=4_096)
def phone_name(name: str | None, company: str | None) -> str:
    """A caller's name for a desk phone's display, at most 80 characters: short where it is safe, then the company.

    >>> phone_name("Иванов Иван Петрович", 'ООО "Ромашка"')
    'Иванов И. П. (ООО Ромашка)'
    >>> phone_name("Отдел продаж", None)
    'Отдел продаж'
    """
    who, where = _initials(plain(name, MAX_PHONE_NAME)), plain(company, MAX_PHONE_NAME)
    if not who or not where:
        return who or where
    room = MAX_PHONE_NAME - len(who) - 3
    # A company cut to a letter or two says nothing.
    return f"{who} ({_cut(where, room)})" if room >= 8 or len(where) <= room else who


def plain(text: str | None, limit: int) -> str:
    """`text` fit for a channel variable: one line, no quotes or backslashes, no invisible characters, cut at `limit`.

    Quotes go because dialplans compare with "${VARIABLE}", where a quote inside would end the text early.
    """
    text = text or ""
    if len(text) <= limit and text.isprintable() and not any(mark in text for mark in _UNWANTED):
        return text.strip()  # nearly every name: the rest takes ten times as long
    kept = (
        " " if char.isspace() else char
        for char in text[: limit * 4]
        if char.isspace() or (char not in _UNWANTED and unicodedata.category(char) not in ("Cc", "Cf", "Cs"))
    )
    return _cut(" ".join("".join(kept).split()), limit)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _initials(name: str) -> str:
    """«Иванов Иван Петрович» -> «Иванов И. П.»; a name that does not look like a person's stays whole."""
    words = name.split()
    if not 2 <= len(words) <= 3 or not all(re.fullmatch(r"[^\W\d_]+(-[^\W\d_]+)*", word) for word in words):
        return name
    if any(len(word) > 1 and word.title() != word for word in words):
        return name
    return " ".join([words[0], *(f"{word[0]}." for word in words[1:])])


def _present(text: str | None) -> str | None:
    text = (text or "").strip()
    return None if text.lower() in _NOBODY else text


def _is_restricted(presentation: str) -> bool:
    """Whether Asterisk's `agi_callingpres` says "restricted" (bits 6-7 of Q.931's octet 3a are 01)."""
    return presentation.isdigit() and int(presentation[:4]) & 0x60 == 0x20
