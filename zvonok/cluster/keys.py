"""The keys of the cluster's two buckets, as the subjects they travel on. Pure.

Bucket `zvonok`: `<pbx>.<user_id>.<call_id>` holds a call's latest state, `<pbx>` the PBX's pulse. The PBX comes first,
so that the engine can keep each PBX's account to its own keys. Bucket `zvonok_dismissals`: `<user_id>.<call_id>`.
"""

import re
from typing import Final

CALLS: Final = "zvonok"
DISMISSALS: Final = "zvonok_dismissals"
ALL_CALLS: Final = f"$KV.{CALLS}.>"
ALL_DISMISSALS: Final = f"$KV.{DISMISSALS}.>"

_PLAIN: Final = re.compile(rb"[^A-Za-z0-9_-]")
_ESCAPED: Final = re.compile(r"=([0-9A-F]{2})")


def token(text: str) -> str:
    """`text` as one token of a key: letters, digits, `_` and `-` stay, other bytes become `=XX`. Raises ValueError.

    >>> token("a.b>c")
    'a=2Eb=3Ec'
    """
    if not text:
        raise ValueError("a key has no empty part")
    return _PLAIN.sub(lambda found: f"={ord(found[0]):02X}".encode(), text.encode("utf-8", "surrogatepass")).decode(
        "ascii"
    )


def untoken(part: str) -> str:
    """The text of a token. Raises ValueError for what `token` never makes."""
    try:
        raw = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), part).encode("latin-1")
        text = raw.decode("utf-8", "surrogatepass")
        if token(text) == part:
            return text
    except UnicodeError:
        pass
    raise ValueError("this part of a key was not made by us")


def call_subject(pbx: str, user_id: int, call_id: str) -> str:
    """Where a call's states are put. Raises ValueError for an empty name or id."""
    return f"$KV.{CALLS}.{token(pbx)}.{user_id}.{token(call_id)}"


def pulse_subject(pbx: str) -> str:
    """Where a PBX's tap says once a second that it lives, and which calls do."""
    return f"$KV.{CALLS}.{token(pbx)}"


def pbx_of(subject: str) -> str:
    """The PBX whose key it is. Raises ValueError."""
    return untoken(_tokens(subject, CALLS)[0])


def dismissal_subject(user_id: int, call_id: str) -> str:
    """Where it is put that the user closed this call's card. Raises ValueError for an empty id."""
    return f"$KV.{DISMISSALS}.{user_id}.{token(call_id)}"


def dismissed(subject: str) -> tuple[int, str]:
    """The user and the call of a dismissal's subject. Raises ValueError."""
    tokens = _tokens(subject, DISMISSALS)
    if len(tokens) != 2 or not re.fullmatch(r"[1-9][0-9]{0,18}", tokens[0]):
        raise ValueError("a dismissal's key is <user_id>.<call_id>")
    return int(tokens[0]), untoken(tokens[1])


def _tokens(subject: str, bucket: str) -> list[str]:
    prefix = f"$KV.{bucket}."
    if not subject.startswith(prefix):
        raise ValueError(f"this is no key of the bucket {bucket}")
    return subject.removeprefix(prefix).split(".")
