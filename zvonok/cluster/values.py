"""What lies in the bucket of calls, as JSON. Pure.

Each value says which start of the tap put it (`run`), in which order (`seq`: calls and pulses are counted together),
and what the PBX's clock showed (`now`, ms). A call's state is ordered by its `rev`; a pulse by `(run, seq)`.
"""

from typing import Annotated, Final

import msgspec

from zvonok.call import Call

# JavaScript's numbers are exact up to here; a time or a count beyond it is a mistake.
Whole = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
MAX_VALUE_BYTES: Final = 512 * 1024
"""The engine refuses bigger ones: a call has some KiB, a pulse the ids of every live call of its PBX (20,000 fit)."""


class _Put(msgspec.Struct, frozen=True, kw_only=True):
    run: Whole
    seq: Whole
    now: Whole


class CallPut(_Put, frozen=True, kw_only=True, tag="call"):
    """A call's latest state."""

    call: Call


class Pulse(_Put, frozen=True, kw_only=True, tag="pulse"):
    """The tap lives. `live` names every live call of this PBX, or is null if that is not known."""

    live: list[str] | None = None


Value = CallPut | Pulse
_decoder: Final[msgspec.json.Decoder[Value]] = msgspec.json.Decoder(Value)


def decode(data: bytes) -> Value:
    """One value. Raises ValueError with a sentence."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        raise ValueError(str(exc)) from exc


def encode(value: Value) -> bytes:
    """The value as UTF-8 JSON."""
    return msgspec.json.encode(value)
