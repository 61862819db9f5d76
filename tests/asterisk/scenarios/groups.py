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
    await _group_answered_by_2(stage, stage.service)


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
    stage.expect(1, "ringing", end="answered_elsewhere", by=4, queue=stage.service)
    stage.expect(2, "ringing", end="answered_elsewhere", by=4, queue=stage.service)
    stage.expect(4, "talking", end="completed", queue=stage.service)


async def pickup_by_feature_code(stage: Stage) -> None:
    one, four = await stage.phones(1, 4)
    outside = await stage.outside()
    call = await outside.dial(stage.number(1))
    ringing = await one.rings()
    await asyncio.sleep(MOMENT)
    taken = await four.dial("*8")
    await taken.until_answered()
    await call.until_answered()
    await ringing.until_ended()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await taken.until_ended()
    stage.expect(1, "ringing", end="answered_elsewhere", by=4)
    stage.expect(4, "talking", end="completed")


async def agent_busy_next_agent(stage: Stage) -> None:
    """rrmemory: the first agent refuses with 486, the next one answers. The dialplan answered the caller before."""
    one, two = await stage.phones(1, 2)
    outside = await stage.outside()
    one.on_invite = lambda leg: leg.refuse(486)
    call = await outside.dial(stage.service)
    leg = await two.rings()
    await asyncio.sleep(MOMENT)
    await leg.answer()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await leg.until_ended()
    queue = f"sales-{stage.base}"
    stage.expect(1, "ringing", end="busy", queue=queue)
    stage.expect(2, "ringing", "talking", end="completed", queue=queue)


async def queue_of_local_members(stage: Stage) -> None:
    one, two = await stage.phones(1, 2)
    outside = await stage.outside()
    call = await outside.dial(stage.service)
    ringing = [await one.rings(), await two.rings()]
    await asyncio.sleep(MOMENT)
    await ringing[1].answer()
    await call.until_answered()
    await ringing[0].until_ended()
    await asyncio.sleep(1.0)
    await call.hangup()
    await ringing[1].until_ended()
    queue = f"sales-{stage.base}"
    stage.expect(1, "ringing", end="answered_elsewhere", by=2, queue=queue)
    stage.expect(2, "ringing", "talking", end="completed", queue=queue)


async def queue_abandoned(stage: Stage) -> None:
    phones = await stage.phones(1, 2, 3)
    outside = await stage.outside()
    call = await outside.dial(stage.service)
    ringing = [await phone.rings() for phone in phones]
    await asyncio.sleep(MOMENT)
    await call.hangup()
    for digit, leg in enumerate(ringing, 1):
        await leg.until_ended()
        stage.expect(digit, "ringing", end="missed", queue=f"sales-{stage.base}")


async def queue_rings_again(stage: Stage) -> None:
    one, outside = await stage.phone(1), await stage.outside()
    call = await outside.dial(stage.service)
    first = await one.rings()
    await first.until_ended()
    second = await one.rings()
    await asyncio.sleep(MOMENT)
    await second.answer()
    await call.until_answered()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await second.until_ended()
    stage.expect(1, "ringing", end="missed", queue=f"sales-{stage.base}")
    stage.expect(1, "ringing", "talking", end="completed", queue=f"sales-{stage.base}")


async def several_phones_of_one_user(stage: Stage) -> None:
    one, two = await stage.phones(1, 2)
    outside = await stage.outside()
    call = await outside.dial(stage.service)
    ringing = [await one.rings(), await two.rings()]
    await asyncio.sleep(MOMENT)
    ringing[0].refuse(486)
    await asyncio.sleep(MOMENT)
    await ringing[1].answer()
    await call.until_answered()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await ringing[1].until_ended()
    # The first phone refused and the second answered: the card is that of the phone he talks on, and stays it.
    stage.expect(1, "ringing", "talking", end="completed", queue=stage.service, line=stage.number(2))


async def confirmed(stage: Stage) -> None:
    one, outside = await stage.phone(1), await stage.outside()
    call = await outside.dial(stage.service)
    leg = await one.rings()
    await leg.answer()
    await asyncio.sleep(2 * MOMENT)  # he is asked to press 1
    await leg.press("1")
    await call.until_answered()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await leg.until_ended()
    stage.expect(1, "ringing", "talking", end="completed")


