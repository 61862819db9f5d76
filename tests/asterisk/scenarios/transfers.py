"""The call changes hands: Local channels, blind, attended and blonde transfers."""

import asyncio

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


SCENARIOS = [
    Scenario(number=13, title="Local channel, optimised away", play=local_channel, phones="12", extensions=LOCAL),
    Scenario(number=14, title="Blind transfer (REFER)", play=blind_transfer),
    Scenario(number=16, title="Attended transfer (REFER with Replaces)", play=attended_transfer),
    Scenario(number=17, title="Blonde transfer (REFER while it rings)", play=blonde_transfer),
]
