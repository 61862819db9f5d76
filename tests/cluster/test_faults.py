"""What breaks in a cluster, met by calls in every phase at both PBXs: the plays of the fault matrix on two notifiers.

Within 2 s every card is right, on whichever notifier it is shown, and nobody is told of a call that is not his.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest
import pytest_asyncio

from demo.postgres import Postgres
from tests.cluster.stage import NOTIFIER_CABLES, SIDES, TAP_CABLES, ClusterStage, ready, staged
from tests.faults.faults import Fault
from tests.faults.play import USERS, Play
from tests.faults.stage import Stage

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]
BYSTANDERS = range(1, 4)
ODD = 1
_PLAY_USERS = USERS + USERS % 2  # so that each play's first user is at the same PBX


def _on(step: Callable[[ClusterStage], Any]) -> Callable[[Stage], Any]:
    return cast("Callable[[Stage], Any]", step)


def nothing(stage: ClusterStage) -> None:
    """It stays broken while the cards get right."""


async def rolling_restart(stage: ClusterStage) -> None:
    for side in SIDES:
        there = [page for page in stage.pages.values() if page.at == stage.notifiers[side].url]
        assert there
        await stage.stop_notifier(side)
        assert {code for page in there for code in page.closes} == {1012}, "pages are told to come back"
        await stage.start_notifier(side)


async def kill_leader(stage: ClusterStage) -> None:
    (await stage.engine.leader()).kill()


def start_the_dead(stage: ClusterStage) -> None:
    for node in stage.engine.nodes:
        if not node.running:
            node.start()


def start_all(stage: ClusterStage) -> None:
    stage.engine.start()


async def plug_notifier(stage: ClusterStage) -> None:
    assert not await asyncio.to_thread(ready, stage.notifiers[ODD]), "whoever asks is told that it has no news"
    stage.cables.plug(NOTIFIER_CABLES[ODD])


FAULTS = (
    Fault(
        name="a notifier killed",
        break_it=_on(lambda s: s.notifiers[ODD].kill("notifier")),
        mend=_on(nothing),
        seconds=0.5,
    ),
    Fault(name="notifiers restarted in turn", break_it=_on(rolling_restart), mend=_on(nothing), seconds=0),
    Fault(name="the leading NATS server killed", break_it=_on(kill_leader), mend=_on(nothing), seconds=0.5),
    Fault(name="it is killed and started again", break_it=_on(kill_leader), mend=_on(start_the_dead)),
    Fault(name="all NATS servers killed", blind=True, break_it=_on(lambda s: s.engine.kill()), mend=_on(start_all)),
    Fault(
        name="a tap cut off from NATS",
        blind=True,
        break_it=_on(lambda s: s.cables.pull(TAP_CABLES[ODD])),
        mend=_on(lambda s: s.cables.plug(TAP_CABLES[ODD])),
        seconds=4,
    ),
    Fault(
        name="a notifier cut off from NATS",
        blind=True,
        break_it=_on(lambda s: s.cables.pull(NOTIFIER_CABLES[ODD])),
        mend=_on(plug_notifier),
        seconds=4,
    ),
    Fault(
        name="a tap killed",
        blind=True,
        break_it=_on(lambda s: s.hosts[ODD].kill("tap")),
        mend=_on(lambda s: s.hosts[ODD].start("tap")),
        deaf=True,
    ),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(module_postgres: Postgres) -> AsyncIterator[ClusterStage]:
    async with staged(module_postgres, BYSTANDERS.stop + _PLAY_USERS * len(FAULTS)) as stage:
        yield stage


@pytest.mark.parametrize("number", range(len(FAULTS)), ids=[fault.name.replace(" ", "_") for fault in FAULTS])
async def test_every_card_is_right_within_2_s_and_only_its_owner_sees_it(
    stage: ClusterStage, number: int, record_property: Callable[[str, object], None]
) -> None:
    fault = FAULTS[number]
    first = BYSTANDERS.stop + number * _PLAY_USERS
    play = Play(cast("Stage", stage), fault, range(first, first + USERS), BYSTANDERS)
    try:
        await play.run()
        record_property("fault", (fault.name, play.took))
        assert not play.wrong, "\n".join([*play.wrong, stage.logs()])
    finally:
        with contextlib.suppress(AssertionError):
            await stage.heal()
