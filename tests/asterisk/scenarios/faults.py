"""Somebody fails in mid-call: the AMI connection, the whole PBX, or a single event."""

from tests.asterisk.scenarios.stage import Scenario, Stage
from tests.asterisk.scenarios.transfers import talk_to_1


async def ami_drops_while_talking(stage: Stage) -> None:
    leg, call = await talk_to_1(stage)
    await stage.lose_ami()
    await stage.moment()
    await stage.regain_ami()
    await stage.moment()
    await stage.hang_up(call, leg)
    stage.expect(1, "ringing", "talking", end="completed")


async def ami_drops_while_ringing(stage: Stage) -> None:
    desk, outside = await stage.phone(1), await stage.outside()
    call = await outside.dial(stage.number(1))
    leg = await desk.rings()
    await call.until_ringing()
    await stage.moment()
    await stage.lose_ami()
    await leg.answer()
    await call.until_answered()
    await stage.regain_ami()
    await stage.moment()
    await stage.hang_up(call, leg)
    stage.expect(1, "ringing", "talking", end="completed")


async def call_ends_while_ami_is_away(stage: Stage) -> None:
    leg, call = await talk_to_1(stage)
    await stage.lose_ami()
    await stage.hang_up(call, leg)
    await stage.regain_ami()
    stage.expect(1, "ringing", "talking", end="unknown")


async def pbx_restarts(stage: Stage) -> None:
    await talk_to_1(stage)
    await stage.lose_ami()
    await stage.restart_pbx()
    await stage.regain_ami()
    stage.expect(1, "ringing", "talking", end="unknown")


async def hangup_is_lost(stage: Stage) -> None:
    leg, call = await talk_to_1(stage)
    stage.lose_events(True)
    await stage.hang_up(call, leg)
    await stage.moment()
    stage.lose_events(False)
    await stage.sweep()
    stage.expect(1, "ringing", "talking", end="unknown")


SCENARIOS = [
    Scenario(
        number=26,
        title="AMI drops while the call is talking",
        play=ami_drops_while_talking,
        phones="12",
        alone_on_the_pbx=True,
    ),
    Scenario(
        number=26,
        variant=1,
        title="AMI drops while it rings, it is answered meanwhile",
        play=ami_drops_while_ringing,
        phones="12",
        alone_on_the_pbx=True,
    ),
    Scenario(
        number=26,
        variant=2,
        title="The call ends while AMI is away",
        play=call_ends_while_ami_is_away,
        phones="12",
        alone_on_the_pbx=True,
    ),
    Scenario(number=27, title="The PBX restarts in mid-call", play=pbx_restarts, phones="12", alone_on_the_pbx=True),
    Scenario(number=28, title="A Hangup is lost", play=hangup_is_lost, phones="12", alone_on_the_pbx=True),
]
