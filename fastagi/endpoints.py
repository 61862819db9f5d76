"""Which number a leg calls, told from its channel's name and its dial string. Pure.

Technologies' spellings: PJSIP and SIP `num@trunk`, `trunk/num`, `trunk/sip:num@host`; IAX2 `trunk/num@context`; DAHDI
`g1/num`; Local `exten@context/n`. Channel names end with `-xxxxxxxx`, Local ones also with `;1` or `;2`.
"""

import re
from typing import Final

_SERIAL: Final = re.compile(r"-[0-9A-Fa-f]{1,16}(?:;[12])?$")
_NUMBER: Final = re.compile(r"\+?[0-9*#][0-9*#().-]*")
_TECH: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def technology(channel: str) -> str:
    """`PJSIP` of `PJSIP/101-0000002a`; empty if the name has none."""
    return channel.partition("/")[0] if "/" in channel else ""


def endpoint(channel: str) -> str | None:
    """The endpoint in a channel's name: `101` of `PJSIP/101-0000002a`, the extension of a Local channel.

    >>> endpoint("Local/101@from-queue-0000000f;1")
    '101'
    """
    tech, slash, rest = channel.partition("/")
    if not slash:
        return None
    rest = _SERIAL.sub("", rest)
    if tech.lower() == "local":
        rest = rest.partition("@")[0]
    return rest or None


def local_pair(channel: str) -> tuple[str, int] | None:
    """What the two halves of a Local channel have in common, and which half this is; None if it is not one."""
    if channel[-2:] in (";1", ";2") and channel[:6].lower() == "local/":
        return channel[:-2], int(channel[-1])
    return None


def leg_number(channel: str, dial_string: str | None) -> str | None:
    """The one number that a dialled leg is for; None if neither says.

    A number at a trunk is the leg's only number: the trunk's name is never tried, for a trunk is often named after a
    number of the office. A contact's random user (`101/sip:x7fk2@10.0.0.7`, a browser phone) is no number.

    >>> leg_number("PJSIP/74951234567-0000002a", "89161112233@74951234567")
    '89161112233'
    >>> leg_number("PJSIP/101-0000002a", "101/sip:x7fk2@10.0.0.7:5060")
    '101'
    """
    own = endpoint(channel)
    if not dial_string or local_pair(channel) is not None or technology(channel).lower() == "local":
        return own
    return _number_at_trunk(dial_string, technology(channel), own) or own


def _number_at_trunk(dial_string: str, tech: str, own: str | None) -> str | None:
    """The number in a dial string that names it apart from the endpoint, or None."""
    target = dial_string.split("&", 1)[0]
    head, slash, rest = target.partition("/")
    if slash and tech and head.lower() == tech.lower() and _TECH.fullmatch(head):  # a queue's `PJSIP/101`
        target = rest
        head, slash, rest = target.partition("/")
    if slash:
        candidate = rest.partition("/")[0]
        for scheme in ("sip:", "sips:", "tel:"):
            if candidate.lower().startswith(scheme):
                candidate = candidate[len(scheme) :]
        candidate = candidate.partition("@")[0].partition(";")[0]
    elif "@" in target:
        candidate = target.partition("@")[0].partition(":")[0]
    else:
        return None
    return candidate if candidate != own and _NUMBER.fullmatch(candidate) else None


def is_dialled_number(exten: str | None) -> bool:
    """Whether an extension may be somebody's number: not the dialplan's `s`, `h`, `i` or `t`, nor a feature code."""
    return exten is not None and len(exten) > 1 and exten[0] not in "*#_"
