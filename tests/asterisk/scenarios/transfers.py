"""The call changes hands at once: Local channels, blind transfers, parking, a conference."""

import asyncio

from tests.asterisk.leg import Leg
from tests.asterisk.scenarios.stage import Scenario, Stage


async def talk_to_1(stage: Stage, number: str | None = None) -> tuple[Leg, Leg]:
    """Somebody outside talks to phone 1: its leg, the caller's."""
    leg, call = await stage.ring(number)
    await stage.pick_up(leg, call)
    return leg, call


async def _second_takes_over(stage: Stage, second: Leg, call: Leg) -> None:
    await stage.moment()
    await stage.pick_up(second)
    await stage.hang_up(call, second)
    stage.expect(1, "ringing", "talking", end="transferred")
    stage.expect(2, "ringing", "talking", end="completed")


async def local_channel(stage: Stage) -> None:
    leg, call = await stage.ring(stage.service)
    await leg.answer()
    await call.until_answered()
    await asyncio.sleep(1.0)  # both talk, so the Local channel is optimised away
    await stage.moment()
    await stage.hang_up(call, leg)
    stage.expect(1, "ringing", "talking", end="completed")


async def blind(stage: Stage) -> None:
    two = await stage.phone(2)
    leg, call = await talk_to_1(stage)
    await leg.refer(stage.number(2))
    second = await two.rings()
    await leg.until_ended()
    await _second_takes_over(stage, second, call)


async def blind_by_feature_code(stage: Stage) -> None:
    two = await stage.phone(2)
    leg, call = await talk_to_1(stage, stage.service)
    await leg.press("#1")
    await asyncio.sleep(1.5)  # "transfer"
    await leg.press(stage.number(2))
    await _second_takes_over(stage, await two.rings(), call)


async def blind_by_ami(stage: Stage) -> None:
    two = await stage.phone(2)
    _, call = await talk_to_1(stage)
    channel = await stage.channel_of(1)
    await stage.lab.action("BlindTransfer", Channel=channel, Context="lab", Exten=stage.number(2))
    await _second_takes_over(stage, await two.rings(), call)


async def blind_by_sipp(stage: Stage) -> None:
    two, outside = await stage.phone(2), await stage.outside()
    one = await stage.sipp_phone(1, "blind-transfer", target=stage.number(2))
    call = await outside.dial(stage.number(1))
    second = await two.rings()
    await one.done()
    await _second_takes_over(stage, second, call)


async def blind_to_nowhere(stage: Stage) -> None:
    leg, call = await talk_to_1(stage)
    await leg.refer(stage.number(8))
    await leg.until(lambda: leg.referred is not None and leg.referred >= 300)
    await stage.moment()
    await stage.hang_up(call, leg)
    stage.expect(1, "ringing", "talking", end="completed")


async def blind_to_a_busy_phone(stage: Stage) -> None:
    two = await stage.phone(2)
    two.on_invite = lambda leg: leg.refuse(486)
    leg, call = await talk_to_1(stage)
    await leg.refer(stage.number(2))
    await two.rings()
    await stage.moment()
    await leg.hangup()
    await stage.moment()
    await call.hangup()
    stage.expect(1, "ringing", "talking", end="transferred")
    stage.expect(2, "ringing", end="busy")


async def blind_to_an_ivr(stage: Stage) -> None:
    leg, call = await talk_to_1(stage)
    await leg.refer(stage.number(9))
    await stage.moment()
    await leg.hangup()
    await stage.moment()
    await call.hangup()
    stage.expect(1, "ringing", "talking", end="transferred")


async def there_and_back(stage: Stage) -> None:
    two = await stage.phone(2)
    leg, call = await talk_to_1(stage)
    await leg.refer(stage.number(2))
    second = await two.rings()
    await stage.moment()
    await second.answer()
    await leg.until_ended()
    await stage.moment()
    await second.refer(stage.number(1))
    third = await leg.phone.rings()
    await stage.moment()
    await third.answer()
    await second.until_ended()
    await stage.moment()
    await stage.hang_up(call, third)
    stage.expect(1, "ringing", "talking", end="transferred")
    stage.expect(2, "ringing", "talking", end="transferred")
    stage.expect(1, "ringing", "talking", end="completed")


async def hold(stage: Stage) -> None:
    leg, call = await talk_to_1(stage)
    await leg.hold()
    await stage.moment()
    await leg.hold(False)
    await stage.moment()
    await stage.hang_up(call, leg)
    stage.expect(1, "ringing", "talking", end="completed")


async def park_and_retrieve(stage: Stage) -> None:
    two = await stage.phone(2)
    leg, call = await talk_to_1(stage)
    await leg.refer(stage.number(8))
    parked = await stage.lab.wait_for("ParkedCall", ParkeeCallerIDNum=stage.caller())
    await leg.until_ended()
    await stage.moment()
    taken = await two.dial(stage.number(9) + parked["ParkingSpace"])
    await taken.until_answered()
    await stage.moment()
    await stage.hang_up(call, taken)
    stage.expect(1, "ringing", "talking", end="transferred")
    stage.expect(2, "talking", end="completed")


async def conference(stage: Stage) -> None:
    """Both sides of a call move into a conference, which a colleague joins: nobody's phone rings for that."""
    leg, call = await talk_to_1(stage)
    two = await stage.phone(2)
    await leg.refer(stage.number(7))
    await leg.until_ended()
    joined = [await leg.phone.dial(stage.number(7)), await two.dial(stage.number(7))]
    for member in joined:
        await member.until_answered()
    await stage.moment()
    for member in joined:
        await member.hangup()
    await call.hangup()
    stage.expect(1, "ringing", "talking", end="transferred")


LOCAL = """
exten => <0>,1,<hook>
exten => <0>,n,Dial(Local/<1>@local,60)
"""
FEATURES = """
exten => <0>,1,<hook>
exten => <0>,n,Dial(PJSIP/<1>,60,tT)
"""
IVR = """
exten => <9>,1,Answer()
exten => <9>,n,Wait(10)
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
    Scenario(number=14, title="Blind transfer (REFER)", play=blind),
    Scenario(
        number=14, variant=1, title="Blind transfer (feature code)", play=blind_by_feature_code, extensions=FEATURES
    ),
    Scenario(number=14, variant=2, title="Blind transfer (AMI action)", play=blind_by_ami),
    Scenario(number=14, variant=3, title="Blind transfer (REFER from SIPp)", play=blind_by_sipp),
    Scenario(number=15, title="Blind transfer to a number that is not there", play=blind_to_nowhere),
    Scenario(number=15, variant=1, title="Blind transfer to a busy phone", play=blind_to_a_busy_phone),
    Scenario(number=18, title="Blind transfer to an IVR", play=blind_to_an_ivr, phones="12", extensions=IVR),
    Scenario(number=25, title="Hold", play=hold, phones="12"),
    Scenario(number=25, variant=1, title="Parked by one, taken by another", play=park_and_retrieve, extensions=PARKING),
    Scenario(number=25, variant=2, title="Conference", play=conference, extensions=CONFERENCE),
    Scenario(number=34, title="A transfer comes back", play=there_and_back),
]
