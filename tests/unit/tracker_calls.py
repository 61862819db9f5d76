"""What the tracker's tests share: a desk with one owner, and a call that rings at his phone."""

from fastagi.facts import Channel
from tests.call_desk import Desk, user
from tests.pbx_words import (
    Pbx,
    dial,
    new,
)
from zvonok.call import Caller, Kind

IVANOV = Caller(number="+79271390907", name="Иванов И.", kind=Kind.DEALER, id=7, company="ООО Ромашка", matches=1)
ONE = {"101": [user(1, "101", "desk")]}


def desk(**options: object) -> Desk:
    return Desk(ONE, callers={"89271390907": IVANOV}, **options)  # type: ignore[arg-type]


def ring(pbx: Pbx, at: Desk) -> tuple[Channel, Channel]:
    """A caller whose call rings at 101."""
    caller = pbx.caller()
    phone = pbx.channel("PJSIP/101", of=caller, shows=caller.caller_number)
    at.feed(new(caller), new(phone), dial(caller, phone, "101"))
    return caller, phone
