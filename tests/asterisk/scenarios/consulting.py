"""The call changes hands after a question to the colleague: attended transfers, and blonde ones while he rings."""

import asyncio

from tests.asterisk.leg import Leg
from tests.asterisk.scenarios.stage import Scenario, Stage
from tests.asterisk.scenarios.transfers import FEATURES, talk_to_1


async def _consults(stage: Stage) -> tuple[Leg, Leg, Leg, Leg]:
    """User 1 holds the caller and calls 2, who rings: his leg, the caller's, the consultation's, that of 2."""
    two = await stage.phone(2)
    leg, call = await talk_to_1(stage)
    await leg.hold()
    consultation = await leg.phone.dial(stage.number(2))
    second = await two.rings()
    await consultation.until_ringing()
    await stage.moment()
    return leg, call, consultation, second


async def _consults_by_code(stage: Stage) -> tuple[Leg, Leg, Leg]:
    """The same by the feature code *2: his leg, the caller's, that of 2."""
    two = await stage.phone(2)
    leg, call = await talk_to_1(stage, stage.service)
    await leg.press("*2")
    await asyncio.sleep(1.5)  # "transfer"
    await leg.press(stage.number(2))
    second = await two.rings()
    await stage.moment()
    return leg, call, second


def _expect_after_answer(stage: Stage) -> None:
    own = stage.number(1)
    stage.expect(1, "ringing", "talking", end="transferred")
    stage.expect(2, ("ringing", own), ("talking", own), ("talking", stage.caller()), end="completed")


def _expect_while_ringing(stage: Stage) -> None:
    stage.expect(1, "ringing", "talking", end="transferred")
    stage.expect(2, ("ringing", stage.number(1)), "ringing", "talking", end="completed")


async def attended(stage: Stage) -> None:
    leg, call, consultation, second = await _consults(stage)
    await stage.pick_up(second, consultation)
    await leg.refer(stage.number(2), replaces=consultation)
    await second.until_shows(stage.caller())
    await leg.until_ended()
    await stage.moment()
    await stage.hang_up(call, second)
    _expect_after_answer(stage)


async def attended_by_feature_code(stage: Stage) -> None:
    leg, call, second = await _consults_by_code(stage)
    await stage.pick_up(second)
    await leg.hangup()
    await asyncio.sleep(1.0)
    await stage.moment()
    await stage.hang_up(call, second)
    _expect_after_answer(stage)


async def attended_by_sipp(stage: Stage) -> None:
    """Phone 1 is a SIPp: it answers, holds nothing, calls 2 beside it, and connects the two."""
    two, outside = await stage.phone(2), await stage.outside()
    one = await stage.sipp_phone(1, "attended-transfer", target=stage.number(2))
    call = await outside.dial(stage.number(1))
    second = await two.rings()
    await stage.moment()
    await second.answer()
    await second.until_shows(stage.caller())
    await one.done()
    await stage.moment()
    await stage.hang_up(call, second)
    _expect_after_answer(stage)


async def attended_by_ami(stage: Stage) -> None:
    """The AMI action Atxfer presses the feature code for him; he hangs up when 2 has answered."""
    two = await stage.phone(2)
    leg, call = await talk_to_1(stage, stage.service)
    channel = await stage.channel_of(1)
    answer = await stage.lab.action("Atxfer", Channel=channel, Context="lab", Exten=stage.number(2))
    if answer["Response"] != "Success":
        raise RuntimeError(f"Atxfer: {answer['Message']}")
    second = await two.rings()
    await stage.moment()
    await stage.pick_up(second)
    await leg.hangup()
    await asyncio.sleep(1.0)
    await stage.moment()
    await stage.hang_up(call, second)
    _expect_after_answer(stage)


async def blonde(stage: Stage) -> None:
    leg, call, consultation, second = await _consults(stage)
    await leg.refer(stage.number(2), replaces=consultation)
    await stage.moment()
    await second.answer()
    await leg.until_ended()
    await stage.moment()
    await stage.hang_up(call, second)
    _expect_while_ringing(stage)


async def blonde_by_feature_code(stage: Stage) -> None:
    leg, call, second = await _consults_by_code(stage)
    await leg.hangup()
    await stage.moment()
    await second.answer()
    await asyncio.sleep(1.0)
    await stage.moment()
    await stage.hang_up(call, second)
    _expect_while_ringing(stage)


async def attended_to_voicemail(stage: Stage) -> None:
    leg, call = await talk_to_1(stage)
    await leg.hold()
    consultation = await leg.phone.dial(stage.number(9))
    await consultation.until_answered()
    await stage.moment()
    await leg.refer(stage.number(9), replaces=consultation)
    await leg.until_ended()
    await stage.moment()
    await call.hangup()
    stage.expect(1, "ringing", "talking", end="transferred")


VOICEMAIL = """
exten => <9>,1,VoiceMail(600@default,s)
"""

SCENARIOS = [
    Scenario(number=16, title="Attended transfer (REFER with Replaces)", play=attended),
    Scenario(
        number=16,
        variant=1,
        title="Attended transfer (feature code)",
        play=attended_by_feature_code,
        extensions=FEATURES,
    ),
    Scenario(number=16, variant=2, title="Attended transfer (AMI action)", play=attended_by_ami, extensions=FEATURES),
    Scenario(number=16, variant=3, title="Attended transfer (REFER with Replaces from SIPp)", play=attended_by_sipp),
    Scenario(number=17, title="Blonde transfer (REFER while it rings)", play=blonde),
    Scenario(
        number=17, variant=1, title="Blonde transfer (feature code)", play=blonde_by_feature_code, extensions=FEATURES
    ),
    Scenario(
        number=18,
        variant=1,
        title="Attended transfer to voicemail",
        play=attended_to_voicemail,
        phones="12",
        extensions=VOICEMAIL,
    ),
]