async def not_confirmed(stage: Stage) -> None:
    one, outside = await stage.phone(1), await stage.outside()
    call = await outside.dial(stage.service)
    leg = await one.rings()
    await leg.answer()
    await asyncio.sleep(2 * MOMENT)
    await leg.press("2")
    await leg.until_ended()
    await call.until_ended()
    stage.expect(1, "ringing", end="rejected")


async def confirmed_in_a_group(stage: Stage) -> None:
    one, two = await stage.phones(1, 2)
    outside = await stage.outside()
    call = await outside.dial(stage.service)
    first, second = await one.rings(), await two.rings()
    await asyncio.sleep(MOMENT)
    await first.answer()
    await second.until_ended()  # Asterisk stops the others before he confirms
    await asyncio.sleep(2 * MOMENT)
    await first.press("1")
    await call.until_answered()
    await asyncio.sleep(MOMENT)
    await call.hangup()
    await first.until_ended()
    stage.expect(1, "ringing", "talking", end="completed", queue=stage.service)
    stage.expect(2, "ringing", end="answered_elsewhere", by=1, queue=stage.service)


async def forwarded(stage: Stage) -> None:
    one, two = await stage.phones(1, 2)
    outside = await stage.outside()
    one.on_invite = lambda leg: leg.refuse(302, forward_to=stage.number(2))
    call = await outside.dial(stage.number(1))
    leg = await two.rings()
    await asyncio.sleep(MOMENT)
    await leg.answer()
    await call.until_answered()
    await asyncio.sleep(1.0)
    await call.hangup()
    await leg.until_ended()
    stage.expect(1, "ringing", end="transferred")
    stage.expect(2, "ringing", "talking", end="completed")


CONFIRM = """
exten => <0>,1,<hook>
exten => <0>,n,Dial({phones},20,U(confirm))
"""
RRMEMORY = """
[sales-<base>]
strategy = rrmemory
timeout = 10
retry = 1
member => PJSIP/<1>
member => PJSIP/<2>
"""
LOCALS = """
[sales-<base>]
strategy = ringall
timeout = 10
retry = 1
member => Local/<1>@local/n
member => Local/<2>@local/n
"""
SHORT = """
[sales-<base>]
strategy = rrmemory
timeout = 1
retry = 1
member => PJSIP/<1>
"""
ANSWERED_QUEUE = """
exten => <0>,1,<hook>
exten => <0>,n,Answer()
exten => <0>,n,Queue(sales-<base>,,,,20)
"""
TWO = """
exten => <0>,1,<hook>
exten => <0>,n,Dial(PJSIP/<1>&PJSIP/<2>,20)
"""
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
    Scenario(
        number=10,
        title="Queue (rrmemory): an agent is busy, the next answers",
        play=agent_busy_next_agent,
        extensions=ANSWERED_QUEUE,
        queues=RRMEMORY,
    ),
    Scenario(
        number=10,
        variant=1,
        title="Queue with Local members",
        play=queue_of_local_members,
        extensions=QUEUE,
        queues=LOCALS,
    ),
    Scenario(number=11, title="Queue abandoned", play=queue_abandoned, phones="1234", extensions=QUEUE, queues=RINGALL),
    Scenario(
        number=12,
        title="Call confirmation: accepted",
        play=confirmed,
        phones="12",
        extensions=CONFIRM.format(phones="PJSIP/<1>"),
    ),
    Scenario(
        number=12,
        variant=1,
        title="Call confirmation: refused",
        play=not_confirmed,
        phones="12",
        extensions=CONFIRM.format(phones="PJSIP/<1>"),
    ),
    Scenario(
        number=12,
        variant=2,
        title="Call confirmation in a ring group",
        play=confirmed_in_a_group,
        extensions=CONFIRM.format(phones="PJSIP/<1>&PJSIP/<2>"),
    ),
    Scenario(number=19, variant=1, title="Pickup by feature code (*8)", play=pickup_by_feature_code, phones="145"),
    Scenario(number=20, title="Forward (302)", play=forwarded),
    Scenario(
        number=23,
        title="One user, several phones",
        play=several_phones_of_one_user,
        extensions=TWO,
        owners={"1": ("1", "2"), "3": ("3",)},
    ),
    Scenario(
        number=33,
        title="The queue rings the same agent again",
        play=queue_rings_again,
        phones="12",
        extensions=QUEUE,
        queues=SHORT,
    ),
    Scenario(number=19, title="Pickup by a colleague", play=pickup, phones="1245", extensions=PICKUP_GROUP),
]
