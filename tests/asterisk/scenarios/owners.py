"""Whose a call is: numbers of one, of several and of nobody; calls inside the house, out of it, and anonymous ones."""

from tests.asterisk.phones import Phone
from tests.asterisk.scenarios.simple import answered
from tests.asterisk.scenarios.stage import Scenario, Stage


async def _call(stage: Stage, caller: Phone, number: str, called: Phone, *, privacy: bool = False) -> None:
    """The whole of a call that is answered and that the called person ends."""
    call = await caller.dial(number, privacy=privacy)
    leg = await called.rings()
    await stage.moment()
    await stage.pick_up(leg, call)
    await stage.hang_up(call, leg)


async def _did(stage: Stage) -> None:
    leg, call = await stage.ring(stage.did)
    await stage.pick_up(leg, call)
    await stage.hang_up(call, leg)


async def did_of_the_owner(stage: Stage) -> None:
    """The phone's number belongs to nobody, the DID to user 3."""
    await _did(stage)
    stage.expect(3, "ringing", "talking", end="completed", line=stage.did)


async def did_and_phone_of_two_owners(stage: Stage) -> None:
    """The DID belongs to user 3, the phone that answers to user 1."""
    await _did(stage)
    stage.expect(3, "ringing", end="answered_elsewhere", by=1, line=stage.did)
    stage.expect(1, "ringing", "talking", end="completed")


async def nobodys_number(stage: Stage) -> None:
    await _did(stage)


async def two_owners(stage: Stage) -> None:
    await answered(stage)
    stage.expect(2, "ringing", "talking", end="completed", line=stage.number(1))


async def anonymous(stage: Stage) -> None:
    desk, outside = await stage.phone(1), await stage.outside()
    await _call(stage, outside, stage.number(1), desk, privacy=True)
    stage.expect(1, ("ringing", None), ("talking", None), end="completed")


async def internal(stage: Stage) -> None:
    one, two = await stage.phones(1, 2)
    await _call(stage, two, stage.number(1), one)
    stage.expect(1, ("ringing", stage.number(2)), ("talking", stage.number(2)), end="completed")


async def colleague_calls_out(stage: Stage) -> None:
    """The trunk bears the name of a user's number: a call out through it is not a call to him."""
    two, far_end = await stage.phone(2), await stage.phone(1)
    await _call(stage, two, stage.service, far_end)


async def click_to_call(stage: Stage) -> None:
    """The CRM makes phone 1 ring and, when its owner picks up, calls phone 2 for him."""
    one, two = await stage.phones(1, 2)
    await stage.lab.action(
        "Originate",
        Channel=f"PJSIP/{stage.number(1)}",
        Context="lab",
        Exten=stage.number(2),
        Priority="1",
        CallerID=f"<{stage.number(1)}>",
        Async="true",
    )
    leg = await one.rings()
    await stage.moment()
    await leg.answer()
    called = await two.rings()
    await stage.moment()
    await stage.pick_up(called)
    await stage.hang_up(leg, called)
    stage.expect(2, ("ringing", stage.number(1)), ("talking", stage.number(1)), end="completed")


async def did_of_one_group_of_others(stage: Stage) -> None:
    """The DID belongs to user 3, the phones of the group that it rings to 1 and 2."""
    phones, outside = await stage.phones(1, 2), await stage.outside()
    call = await outside.dial(stage.did)
    ringing = [await phone.rings() for phone in phones]
    await stage.moment()
    await stage.pick_up(ringing[1], call)
    await stage.hang_up(call, ringing[1])
    stage.expect(1, "ringing", end="answered_elsewhere", by=2)
    stage.expect(2, "ringing", "talking", end="completed")
    stage.expect(3, "ringing", end="answered_elsewhere", by=2, line=stage.did)


async def comes_in_through_the_trunk(stage: Stage) -> None:
    """The trunk bears the name of user 1's number; what comes in through it is for the user of phone 2 alone."""
    desk, far_end = await stage.phone(2), await stage.phone(1)
    await _call(stage, far_end, stage.number(2), desk)
    stage.expect(2, ("ringing", stage.number(1)), ("talking", stage.number(1)), end="completed")


async def calls_a_colleagues_mobile(stage: Stage) -> None:
    """User 2 calls out through that trunk to a number which is user 3's: it is a call to him, and to nobody else."""
    two, far_end = await stage.phone(2), await stage.phone(1)
    await _call(stage, two, stage.service, far_end)
    number = stage.number(2)
    stage.expect(3, ("ringing", number), ("talking", number), end="completed", line=stage.did)


DID_TO_1 = """
exten => <did>,1,<hook>
exten => <did>,n,Dial(PJSIP/<1>,60)
"""
OUT = """
exten => <0>,1,Dial(PJSIP/89161112233@<1>,60)
"""
MOBILE = """
exten => <0>,1,<hook>
exten => <0>,n,Dial(PJSIP/<did>@<1>,60)
"""
DID_TO_GROUP = """
exten => <did>,1,<hook>
exten => <did>,n,Dial(PJSIP/<1>&PJSIP/<2>,60)
"""

SCENARIOS = [
    Scenario(
        number=1,
        variant=2,
        title="DID of user 3, phone of nobody",
        play=did_of_the_owner,
        extensions=DID_TO_1,
        owners={"3": ("did",), "2": ("2",)},
    ),
    Scenario(
        number=1,
        variant=3,
        title="DID of user 3, phone of user 1",
        play=did_and_phone_of_two_owners,
        extensions=DID_TO_1,
        owners={"3": ("did",), "2": ("2",), "1": ("1",)},
    ),
    Scenario(
        number=1,
        variant=4,
        title="A number of nobody",
        play=nobodys_number,
        extensions=DID_TO_1,
        owners={"2": ("2",), "3": ("3",)},
    ),
    Scenario(number=24, title="Click-to-call (Originate)", play=click_to_call),
    Scenario(number=29, title="Anonymous caller", play=anonymous, phones="12"),
    Scenario(number=30, title="Internal call", play=internal),
    Scenario(
        number=30,
        variant=1,
        title="A colleague calls out through a trunk named like a user's number",
        play=colleague_calls_out,
        phones="123",
        extensions=OUT,
        announces=False,
    ),
    Scenario(number=31, title="Several records for one number", play=answered, phones="12", outside_dealers=2),
    Scenario(
        number=32, title="Two users own one number", play=two_owners, owners={"1": ("1",), "2": ("1",), "3": ("3",)}
    ),
    Scenario(
        number=1,
        variant=5,
        title="DID of user 3 rings the phones of users 1 and 2",
        play=did_of_one_group_of_others,
        extensions=DID_TO_GROUP,
        owners={"3": ("did",), "2": ("2",), "1": ("1",)},
    ),
    Scenario(
        number=30,
        variant=2,
        title="A call comes in through a trunk named like a user's number",
        play=comes_in_through_the_trunk,
    ),
    Scenario(
        number=30,
        variant=3,
        title="A colleague calls a user's mobile through that trunk",
        play=calls_a_colleagues_mobile,
        extensions=MOBILE,
        owners={"1": ("1",), "2": ("2",), "3": ("did",)},
    ),
]
