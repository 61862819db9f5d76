"""What a call must be, beyond its shape, before it is taken from anybody. Pure."""

from typing import Final

from zvonok.call import Call, State

MAX_TEXT: Final = 1024
MAX_USER_ID: Final = 2**63 - 1
FOREIGN: Final = "this call_id is another user's or another PBX's call"


def problem_of(call: Call, pbx: str) -> str | None:
    """What is wrong with a call that has the right shape and came from `pbx`, or None."""
    caller, line = call.caller, call.line
    answered_by = None if call.end is None else call.end.answered_by
    texts = (
        call.first_linkedid, caller.number, caller.display, caller.name, caller.company,
        line.number, line.label, line.queue, None if answered_by is None else answered_by.name,
    )  # fmt: skip
    if call.pbx != pbx:
        return f"the call's pbx is not {pbx!r}"
    if not 0 < len(call.call_id) <= 64 or "/" in call.call_id:
        return "call_id must have 1 to 64 characters and no slash"
    if not 0 < call.user_id <= MAX_USER_ID:
        return "user_id must be a positive 64-bit number"
    if not all(0 <= number < 2**53 for number in _numbers(call)):
        return "rev and times must be milliseconds from 0 to 2^53"
    if any(text is not None and len(text) > MAX_TEXT for text in texts):
        return f"a text is longer than {MAX_TEXT} characters"
    if caller.url is not None and (
        len(caller.url) > 2 * MAX_TEXT or not caller.url.startswith(("http://", "https://"))
    ):
        return "caller.url must be a short http(s) URL"
    if (call.state is State.ENDED) != (call.end is not None and call.ended_at is not None):
        return "an ended call, and no other, has ended_at and end"
    if call.state is State.TALKING and call.answered_at is None:
        return "a talking call has answered_at"
    return None


def _numbers(call: Call) -> tuple[int, ...]:
    """The numbers of a call that are calculated with."""
    return (call.rev, call.ring_started_at, call.answered_at or 0, call.ended_at or 0)
