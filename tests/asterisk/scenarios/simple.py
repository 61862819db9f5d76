"""One caller, one phone: answered, busy, rejected, not answered, given up."""

import asyncio

from tests.asterisk.scenarios.stage import Scenario, Stage
from tests.levels import within

MOMENT = within(0.5)  # seconds that somebody rings, talks or waits, where it does not matter how long


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


async def two_calls_at_once(stage: Stage) -> None:
    desk, first, second = await stage.phone(1), await stage.outside(1), await stage.outside(2)
    call1 = await first.dial(stage.number(1))
    leg1 = await desk.rings()
    await leg1.answer()
    await call1.until_answered()
    call2 = await second.dial(stage.number(1))
    leg2 = await desk.rings()
    await asyncio.sleep(MOMENT)
    await call2.hangup()
    await leg2.until_ended()
    await call1.hangup()
    await leg1.until_ended()
    stage.expect(1, "ringing", "talking", end="completed")
    stage.expect(1, ("ringing", stage.caller(2)), end="missed")


async def anonymous(stage: Stage) -> None:
    desk, outside = await stage.phone(1), await stage.outside()
    call = await outside.dial(stage.number(1), privacy=True)
    leg = await desk.rings()
    await asyncio.sleep(MOMENT)
    await leg.answer()
    await call.until_answered()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await leg.until_ended()
    stage.expect(1, ("ringing", None), ("talking", None), end="completed")


async def internal(stage: Stage) -> None:
    one, two = await stage.phones(1, 2)
    call = await two.dial(stage.number(1))
    leg = await one.rings()
    await asyncio.sleep(MOMENT)
    await leg.answer()
    await call.until_answered()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await leg.until_ended()
    stage.expect(1, ("ringing", stage.number(2)), ("talking", stage.number(2)), end="completed")


async def colleague_calls_out(stage: Stage) -> None:
    """The trunk bears the name of a user's number: a call out through it is not a call to him."""
    two, far_end = await stage.phone(2), await stage.phone(1)
    call = await two.dial(stage.service)
    leg = await far_end.rings()
    await asyncio.sleep(MOMENT)
    await leg.answer()
    await call.until_answered()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await leg.until_ended()


async def click_to_call(stage: Stage) -> None:
    """The CRM makes phone 1 ring and, when its owner picks up, calls phone 2 for him."""
    one, two = await stage.phones(1, 2)
    await stage.lab.action(
        "Originate",
        Channel=f"PJSIP/{stage.number(1)}",
        Context="lab",
        Exten=stage.number(2),
        Priority="1",
        CallerID=f"<{stage.number(1)}>",
        Async="true",
    )
    leg = await one.rings()
    await asyncio.sleep(MOMENT)
    await leg.answer()
    called = await two.rings()
    await asyncio.sleep(MOMENT)
    await called.answer()
    await asyncio.sleep(MOMENT)
    await leg.hangup()
    await called.until_ended()
    stage.expect(2, ("ringing", stage.number(1)), ("talking", stage.number(1)), end="completed")


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


async def _did(stage: Stage) -> None:
    desk, outside = await stage.phone(1), await stage.outside()
    call = await outside.dial(stage.did)
    leg = await desk.rings()
    await asyncio.sleep(MOMENT)
    await leg.answer()
    await call.until_answered()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await leg.until_ended()


async def did_of_the_owner(stage: Stage) -> None:
    """The phone's number belongs to nobody, the DID to user 3."""
    await _did(stage)
    stage.expect(3, "ringing", "talking", end="completed", line=stage.did)


async def did_and_phone_of_two_owners(stage: Stage) -> None:
    """The DID belongs to user 3, the phone that answers to user 1."""
    await _did(stage)
    stage.expect(3, "ringing", end="answered_elsewhere", by=1, line=stage.did)
    stage.expect(1, "ringing", "talking", end="completed")


async def nobodys_number(stage: Stage) -> None:
    await _did(stage)


async def two_owners(stage: Stage) -> None:
    await answered(stage)
    stage.expect(2, "ringing", "talking", end="completed", line=stage.number(1))


async def fast_phone(stage: Stage) -> None:
    """Several calls, each answered with 180 at once: the order of Newstate, DialState and DialBegin is a race."""
    desk, outside = await stage.phone(1), await stage.outside()
    for _ in range(3):
        call = await outside.dial(stage.service)
        leg = await desk.rings()
        await leg.answer()
        await call.until_answered()
        await asyncio.sleep(MOMENT)
        await call.hangup()
        await leg.until_ended()
        stage.expect(1, "ringing", "talking", end="completed")


DID_TO_1 = """
exten => <did>,1,<hook>
exten => <did>,n,Dial(PJSIP/<1>,20)
"""
LOCAL_RING = """
exten => <0>,1,<hook>
exten => <0>,n,Dial(Local/<9>@lab/n,20)
exten => <9>,1,Dial(PJSIP/<1>,20)
"""
OUT = """
exten => <0>,1,Dial(PJSIP/89161112233@<1>,20)
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
    Scenario(
        number=1,
        variant=2,
        title="DID of user 3, phone of nobody",
        play=did_of_the_owner,
        extensions=DID_TO_1,
        owners={"3": ("did",), "2": ("2",)},
    ),
    Scenario(
        number=1,
        variant=3,
        title="DID of user 3, phone of user 1",
        play=did_and_phone_of_two_owners,
        extensions=DID_TO_1,
        owners={"3": ("did",), "2": ("2",), "1": ("1",)},
    ),
    Scenario(
        number=1,
        variant=4,
        title="A number of nobody",
        play=nobodys_number,
        extensions=DID_TO_1,
        owners={"2": ("2",), "3": ("3",)},
    ),
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
    Scenario(number=24, title="Click-to-call (Originate)", play=click_to_call),
    Scenario(number=29, title="Anonymous caller", play=anonymous, phones="12"),
    Scenario(number=30, title="Internal call", play=internal),
    Scenario(
        number=30,
        variant=1,
        title="A colleague calls out through a trunk named like a user's number",
        play=colleague_calls_out,
        phones="123",
        extensions=OUT,
        announces=False,
    ),
    Scenario(number=31, title="Several records for one number", play=answered, phones="12", outside_dealers=2),
    Scenario(
        number=32, title="Two users own one number", play=two_owners, owners={"1": ("1",), "2": ("1",), "3": ("3",)}
    ),
]
