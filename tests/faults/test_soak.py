"""A short soak: see tests/faults/soak.py. `make soak` runs it for long."""

import itertools

from demo.postgres import Postgres
from tests.faults.soak import BYSTANDERS, CALLED, soak
from tests.faults.stage import staged


async def test_a_short_soak_loses_doubles_and_misdirects_nothing(own_postgres: Postgres) -> None:
    async with staged(own_postgres, CALLED + BYSTANDERS) as stage:
        result = await soak(minutes=0.4, rate=15, seed=7, say=print, stage=stage)
    print(*result.report(), sep="\n")
    assert result.calls > 100
    assert result.faults.total() >= 2
    assert result.clean, "\n".join(itertools.islice(result.report(), 100))
