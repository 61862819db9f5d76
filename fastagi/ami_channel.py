"""A channel's snapshot out of an AMI event's headers. Pure.

An event may hold several, each under a prefix of its own: Dest, Transferee, OrigTransferer and so on. The spelling is
that of Asterisk's `manager` documentation; where versions differ, both are tried.
"""

import re
from collections.abc import Mapping
from typing import Final

from fastagi.ami_wire import Headers as Block
from fastagi.facts import Channel

Headers = Mapping[str, str]
MAX_TEXT: Final = 256
"""Longest text taken from a header; what is longer is cut (a caller's name of 10 KB is an attack, not a name)."""

_ABSENT: Final = frozenset({"", "<unknown>", "<none>", "(null)"})
_LINE: Final = r"[^\r]*+"
_VALUE: Final = rf"([^\r]{{0,{MAX_TEXT}}}+)"
_DIGITS: Final = {str(digit): digit for digit in range(10)}


class Keys:
    """The headers of a channel's snapshot under one prefix, such as Dest or TransferTarget.

    `snapshot` matches them all from `start` on as Asterisk 12 and later write them; what it does not match is looked
    up header by header, which takes twice as long.
    """

    def __init__(self, prefix: str) -> None:
        self.start = f"\r\n{prefix}Channel: "
        lines = {
            "Channel": _VALUE,
            "ChannelState": "([0-9])",
            "ChannelStateDesc": _LINE,
            "CallerIDNum": _VALUE,
            "CallerIDName": _VALUE,
            "ConnectedLineNum": _VALUE,
            "ConnectedLineName": _VALUE,
            "Language": _LINE,
            "AccountCode": _LINE,
            "Context": _LINE,
            "Exten": _VALUE,
            "Priority": _LINE,
            "Uniqueid": rf"([^\r]{{1,{MAX_TEXT}}}+)",
            "Linkedid": _VALUE,
        }
        self.snapshot = re.compile(
            "".join(rf"\r\n{prefix}{key}: {value}" for key, value in lines.items()) + r"(?=\r\n|\Z)"
        )
        self.uniqueid = prefix + "Uniqueid"
        self.unique_id = prefix + "UniqueID"
        self.linkedid = prefix + "Linkedid"
        self.name = prefix + "Channel"
        self.state = prefix + "ChannelState"
        self.caller_number = prefix + "CallerIDNum"
        self.caller_name = prefix + "CallerIDName"
        self.connected_number = prefix + "ConnectedLineNum"
        self.connected_name = prefix + "ConnectedLineName"
        self.exten = prefix + "Exten"


PLAIN: Final = Keys("")


def channel_of(headers: Headers, keys: Keys = PLAIN) -> Channel | None:
    """The channel whose headers are `keys`; None without a uniqueid that can be one."""
    if isinstance(headers, Block):
        found = keys.snapshot.match(headers.text, headers.text.find(keys.start))
        if found is not None:
            name, state, number, who, other, whom, exten, uniqueid, linkedid = found.groups()
            return Channel(
                uniqueid=uniqueid,
                linkedid=None if linkedid in _ABSENT else linkedid,
                name=None if name in _ABSENT else name,
                state=_DIGITS[state],
                caller_number=None if number in _ABSENT else number,
                caller_name=None if who in _ABSENT else who,
                connected_number=None if other in _ABSENT else other,
                connected_name=None if whom in _ABSENT else whom,
                exten=None if exten in _ABSENT else exten,
            )
    return _by_headers(headers, keys)


def _by_headers(headers: Headers, keys: Keys) -> Channel | None:
    uniqueid = headers.get(keys.uniqueid) or headers.get(keys.unique_id)
    if not uniqueid or len(uniqueid) > MAX_TEXT:
        return None
    return Channel(
        uniqueid=uniqueid,
        linkedid=text_of(headers, keys.linkedid),
        name=text_of(headers, keys.name),
        state=_DIGITS.get(headers.get(keys.state, "")),
        caller_number=text_of(headers, keys.caller_number),
        caller_name=text_of(headers, keys.caller_name),
        connected_number=text_of(headers, keys.connected_number),
        connected_name=text_of(headers, keys.connected_name),
        exten=text_of(headers, keys.exten),
    )


def text_of(headers: Headers, key: str) -> str | None:
    """A header's value, MAX_TEXT of it; None where Asterisk has none and says so in one of its ways."""
    value = headers.get(key)
    if value is None or value in _ABSENT:
        return None
    return value if len(value) <= MAX_TEXT else value[:MAX_TEXT]
