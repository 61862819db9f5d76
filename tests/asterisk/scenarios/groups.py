"""Several phones for one caller: ring groups, hunt groups, queues, pickup."""

import asyncio

from tests.asterisk.scenarios.simple import MOMENT
from tests.asterisk.scenarios.stage import Scenario, Stage

GROUP = """
exten => <0>,1,<hook>
exten => <0>,n,Dial(PJSIP/<1>&PJSIP/<2>&PJSIP/<3>,20)
"""
HUNT = """
exten => <0>,1,<hook>
exten => <0>,n,Dial(PJSIP/<1>,1)
exten => <0>,n,Dial(PJSIP/<2>,20)
"""
QUEUE = """
exten => <0>,1,<hook>
exten => <0>,n,Queue(sales-<base>,,,,20)
"""
RINGALL = """
[sales-<base>]
strategy = ringall
timeout = 10
retry = 1
member => PJSIP/<1>
member => PJSIP/<2>
member => PJSIP/<3>
"""
PICKUP = GROUP + "exten => <9>,1,Pickup(<0>@lab)\n"


async def _group_answered_by_2(stage: Stage, queue: str | None = None) -> None:
    one, two, three = await stage.phones(1, 2, 3)
    outside = await stage.outside()
    call = await outside.dial(stage.service)
    ringing = [await phone.rings() for phone in (one, two, three)]
    await asyncio.sleep(MOMENT)
    await ringing[1].answer()
    await call.until_answered()
    await ringing[0].until_ended()
    await ringing[2].until_ended()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await ringing[1].until_ended()
    stage.expect(1, "ringing", end="answered_elsewhere", by=2, queue=queue)
    stage.expect(2, "ringing", "talking", end="completed", queue=queue)
    stage.expect(3, "ringing", end="answered_elsewhere", by=2, queue=queue)


async def ring_group(stage: Stage) -> None:
    await _group_answered_by_2(stage)


async def queue_ringall(stage: Stage) -> None:
    await _group_answered_by_2(stage, f"sales-{stage.base}")


async def hunt_group(stage: Stage) -> None:
    one, two = await stage.phones(1, 2)
    outside = await stage.outside()
    call = await outside.dial(stage.service)
    first = await one.rings()
    await first.until_ended()
    second = await two.rings()
    await asyncio.sleep(MOMENT)
    await second.answer()
    await call.until_answered()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await second.until_ended()
    stage.expect(1, "ringing", end="missed")
    stage.expect(2, "ringing", "talking", end="completed")


async def pickup(stage: Stage) -> None:
    one, two, four = await stage.phones(1, 2, 4)
    outside = await stage.outside()
    call = await outside.dial(stage.service)
    ringing = [await phone.rings() for phone in (one, two)]
    await asyncio.sleep(MOMENT)
    taken = await four.dial(stage.number(9))
    await taken.until_answered()
    await call.until_answered()
    for leg in ringing:
        await leg.until_ended()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await taken.until_ended()
    stage.expect(1, "ringing", end="answered_elsewhere", by=4)
    stage.expect(2, "ringing", end="answered_elsewhere", by=4)
    stage.expect(4, "talking", end="completed")


PICKUP_GROUP = """
exten => <0>,1,<hook>
exten => <0>,n,Dial(PJSIP/<1>&PJSIP/<2>,20)
exten => <9>,1,Pickup(<0>@lab)
"""

SCENARIOS = [
    Scenario(number=8, title="Ring group (Dial), one answers", play=ring_group, phones="1234", extensions=GROUP),
    Scenario(
        number=8,
        variant=1,
        title="Ring group (Queue ringall), one answers",
        play=queue_ringall,
        phones="1234",
        extensions=QUEUE,
        queues=RINGALL,
    ),
    Scenario(number=9, title="Hunt group, one after another", play=hunt_group, extensions=HUNT),
    Scenario(number=19, title="Pickup by a colleague", play=pickup, phones="1245", extensions=PICKUP_GROUP),
]
