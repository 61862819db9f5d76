"""One caller, one phone: answered, busy, rejected, not answered, given up."""

import asyncio

from tests.asterisk.scenarios.stage import Scenario, Stage


async def answered(stage: Stage) -> None:
    leg, call = await stage.ring()
    await stage.pick_up(leg, call)
    await stage.hang_up(call, leg)
    stage.expect(1, "ringing", "talking", end="completed")


async def hung_up_by_the_owner(stage: Stage) -> None:
    leg, call = await stage.ring()
    await stage.pick_up(leg, call)
    await stage.hang_up(leg, call)
    stage.expect(1, "ringing", "talking", end="completed")


async def progress_only(stage: Stage) -> None:
    desk, outside = await stage.phone(1), await stage.outside()
    desk.on_invite = lambda leg: leg.progress()
    call = await outside.dial(stage.number(1))
    leg = await desk.rings()
    await stage.moment()
    await stage.pick_up(leg, call)
    await stage.hang_up(call, leg)
    stage.expect(1, "ringing", "talking", end="completed")


async def _refused(stage: Stage, status: int, end: str, *, ring_first: bool = False) -> None:
    desk, outside = await stage.phone(1), await stage.outside()
    if not ring_first:
        desk.on_invite = lambda leg: leg.refuse(status)
    call = await outside.dial(stage.number(1))
    leg = await desk.rings()
    if ring_first:
        await call.until_ringing()
        await stage.moment()
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
    await stage.moment()
    await stage.hang_up(call, leg)
    stage.expect(1, "ringing", end="missed")


async def two_calls_at_once(stage: Stage) -> None:
    leg1, call1 = await stage.ring()
    await stage.pick_up(leg1, call1)
    second = await stage.outside(2)
    call2 = await second.dial(stage.number(1))
    leg2 = await leg1.phone.rings()
    await stage.moment()
    await stage.hang_up(call2, leg2)
    await stage.hang_up(call1, leg1)
    stage.expect(1, "ringing", "talking", end="completed")
    stage.expect(1, ("ringing", stage.caller(2)), end="missed")


async def ivr_only(stage: Stage) -> None:
    outside = await stage.outside()
    call = await outside.dial(stage.service)
    await call.until_ended()


async def voicemail_after_no_answer(stage: Stage) -> None:
    desk, outside = await stage.phone(1), await stage.outside()
    call = await outside.dial(stage.service)
    leg = await desk.rings()
    await leg.until_ended()
    await call.until_answered()
    await asyncio.sleep(1.0)
    await call.hangup()
    stage.expect(1, "ringing", end="missed")


async def fast_phone(stage: Stage) -> None:
    """Several calls, each answered with 180 at once: the order of Newstate, DialState and DialBegin is a race."""
    desk, outside = await stage.phone(1), await stage.outside()
    for _ in range(3):
        call = await outside.dial(stage.service)
        leg = await desk.rings()
        await leg.answer()
        await call.until_answered()
        await stage.moment()
        await call.hangup()
        await leg.until_ended()
        stage.expect(1, "ringing", "talking", end="completed")


LOCAL_RING = """
exten => <0>,1,<hook>
exten => <0>,n,Dial(Local/<9>@lab/n,60)
exten => <9>,1,Dial(PJSIP/<1>,60)
"""
IVR = """
exten => <0>,1,Answer()
exten => <0>,n,Playback(beep)
exten => <0>,n,Wait(0.3)
exten => <0>,n,Hangup()
"""
VOICEMAIL = """
exten => <0>,1,<hook>
exten => <0>,n,Dial(PJSIP/<1>,1)
exten => <0>,n,VoiceMail(600@default,s)
"""
NO_ANSWER = """
exten => <0>,1,<hook>
exten => <0>,n,Dial(PJSIP/<1>,1)
"""

SCENARIOS = [
    Scenario(number=1, title="Simple call", play=answered, phones="12"),
    Scenario(number=1, variant=1, title="Simple call, the owner hangs up", play=hung_up_by_the_owner, phones="12"),
    Scenario(number=2, title="Ringing reported before DialBegin", play=fast_phone, phones="12", extensions=LOCAL_RING),
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
    Scenario(number=21, title="IVR only", play=ivr_only, phones="12", extensions=IVR, announces=False),
    Scenario(
        number=21,
        variant=1,
        title="Voicemail after no answer",
        play=voicemail_after_no_answer,
        phones="12",
        extensions=VOICEMAIL,
    ),
    Scenario(number=22, title="Two calls at once", play=two_calls_at_once, phones="12"),
]
