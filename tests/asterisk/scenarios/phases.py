"""Calls in every phase of a call's life when something breaks; plot.py says how they are written."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from tests.asterisk.leg import Leg
from tests.asterisk.phones import Phone
from tests.asterisk.scenarios import queue_phases, transfer_phases
from tests.asterisk.scenarios.groups import GROUP, answered_by_2_of, expect_answered_by_2
from tests.asterisk.scenarios.plot import Cards, Fault, Plot
from tests.asterisk.scenarios.queues import ANSWERED_QUEUE, QUEUE, RINGALL
from tests.asterisk.scenarios.stage import Stage


async def before_dial_rings_afterwards(stage: Stage, fault: Fault) -> AsyncIterator[Cards]:
    """In an IVR; the number in the telephone network belongs to user 3, the phone to nobody."""
    desk, call = await _in_the_ivr(stage)
    yield {}
    yield {}
    await call.press("1")
    leg = await desk.rings()
    await stage.moment()
    await stage.pick_up(leg)
    await stage.hang_up(call, leg)
    stage.expect(3, "ringing", "talking", end="completed", line=stage.did)


async def before_dial_rings_meanwhile(stage: Stage, fault: Fault) -> AsyncIterator[Cards]:
    """As before, but the phone belongs to user 1."""
    desk, call = await _in_the_ivr(stage)
    yield {}
    await call.press("1")
    leg = await desk.rings()
    yield {1: ["ringing"], 3: ["ringing"]}
    await stage.pick_up(leg)
    await stage.hang_up(call, leg)
    stage.expect(1, "ringing", "talking", end="completed")
    stage.expect(3, "ringing", end="answered_elsewhere", by=1, line=stage.did)


async def _in_the_ivr(stage: Stage) -> tuple[Phone, Leg]:
    desk, outside = await stage.phone(1), await stage.outside()
    call = await outside.dial(stage.did)
    await call.until_answered()
    await stage.moment()
    return desk, call


async def rings_on(stage: Stage, fault: Fault) -> AsyncIterator[Cards]:
    leg, call = await stage.ring()
    yield {1: ["ringing"]}
    yield {1: ["ringing"]}
    await stage.pick_up(leg, call)
    await stage.hang_up(call, leg)
    stage.expect(1, "ringing", "talking", end="completed")


async def rings_and_is_answered(stage: Stage, fault: Fault) -> AsyncIterator[Cards]:
    leg, call = await stage.ring()
    yield {1: ["ringing"]}
    await stage.pick_up(leg, call)
    yield {1: ["talking"]}
    await stage.hang_up(call, leg)
    stage.expect(1, "ringing", "talking", end="completed")


async def rings_and_is_given_up(stage: Stage, fault: Fault) -> AsyncIterator[Cards]:
    leg, call = await stage.ring()
    yield {1: ["ringing"]}
    await stage.hang_up(call, leg)
    yield {1: [fault.end("missed")]}
    stage.expect(1, "ringing", end=fault.end("missed"))


async def talks_on(stage: Stage, fault: Fault) -> AsyncIterator[Cards]:
    leg, call = await stage.ring()
    await stage.pick_up(leg, call)
    yield {1: ["talking"]}
    yield {1: ["talking"]}
    await stage.hang_up(call, leg)
    stage.expect(1, "ringing", "talking", end="completed")


async def talks_and_hangs_up(stage: Stage, fault: Fault) -> AsyncIterator[Cards]:
    leg, call = await stage.ring()
    await stage.pick_up(leg, call)
    yield {1: ["talking"]}
    await stage.hang_up(leg, call)
    yield {1: [fault.end("completed")]}
    stage.expect(1, "ringing", "talking", end=fault.end("completed"))


async def comes_and_goes(stage: Stage, fault: Fault) -> AsyncIterator[Cards]:
    """Nothing before; a call that rings, talks and ends while it lasts."""
    yield {}
    leg, call = await stage.ring()
    await stage.pick_up(leg, call)
    await stage.hang_up(call, leg)
    if not fault.blind:
        yield {1: ["completed"]}
        stage.expect(1, "ringing", "talking", end="completed")
    elif stage.mode == "alone":
        yield {}
    else:
        # The announcement tells of it, unless the tap is away for longer than it is kept.
        stage.perhaps = {1} if fault.loses_announcements else set()
        yield {1: ["unknown"]}
        stage.expect(1, "ringing", end="unknown")


async def comes_and_stays(stage: Stage, fault: Fault) -> AsyncIterator[Cards]:
    """Nothing before; a ring group's phones begin to ring while it lasts."""
    yield {}
    legs, call = await stage.ring_all(1, 2, 3)
    yield {1: ["ringing"], 2: ["ringing"], 3: ["ringing"]}
    await answered_by_2_of(stage, legs, call, queue=stage.service)


