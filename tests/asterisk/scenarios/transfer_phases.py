"""Calls in the phases of a transfer when something breaks; plot.py says how they are written."""

from collections.abc import AsyncIterator

from tests.asterisk.leg import Leg
from tests.asterisk.scenarios.plot import Cards, Fault
from tests.asterisk.scenarios.stage import Stage


async def blind_transfer_rings_on(stage: Stage, fault: Fault) -> AsyncIterator[Cards]:
    two = await stage.phone(2)
    leg, call = await stage.ring()
    await stage.pick_up(leg, call)
    await leg.refer(stage.number(2))
    second = await two.rings()
    await leg.until_ended()
    await stage.moment()
    yield {1: ["transferred"], 2: ["ringing"]}
    yield {1: ["transferred"], 2: ["ringing"]}
    await stage.pick_up(second)
    await stage.hang_up(call, second)
    stage.expect(1, "ringing", "talking", end="transferred")
    stage.expect(2, "ringing", "talking", end="completed")


async def is_transferred_blind(stage: Stage, fault: Fault) -> AsyncIterator[Cards]:
    two = await stage.phone(2)
    leg, call = await stage.ring()
    await stage.pick_up(leg, call)
    yield {1: ["talking"]}
    await leg.refer(stage.number(2))
    second = await two.rings()
    await leg.until_ended()
    yield {1: [fault.end("transferred")], 2: ["ringing"]}
    await stage.pick_up(second)
    await stage.hang_up(call, second)
    stage.expect(1, "ringing", "talking", end=fault.end("transferred"))
    stage.expect(2, "ringing", "talking", end="completed")


async def consults_on(stage: Stage, fault: Fault) -> AsyncIterator[Cards]:
    leg, call, consultation, second = await _consults(stage)
    yield {1: ["talking"], 2: ["talking"]}
    yield {1: ["talking"], 2: ["talking"]}
    await leg.refer(stage.number(2), replaces=consultation)
    await second.until_shows(stage.caller())
    await leg.until_ended()
    await stage.moment()
    await stage.hang_up(call, second)
    _handed_over(stage, "transferred")


async def is_transferred_after_consultation(stage: Stage, fault: Fault) -> AsyncIterator[Cards]:
    leg, call, consultation, second = await _consults(stage)
    yield {1: ["talking"], 2: ["talking"]}
    await leg.refer(stage.number(2), replaces=consultation)
    await second.until_shows(stage.caller())
    await leg.until_ended()
    yield {1: [fault.end("transferred")], 2: ["talking"]}
    await stage.moment()
    await stage.hang_up(call, second)
    _handed_over(stage, fault.end("transferred"))


async def _consults(stage: Stage) -> tuple[Leg, Leg, Leg, Leg]:
    """User 1 has put the caller on hold and talks to 2: his leg, the caller's, the consultation's, that of 2."""
    two = await stage.phone(2)
    leg, call = await stage.ring()
    await stage.pick_up(leg, call)
    await leg.hold()
    consultation = await leg.phone.dial(stage.number(2))
    second = await two.rings()
    await stage.moment()
    await stage.pick_up(second, consultation)
    return leg, call, consultation, second


def _handed_over(stage: Stage, end: str) -> None:
    stage.expect(1, "ringing", "talking", end=end)
    own = stage.number(1)
    stage.expect(2, ("ringing", own), ("talking", own), ("talking", stage.caller()), end="completed")
