"""Queues: all agents at once or one after another, behind Local channels, abandoned, ringing again."""

from tests.asterisk.scenarios.groups import answered_by_2
from tests.asterisk.scenarios.stage import Scenario, Stage


async def ringall(stage: Stage) -> None:
    await answered_by_2(stage, stage.queue)


async def agent_busy_next_agent(stage: Stage) -> None:
    """rrmemory: the first agent refuses with 486, the next one answers. The dialplan answered the caller before."""
    one, two, outside = await stage.phone(1), await stage.phone(2), await stage.outside()
    one.on_invite = lambda leg: leg.refuse(486)
    call = await outside.dial(stage.service)
    leg = await two.rings()
    await stage.moment()
    await stage.pick_up(leg)
    await stage.hang_up(call, leg)
    stage.expect(1, "ringing", end="busy", queue=stage.queue)
    stage.expect(2, "ringing", "talking", end="completed", queue=stage.queue)


async def local_members(stage: Stage) -> None:
    ringing, call = await stage.ring_all(1, 2)
    await ringing[1].answer()
    await call.until_answered()
    await ringing[0].until_ended()
    await stage.moment()
    await stage.hang_up(call, ringing[1])
    stage.expect(1, "ringing", end="answered_elsewhere", by=2, queue=stage.queue)
    stage.expect(2, "ringing", "talking", end="completed", queue=stage.queue)


async def abandoned(stage: Stage) -> None:
    ringing, call = await stage.ring_all(1, 2, 3)
    await stage.hang_up(call, *ringing)
    for digit in (1, 2, 3):
        stage.expect(digit, "ringing", end="missed", queue=stage.queue)


async def rings_again(stage: Stage) -> None:
    one, outside = await stage.phone(1), await stage.outside()
    call = await outside.dial(stage.service)
    first = await one.rings()
    await first.until_ended()
    second = await one.rings()
    await stage.moment()
    await stage.pick_up(second, call)
    await stage.hang_up(call, second)
    stage.expect(1, "ringing", end="missed", queue=stage.queue)
    stage.expect(1, "ringing", "talking", end="completed", queue=stage.queue)


QUEUE = """
exten => <0>,1,<hook>
exten => <0>,n,Queue(sales-<base>,,,,60)
"""
ANSWERED_QUEUE = """
exten => <0>,1,<hook>
exten => <0>,n,Answer()
exten => <0>,n,Queue(sales-<base>,,,,60)
"""
RINGALL = """
[sales-<base>]
strategy = ringall
timeout = 30
retry = 1
member => PJSIP/<1>
member => PJSIP/<2>
member => PJSIP/<3>
"""
RRMEMORY = """
[sales-<base>]
strategy = rrmemory
timeout = 30
retry = 1
member => PJSIP/<1>
member => PJSIP/<2>
"""
LOCALS = """
[sales-<base>]
strategy = ringall
timeout = 30
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

SCENARIOS = [
    Scenario(
        number=8,
        variant=1,
        title="Ring group (Queue ringall), one answers",
        play=ringall,
        phones="1234",
        extensions=QUEUE,
        queues=RINGALL,
    ),
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
        play=local_members,
        extensions=QUEUE,
        queues=LOCALS,
    ),
    Scenario(number=11, title="Queue abandoned", play=abandoned, phones="1234", extensions=QUEUE, queues=RINGALL),
    Scenario(
        number=33,
        title="The queue rings the same agent again",
        play=rings_again,
        phones="12",
        extensions=QUEUE,
        queues=SHORT,
    ),
]
