"""Facts: what the FastAGI server and AMI say about a call, as frozen messages. Pure.

The tracker is fed with nothing else. A fact carries no time: the tap adds that of its receipt.
"""

from typing import Final

import msgspec

from zvonok.call import Caller


class Announced(msgspec.Struct, frozen=True, kw_only=True, tag="announced"):
    """The dialplan said that the channel `uniqueid` is about to call `number` (AGI `announce`).

    `caller` is the directory's answer where the dialplan asked for one. `restricted`: the caller hides his number
    (CLIR), so it is not here. `now`: open the card at once, because this dialplan has no Dial or Queue to wait for.
    """

    uniqueid: str
    linkedid: str
    channel: str
    number: str
    caller_number: str | None = None
    caller_name: str | None = None
    caller: Caller | None = None
    restricted: bool = False
    now: bool = False


class FastagiStats(msgspec.Struct, frozen=True, kw_only=True, tag="fastagi_stats"):
    """What the FastAGI server counted since `started_at` (Unix ms); no fact of a call, but it takes the same way.

    `durations` counts the sessions by seconds from accept to release: one number for each of `SESSION_BUCKETS` (up to
    that bound and above the one before), and a last one for those above all of them; `seconds` is their sum.
    """

    started_at: int
    sessions: dict[str, int]
    durations: list[int]
    seconds: float
    workers: int
    busy: int
    facts_lost: int


SESSION_BUCKETS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
