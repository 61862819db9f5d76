"""The call changes hands: Local channels, blind, attended and blonde transfers."""

import asyncio

from tests.asterisk.phones import Leg, Phone
from tests.asterisk.scenarios.simple import MOMENT
from tests.asterisk.scenarios.stage import Scenario, Stage

LOCAL = """
exten => <0>,1,<hook>
exten => <0>,n,Dial(Local/<1>@local,20)
"""


async def local_channel(stage: Stage) -> None:
    desk, outside = await stage.phone(1), await stage.outside()
    call = await outside.dial(stage.service)
    leg = await desk.rings()
    await asyncio.sleep(MOMENT)
    await leg.answer()
    await call.until_answered()
    await asyncio.sleep(1.0)  # both talk, so the Local channel is optimised away
    await call.hangup()
    await leg.until_ended()
    stage.expect(1, "ringing", "talking", end="completed")


async def blind_transfer(stage: Stage) -> None:
    one, two = await stage.phones(1, 2)
    outside = await stage.outside()
    call = await outside.dial(stage.number(1))
    first = await one.rings()
    await first.answer()
    await call.until_answered()
    await asyncio.sleep(MOMENT)
    await first.refer(stage.number(2))
    second = await two.rings()
    await asyncio.sleep(MOMENT)
    await second.answer()
    await first.until_ended()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await second.until_ended()
    stage.expect(1, "ringing", "talking", end="transferred")
    stage.expect(2, "ringing", "talking", end="completed")


async def attended_transfer(stage: Stage) -> None:
    one, two = await stage.phones(1, 2)
    outside = await stage.outside()
    call = await outside.dial(stage.number(1))
    first = await one.rings()
    await first.answer()
    await call.until_answered()
    await asyncio.sleep(MOMENT)
    await first.hold()
    consultation = await one.dial(stage.number(2))
    second = await two.rings()
    await asyncio.sleep(MOMENT)
    await second.answer()
    await consultation.until_answered()
    await asyncio.sleep(MOMENT)
    await first.refer(stage.number(2), replaces=consultation)
    await second.until_shows(stage.caller())
    await first.until_ended()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await second.until_ended()
    stage.expect(1, "ringing", "talking", end="transferred")
    stage.expect(
        2, ("ringing", stage.number(1)), ("talking", stage.number(1)), ("talking", stage.caller()), end="completed"
    )


async def blonde_transfer(stage: Stage) -> None:
    one, two = await stage.phones(1, 2)
    outside = await stage.outside()
    call = await outside.dial(stage.number(1))
    first = await one.rings()
    await first.answer()
    await call.until_answered()
    await asyncio.sleep(MOMENT)
    await first.hold()
    consultation = await one.dial(stage.number(2))
    second = await two.rings()
    await consultation.until_ringing()
    await asyncio.sleep(MOMENT)
    await first.refer(stage.number(2), replaces=consultation)
    await asyncio.sleep(MOMENT)
    await second.answer()
    await first.until_ended()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await second.until_ended()
    stage.expect(1, "ringing", "talking", end="transferred")
    stage.expect(
        2, ("ringing", stage.number(1)), ("ringing", stage.caller()), ("talking", stage.caller()), end="completed"
    )


async def talk_to_1(stage: Stage, number: str | None = None) -> tuple[Phone, Leg, Leg]:
    """Somebody outside talks to phone 1: (the phone, its leg, the caller's leg)."""
    one, outside = await stage.phone(1), await stage.outside()
    call = await outside.dial(number or stage.number(1))
    leg = await one.rings()
    await asyncio.sleep(MOMENT)
    await leg.answer()
    await call.until_answered()
    await asyncio.sleep(MOMENT)
    return one, leg, call


async def _second_takes_over(stage: Stage, second: Leg, call: Leg) -> None:
    await asyncio.sleep(MOMENT)
    await second.answer()
    await asyncio.sleep(2 * MOMENT)
    await call.hangup()
    await second.until_ended()
    stage.expect(1, "ringing", "talking", end="transferred")
    stage.expect(2, "ringing", "talking", end="completed")


async def blind_by_feature_code(stage: Stage) -> None:
    two = await stage.phone(2)
    _, leg, call = await talk_to_1(stage, stage.service)
    await leg.press("#1")
    await asyncio.sleep(1.5)  # "transfer"
    await leg.press(stage.number(2))
    await _second_takes_over(stage, await two.rings(), call)


