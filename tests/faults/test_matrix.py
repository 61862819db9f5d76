"""The fault matrix: every fault meets calls in every phase at once. `make faults` runs it alone and shows the table."""

import contextlib
import signal
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from demo.postgres import Postgres, PostgresError
from tests.faults.faults import DATABASE_AWAY, FAULTS, Fault
from tests.faults.play import PHASES, USERS, Play
from tests.faults.stage import Stage, staged
from tests.faults.test_directory_faults import freeze

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180 + DATABASE_AWAY)]
BYSTANDERS = range(1, 4)


class Stages:
    """One stage for all plays; after one that failed, a new one. Each play has users who were never called before."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._stack = contextlib.AsyncExitStack()
        self._stage: Stage | None = None
        self._next_user = BYSTANDERS.stop

    async def play(self, fault: Fault) -> Play:
        """Play this fault."""
        if self._stage is None:
            self._stage = await self._stack.enter_async_context(
                staged(self._postgres, BYSTANDERS.stop + USERS * len(FAULTS))
            )
        stage = self._stage
        await stage.in_step()
        users = range(self._next_user, self._next_user + USERS)
        self._next_user = users.stop
        play = Play(stage, fault, users, BYSTANDERS)
        try:
            await play.run()
        finally:
            if play.wrong or PHASES[-1].name not in play.took:
                play.wrong += [f"log of {name}: {stage.zvonok.log(name)[-1500:]}" for name in ("tap", "notifier")]
                await self.close()
        return play

    async def close(self) -> None:
        """Leave nothing behind, whatever state it is in."""
        with contextlib.suppress(PostgresError):
            freeze(self._postgres, signal.SIGCONT)
        self._stage = None
        await self._stack.aclose()
        self._postgres.stop()
        self._postgres.start()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stages(module_postgres: Postgres) -> AsyncIterator[Stages]:
    stages = Stages(module_postgres)
    yield stages
    await stages.close()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "_"))
async def test_after_the_fault_every_card_is_right_within_2_s_and_every_row(
    stages: Stages, fault: Fault, record_property: Callable[[str, object], None]
) -> None:
    play = await stages.play(fault)
    record_property("fault", (fault.name, play.took))
    assert not play.wrong, "\n".join(play.wrong)
