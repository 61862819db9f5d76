"""One caller, one phone: answered, busy, rejected, not answered, given up."""

import asyncio

from tests.asterisk.phones import Phone
from tests.asterisk.scenarios.stage import Scenario, Stage

MOMENT = 0.3  # seconds that somebody rings, talks or waits, where it does not matter how long


async def answered(stage: Stage) -> None:
    desk, outside = await stage.phone(1), await stage.outside()
    call = await outside.dial(stage.number(1))
    leg = await desk.rings()
    await asyncio.sleep(MOMENT)
    await leg.answer()
    await call.until_answered()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await leg.until_ended()
    stage.expect(1, "ringing", "talking", end="completed")


async def hung_up_by_the_owner(stage: Stage) -> None:
    desk, outside = await stage.phone(1), await stage.outside()
    call = await outside.dial(stage.number(1))
    leg = await desk.rings()
    await leg.answer()
    await call.until_answered()
    await asyncio.sleep(MOMENT)
    await leg.hangup()
    await call.until_ended()
    stage.expect(1, "ringing", "talking", end="completed")


async def progress_only(stage: Stage) -> None:
    desk, outside = await stage.phone(1), await stage.outside()
    desk.on_invite = lambda leg: leg.progress()
    call = await outside.dial(stage.number(1))
    leg = await desk.rings()
    await asyncio.sleep(MOMENT)
    await leg.answer()
    await call.until_answered()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await leg.until_ended()
    stage.expect(1, "ringing", "talking", end="completed")


async def _refused(stage: Stage, status: int, end: str, *, ring_first: bool = False) -> None:
    desk, outside = await stage.phone(1), await stage.outside()
    if not ring_first:
        desk.on_invite = lambda leg: leg.refuse(status)
    call = await outside.dial(stage.number(1))
    leg = await desk.rings()
    if ring_first:
        await call.until_ringing()
        await asyncio.sleep(MOMENT)
        leg.refuse(status)
    await call.until_ended()
    stage.expect(1, "ringing", end=end)


async def busy_without_ringing(stage: Stage) -> None:
    await _refused(stage, 486, "busy")


async def busy_after_ringing(stage: Stage) -> None:
    await _refused(stage, 486, "busy", ring_first=True)


async def declined_603(stage: Stage) -> None:
    await _refused(stage, 603, "rejected", ring_first=True)


async def forbidden_403(stage: Stage) -> None:
    await _refused(stage, 403, "rejected", ring_first=True)


async def busy_everywhere_600(stage: Stage) -> None:
    await _refused(stage, 600, "busy", ring_first=True)


async def unavailable_480(stage: Stage) -> None:
    await _refused(stage, 480, "failed")


async def not_found_404(stage: Stage) -> None:
    await _refused(stage, 404, "failed")


async def out_of_order_503(stage: Stage) -> None:
    await _refused(stage, 503, "failed")


async def no_answer(stage: Stage) -> None:
    desk, outside = await stage.phone(1), await stage.outside()
    call = await outside.dial(stage.service)
    await desk.rings()
    await call.until_ended()
    stage.expect(1, "ringing", end="missed")


async def caller_gives_up(stage: Stage) -> None:
    desk, outside = await stage.phone(1), await stage.outside()
    call = await outside.dial(stage.number(1))
    leg = await desk.rings()
    await call.until_ringing()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await leg.until_ended()
    stage.expect(1, "ringing", end="missed")


async def pick_up(phone: Phone) -> None:
    """Answer the phone's next call after a moment."""
    leg = await phone.rings()
    await asyncio.sleep(MOMENT)
    await leg.answer()


NO_ANSWER = """
exten => <0>,1,<hook>
exten => <0>,n,Dial(PJSIP/<1>,1)
"""

SCENARIOS = [
    Scenario(number=1, title="Simple call", play=answered, phones="12"),
    Scenario(number=1, variant=1, title="Simple call, the owner hangs up", play=hung_up_by_the_owner, phones="12"),
    Scenario(number=3, title="183 only", play=progress_only, phones="12"),
    Scenario(number=4, title="Busy without ringing (486)", play=busy_without_ringing, phones="12"),
    Scenario(number=5, title="Rejected on the phone: 603", play=declined_603, phones="12"),
    Scenario(
        number=5, variant=1, title="Rejected on the phone: 486 after ringing", play=busy_after_ringing, phones="12"
    ),
    Scenario(number=5, variant=2, title="Rejected on the phone: 403", play=forbidden_403, phones="12"),
    Scenario(number=5, variant=3, title="Rejected on the phone: 600", play=busy_everywhere_600, phones="12"),
    Scenario(number=5, variant=4, title="Phone unavailable: 480", play=unavailable_480, phones="12"),
    Scenario(number=5, variant=5, title="Phone unknown: 404", play=not_found_404, phones="12"),
    Scenario(number=5, variant=6, title="Phone out of order: 503", play=out_of_order_503, phones="12"),
    Scenario(number=6, title="No answer", play=no_answer, phones="12", extensions=NO_ANSWER),
    Scenario(number=7, title="Caller gives up", play=caller_gives_up, phones="12"),
]
