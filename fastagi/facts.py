"""Facts: what the FastAGI server and AMI say about a call, as frozen messages. Pure.

The tracker is fed with nothing else. A fact carries no time: the tap adds that of its receipt.
"""

import msgspec

from zvonok.call import Caller


class Announced(msgspec.Struct, frozen=True, kw_only=True, tag="announced"):
    """The dialplan said that the channel `uniqueid` is about to call `number` (AGI `announce`).

    `caller` is the directory's answer where the dialplan asked for one. `now`: open the card at once, because this
    dialplan has no Dial or Queue to wait for.
    """

    uniqueid: str
    linkedid: str
    channel: str
    number: str
    caller_number: str | None = None
    caller_name: str | None = None
    caller: Caller | None = None
    now: bool = False