async def blind_by_ami(stage: Stage) -> None:
    two = await stage.phone(2)
    _, _, call = await talk_to_1(stage)
    (row,) = [
        row
        for row in await stage.lab.rows("CoreShowChannels")
        if row["Channel"].startswith(f"PJSIP/{stage.number(1)}-")
    ]
    await stage.lab.action("BlindTransfer", Channel=row["Channel"], Context="lab", Exten=stage.number(2))
    await _second_takes_over(stage, await two.rings(), call)


async def blind_to_nowhere(stage: Stage) -> None:
    _, leg, call = await talk_to_1(stage)
    await leg.refer(stage.number(8))
    await leg.until(lambda: leg.referred is not None and leg.referred >= 300)
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await leg.until_ended()
    stage.expect(1, "ringing", "talking", end="completed")


async def blind_to_a_busy_phone(stage: Stage) -> None:
    two = await stage.phone(2)
    two.on_invite = lambda leg: leg.refuse(486)
    _, leg, call = await talk_to_1(stage)
    await leg.refer(stage.number(2))
    await two.rings()
    await asyncio.sleep(MOMENT)
    await leg.hangup()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    stage.expect(1, "ringing", "talking", end="transferred")
    stage.expect(2, "ringing", end="busy")


async def attended_by_feature_code(stage: Stage) -> None:
    two = await stage.phone(2)
    _, leg, call = await talk_to_1(stage, stage.service)
    await leg.press("*2")
    await asyncio.sleep(1.5)  # "transfer"
    await leg.press(stage.number(2))
    second = await two.rings()
    await asyncio.sleep(MOMENT)
    await second.answer()
    await asyncio.sleep(2 * MOMENT)
    await leg.hangup()
    await asyncio.sleep(1.0)
    await call.hangup()
    await second.until_ended()
    stage.expect(1, "ringing", "talking", end="transferred")
    stage.expect(
        2, ("ringing", stage.number(1)), ("talking", stage.number(1)), ("talking", stage.caller()), end="completed"
    )


async def blonde_by_feature_code(stage: Stage) -> None:
    two = await stage.phone(2)
    _, leg, call = await talk_to_1(stage, stage.service)
    await leg.press("*2")
    await asyncio.sleep(1.5)  # "transfer"
    await leg.press(stage.number(2))
    second = await two.rings()
    await asyncio.sleep(MOMENT)
    await leg.hangup()
    await asyncio.sleep(MOMENT)
    await second.answer()
    await asyncio.sleep(1.0)
    await call.hangup()
    await second.until_ended()
    stage.expect(1, "ringing", "talking", end="transferred")
    stage.expect(
        2, ("ringing", stage.number(1)), ("ringing", stage.caller()), ("talking", stage.caller()), end="completed"
    )


async def blind_to_an_ivr(stage: Stage) -> None:
    _, leg, call = await talk_to_1(stage)
    await leg.refer(stage.number(9))
    await asyncio.sleep(MOMENT)
    await leg.hangup()
    await asyncio.sleep(2 * MOMENT)
    await call.hangup()
    stage.expect(1, "ringing", "talking", end="transferred")


async def attended_to_voicemail(stage: Stage) -> None:
    one, leg, call = await talk_to_1(stage)
    await leg.hold()
    consultation = await one.dial(stage.number(9))
    await consultation.until_answered()
    await asyncio.sleep(MOMENT)
    await leg.refer(stage.number(9), replaces=consultation)
    await leg.until_ended()
    await asyncio.sleep(2 * MOMENT)
    await call.hangup()
    stage.expect(1, "ringing", "talking", end="transferred")


async def there_and_back(stage: Stage) -> None:
    two = await stage.phone(2)
    one, leg, call = await talk_to_1(stage)
    await leg.refer(stage.number(2))
    second = await two.rings()
    await asyncio.sleep(MOMENT)
    await second.answer()
    await leg.until_ended()
    await asyncio.sleep(MOMENT)
    await second.refer(stage.number(1))
    third = await one.rings()
    await asyncio.sleep(MOMENT)
    await third.answer()
    await second.until_ended()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await third.until_ended()
    stage.expect(1, "ringing", "talking", end="transferred")
    stage.expect(2, "ringing", "talking", end="transferred")
    stage.expect(1, "ringing", "talking", end="completed")