async def ring_group_is_answered(stage: Stage, fault: Fault) -> AsyncIterator[Cards]:
    legs, call = await stage.ring_all(1, 2, 3)
    yield {1: ["ringing"], 2: ["ringing"], 3: ["ringing"]}
    await stage.pick_up(legs[1], call)
    yield {1: ["answered_elsewhere"], 2: ["talking"], 3: ["answered_elsewhere"]}
    await stage.hang_up(call, legs[1])
    expect_answered_by_2(stage, stage.service)


IVR = """
exten => <did>,1,<hook>
exten => <did>,n,Answer()
exten => <did>,n,Read(key,,1,,1,60)
exten => <did>,n,Dial(PJSIP/<1>,60)
"""
DID_OF_3 = {"3": ("did",), "2": ("2",)}
DID_OF_3_1_OF_1 = {"3": ("did",), "2": ("2",), "1": ("1",)}


def plots(variant: int) -> list[Plot]:
    """Every play, on blocks of this variant."""
    one: dict[str, Any] = {"phones": "12"}
    group: dict[str, Any] = {"phones": "1234", "extensions": GROUP}
    agents: dict[str, Any] = {"phones": "1234", "extensions": QUEUE, "queues": RINGALL}
    waiting: dict[str, Any] = {"phones": "12", "extensions": ANSWERED_QUEUE, "queues": queue_phases.EMPTY_QUEUE}
    made: list[tuple[Callable[[Stage, Fault], AsyncIterator[Cards]], str, dict[str, Any]]] = [
        (before_dial_rings_afterwards, "before dial", {"extensions": IVR, "owners": DID_OF_3}),
        (before_dial_rings_meanwhile, "before dial, then rings", {"extensions": IVR, "owners": DID_OF_3_1_OF_1}),
        (rings_on, "ringing", one),
        (rings_and_is_answered, "ringing, answered meanwhile", one),
        (rings_and_is_given_up, "ringing, given up meanwhile", one),
        (ring_group_is_answered, "ring group, answered meanwhile", group),
        (talks_on, "talking", one),
        (talks_and_hangs_up, "talking, hung up meanwhile", one),
        (transfer_phases.blind_transfer_rings_on, "transferred blind, ringing", {}),
        (transfer_phases.is_transferred_blind, "talking, transferred blind meanwhile", {}),
        (transfer_phases.consults_on, "consulting before a transfer", {}),
        (transfer_phases.is_transferred_after_consultation, "consulting, transferred meanwhile", {}),
        (queue_phases.waits_in_a_queue, "waiting in a queue", waiting),
        (queue_phases.waits_in_a_queue_which_rings, "waiting in a queue, which rings meanwhile", waiting),
        (queue_phases.queue_rings_on, "ringing from a queue", agents),
        (queue_phases.joins_a_queue, "a queue joined meanwhile", waiting),
        (comes_and_stays, "a ring group called meanwhile", group),
        (comes_and_goes, "a call that comes and goes meanwhile", one),
    ]  # fmt: skip
    return [
        Plot(number=number, variant=variant, title=title, play=play, **block)
        for number, (play, title, block) in enumerate(made, 40)
    ]
