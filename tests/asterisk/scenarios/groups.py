"""Several phones for one caller: ring groups, hunt groups, pickup, forwarding, call confirmation."""

from tests.asterisk.leg import Leg
from tests.asterisk.scenarios.stage import Scenario, Stage


def expect_answered_by_2(stage: Stage, queue: str | None) -> None:
    """Phones 1, 2 and 3 rang, and 2 answered."""
    stage.expect(1, "ringing", end="answered_elsewhere", by=2, queue=queue)
    stage.expect(2, "ringing", "talking", end="completed", queue=queue)
    stage.expect(3, "ringing", end="answered_elsewhere", by=2, queue=queue)


async def answered_by_2_of(stage: Stage, ringing: list[Leg], call: Leg, *, queue: str | None) -> None:
    """2 answers, and the caller hangs up after a while."""
    await ringing[1].answer()
    await call.until_answered()
    await ringing[0].until_ended()
    await ringing[2].until_ended()
    await stage.moment()
    await stage.hang_up(call, ringing[1])
    expect_answered_by_2(stage, queue)


async def answered_by_2(stage: Stage, queue: str | None) -> None:
    """The service number rings phones 1, 2 and 3, and 2 answers."""
    ringing, call = await stage.ring_all(1, 2, 3)
    await answered_by_2_of(stage, ringing, call, queue=queue)


async def ring_group(stage: Stage) -> None:
    await answered_by_2(stage, stage.service)


async def hunt_group(stage: Stage) -> None:
    one, two, outside = await stage.phone(1), await stage.phone(2), await stage.outside()
    call = await outside.dial(stage.service)
    first = await one.rings()
    await first.until_ended()
    second = await two.rings()
    await stage.moment()
    await stage.pick_up(second, call)
    await stage.hang_up(call, second)
    stage.expect(1, "ringing", end="missed")
    stage.expect(2, "ringing", "talking", end="completed")


async def pickup(stage: Stage) -> None:
    four = await stage.phone(4)
    ringing, call = await stage.ring_all(1, 2)
    taken = await four.dial(stage.number(9))
    await taken.until_answered()
    await call.until_answered()
    for leg in ringing:
        await leg.until_ended()
    await stage.moment()
    await stage.hang_up(call, taken)
    stage.expect(1, "ringing", end="answered_elsewhere", by=4, queue=stage.service)
    stage.expect(2, "ringing", end="answered_elsewhere", by=4, queue=stage.service)
    stage.expect(4, "talking", end="completed", queue=stage.service)


async def pickup_by_feature_code(stage: Stage) -> None:
    four = await stage.phone(4)
    ringing, call = await stage.ring()
    taken = await four.dial("*8")
    await taken.until_answered()
    await call.until_answered()
    await ringing.until_ended()
    await stage.moment()
    await stage.hang_up(call, taken)
    stage.expect(1, "ringing", end="answered_elsewhere", by=4)
    stage.expect(4, "talking", end="completed")


async def several_phones_of_one_user(stage: Stage) -> None:
    ringing, call = await stage.ring_all(1, 2)
    ringing[0].refuse(486)
    await stage.moment()
    await stage.pick_up(ringing[1], call)
    await stage.hang_up(call, ringing[1])
    # The first phone refused and the second answered: the card is that of the phone he talks on, and stays it.
    stage.expect(1, "ringing", "talking", end="completed", queue=stage.service, line=stage.number(2))


async def colleague_of_one_with_several_phones(stage: Stage) -> None:
    """Phones 1 and 2 belong to user 1, phone 3 to user 3, who answers."""
    ringing, call = await stage.ring_all(1, 2, 3)
    await stage.pick_up(ringing[2], call)
    await stage.hang_up(call, ringing[2])
    stage.expect(1, "ringing", end="answered_elsewhere", by=3, queue=stage.service)
    stage.expect(3, "ringing", "talking", end="completed", queue=stage.service)


async def confirmed(stage: Stage) -> None:
    leg, call = await stage.ring(stage.service)
    await stage.pick_up(leg)  # he is asked to press 1
    await leg.press("1")
    await call.until_answered()
    await stage.moment()
    await stage.hang_up(call, leg)
    stage.expect(1, "ringing", "talking", end="completed")


async def not_confirmed(stage: Stage) -> None:
    leg, call = await stage.ring(stage.service)
    await stage.pick_up(leg)
    await leg.press("2")
    await leg.until_ended()
    await call.until_ended()
    stage.expect(1, "ringing", end="rejected")


async def confirmed_in_a_group(stage: Stage) -> None:
    (first, second), call = await stage.ring_all(1, 2)
    await first.answer()
    await second.until_ended()  # Asterisk stops the others before he confirms
    await stage.moment()
    await first.press("1")
    await call.until_answered()
    await stage.moment()
    await stage.hang_up(call, first)
    stage.expect(1, "ringing", "talking", end="completed", queue=stage.service)
    stage.expect(2, "ringing", end="answered_elsewhere", by=1, queue=stage.service)


async def forwarded(stage: Stage) -> None:
    one, two, outside = await stage.phone(1), await stage.phone(2), await stage.outside()
    one.on_invite = lambda leg: leg.refuse(302, forward_to=stage.number(2))
    call = await outside.dial(stage.number(1))
    leg = await two.rings()
    await stage.moment()
    await stage.pick_up(leg, call)
    await stage.hang_up(call, leg)
    stage.expect(1, "ringing", end="transferred")
    stage.expect(2, "ringing", "talking", end="completed")


GROUP = """
exten => <0>,1,<hook>
exten => <0>,n,Dial(PJSIP/<1>&PJSIP/<2>&PJSIP/<3>,60)
"""
TWO = """
exten => <0>,1,<hook>
exten => <0>,n,Dial(PJSIP/<1>&PJSIP/<2>,60)
"""
HUNT = """
exten => <0>,1,<hook>
exten => <0>,n,Dial(PJSIP/<1>,1)
exten => <0>,n,Dial(PJSIP/<2>,60)
"""
CONFIRM = """
exten => <0>,1,<hook>
exten => <0>,n,Dial({phones},60,U(confirm))
"""
PICKUP_GROUP = TWO + "exten => <9>,1,Pickup(<0>@lab)"

SCENARIOS = [
    Scenario(number=8, title="Ring group (Dial), one answers", play=ring_group, phones="1234", extensions=GROUP),
    Scenario(number=9, title="Hunt group, one after another", play=hunt_group, extensions=HUNT),
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
    Scenario(number=19, title="Pickup by a colleague", play=pickup, phones="1245", extensions=PICKUP_GROUP),
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
        number=23,
        variant=1,
        title="One user, several phones; a colleague answers",
        play=colleague_of_one_with_several_phones,
        extensions=GROUP,
        owners={"1": ("1", "2"), "3": ("3",)},
    ),
]