async def hold(stage: Stage) -> None:
    _, leg, call = await talk_to_1(stage)
    await leg.hold()
    await asyncio.sleep(MOMENT)
    await leg.hold(False)
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await leg.until_ended()
    stage.expect(1, "ringing", "talking", end="completed")


async def park_and_retrieve(stage: Stage) -> None:
    two = await stage.phone(2)
    _, leg, call = await talk_to_1(stage)
    await leg.refer(stage.number(8))
    parked = await stage.lab.wait_for("ParkedCall", ParkeeCallerIDNum=stage.caller())
    await leg.until_ended()
    await asyncio.sleep(MOMENT)
    taken = await two.dial(stage.number(9) + parked["ParkingSpace"])
    await taken.until_answered()
    await asyncio.sleep(2 * MOMENT)
    await call.hangup()
    await taken.until_ended()
    stage.expect(1, "ringing", "talking", end="transferred")
    stage.expect(2, "talking", end="completed")


async def conference(stage: Stage) -> None:
    """Both sides of a call move into a conference, which a colleague joins: nobody's phone rings for that."""
    one, leg, call = await talk_to_1(stage)
    two = await stage.phone(2)
    await leg.refer(stage.number(7))
    await leg.until_ended()
    joined = [await one.dial(stage.number(7)), await two.dial(stage.number(7))]
    for member in joined:
        await member.until_answered()
    await asyncio.sleep(2 * MOMENT)
    for member in joined:
        await member.hangup()
    await call.hangup()
    stage.expect(1, "ringing", "talking", end="transferred")


FEATURES = """
exten => <0>,1,<hook>
exten => <0>,n,Dial(PJSIP/<1>,20,tT)
"""
IVR = """
exten => <9>,1,Answer()
exten => <9>,n,Wait(10)
"""
VOICEMAIL = """
exten => <9>,1,VoiceMail(600@default,s)
"""
PARKING = """
exten => <8>,1,Park(default)
exten => _<9>7XX,1,ParkedCall(default,${EXTEN:-3})
"""
CONFERENCE = """
exten => <7>,1,Answer()
exten => <7>,n,ConfBridge(room-<base>)
"""

SCENARIOS = [
    Scenario(number=13, title="Local channel, optimised away", play=local_channel, phones="12", extensions=LOCAL),
    Scenario(number=14, title="Blind transfer (REFER)", play=blind_transfer),
    Scenario(
        number=14, variant=1, title="Blind transfer (feature code)", play=blind_by_feature_code, extensions=FEATURES
    ),
    Scenario(number=14, variant=2, title="Blind transfer (AMI action)", play=blind_by_ami),
    Scenario(number=15, title="Blind transfer to a number that is not there", play=blind_to_nowhere),
    Scenario(number=15, variant=1, title="Blind transfer to a busy phone", play=blind_to_a_busy_phone),
    Scenario(
        number=16,
        variant=1,
        title="Attended transfer (feature code)",
        play=attended_by_feature_code,
        extensions=FEATURES,
    ),
    Scenario(
        number=17, variant=1, title="Blonde transfer (feature code)", play=blonde_by_feature_code, extensions=FEATURES
    ),
    Scenario(number=18, title="Blind transfer to an IVR", play=blind_to_an_ivr, phones="12", extensions=IVR),
    Scenario(
        number=18,
        variant=1,
        title="Attended transfer to voicemail",
        play=attended_to_voicemail,
        phones="12",
        extensions=VOICEMAIL,
    ),
    Scenario(number=25, title="Hold", play=hold, phones="12"),
    Scenario(number=25, variant=1, title="Parked by one, taken by another", play=park_and_retrieve, extensions=PARKING),
    Scenario(number=25, variant=2, title="Conference", play=conference, extensions=CONFERENCE),
    Scenario(number=34, title="A transfer comes back", play=there_and_back),
    Scenario(number=16, title="Attended transfer (REFER with Replaces)", play=attended_transfer),
    Scenario(number=17, title="Blonde transfer (REFER while it rings)", play=blonde_transfer),
]
