"""Calls in a queue when something breaks; plot.py says how they are written."""

from collections.abc import AsyncIterator

from tests.asterisk.leg import Leg
from tests.asterisk.scenarios.groups import answered_by_2_of
from tests.asterisk.scenarios.plot import Cards, Fault
from tests.asterisk.scenarios.stage import Stage


async def waits_in_a_queue(stage: Stage, fault: Fault) -> AsyncIterator[Cards]:
    """The queue has nobody to ring until afterwards."""
    call = await _waits_in_the_queue(stage)
    yield {}
    yield {}
    await _agent_answers(stage, call, await _agent_rings(stage))


async def waits_in_a_queue_which_rings(stage: Stage, fault: Fault) -> AsyncIterator[Cards]:
    call = await _waits_in_the_queue(stage)
    yield {}
    leg = await _agent_rings(stage)
    yield {1: ["ringing"]}
    await _agent_answers(stage, call, leg)


async def joins_a_queue(stage: Stage, fault: Fault) -> AsyncIterator[Cards]:
    """Nothing before; the caller joins and the agent rings while it lasts."""
    yield {}
    call = await _waits_in_the_queue(stage)
    leg = await _agent_rings(stage)
    yield {1: ["ringing"]}
    await _agent_answers(stage, call, leg)


async def _waits_in_the_queue(stage: Stage) -> Leg:
    call = await (await stage.outside()).dial(stage.service)
    await call.until_answered()
    await stage.moment()
    return call


async def _agent_rings(stage: Stage) -> Leg:
    one = await stage.phone(1)
    await stage.lab.action("QueueAdd", Queue=stage.queue, Interface=f"PJSIP/{stage.number(1)}")
    leg = await one.rings()
    await stage.moment()
    return leg


async def _agent_answers(stage: Stage, call: Leg, leg: Leg) -> None:
    await stage.pick_up(leg)
    await stage.hang_up(call, leg)
    stage.expect(1, "ringing", "talking", end="completed", queue=stage.queue)


async def queue_rings_on(stage: Stage, fault: Fault) -> AsyncIterator[Cards]:
    legs, call = await stage.ring_all(1, 2, 3)
    yield {1: ["ringing"], 2: ["ringing"], 3: ["ringing"]}
    yield {1: ["ringing"], 2: ["ringing"], 3: ["ringing"]}
    await answered_by_2_of(stage, legs, call, queue=stage.queue)


EMPTY_QUEUE = """
[sales-<base>]
strategy = ringall
timeout = 30
retry = 1
joinempty = yes
"""
