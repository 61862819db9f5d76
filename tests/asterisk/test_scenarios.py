"""Every scenario end to end on a real Asterisk: real processes, a page for every user (docs/scenarios.md)."""

import pytest

from tests.asterisk.comparing import differs
from tests.asterisk.lab import VERSIONS
from tests.asterisk.matrix import play_matrix, summary, wrong_text
from tests.asterisk.scenarios import SCENARIOS
from tests.asterisk.scenarios.stage import Episode


@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", VERSIONS, ids=[f"asterisk-{version}" for version in VERSIONS])
async def test_every_owner_sees_exactly_his_cards_and_nobody_else_anything(version: str, database_url: str) -> None:
    results = await play_matrix(version, database_url, list(SCENARIOS))
    print(summary(version, results))
    assert len(results) == 2 * len(SCENARIOS)
    assert not any(result.wrong for result in results), wrong_text(results)


def test_the_matrix_holds_every_number_of_the_table() -> None:
    assert {scenario.number for scenario in SCENARIOS} == set(range(1, 35))
    assert len({scenario.key for scenario in SCENARIOS}) == len(SCENARIOS)


@pytest.mark.parametrize(
    ("steps", "shortest", "wrong"),
    [
        ((("ringing", "1"), ("talking", "1"), ("ended", "1")), 1000, False),
        ((("talking", "1"), ("ended", "1")), 10, False),  # a blink of ringing was overtaken
        ((("talking", "1"), ("ended", "1")), 1000, True),
        ((("ringing", "1"), ("talking", "1")), 10, True),  # never ended
        ((("talking", "1"), ("ringing", "1"), ("ended", "1")), 10, True),  # went back
        ((("ringing", "2"), ("talking", "1"), ("ended", "1")), 10, True),  # another caller
    ],
)
def test_the_comparison_forgives_nothing_but_a_state_of_a_blink(
    steps: tuple[tuple[str, str | None], ...], shortest: int, wrong: bool
) -> None:
    expected = Episode(line="101", steps=(("ringing", "1"), ("talking", "1"), ("ended", "1")), end="completed")
    card = Episode(line="101", steps=steps, end="completed")
    assert differs(expected, card, shortest) is wrong
    assert differs(expected, Episode(line="102", steps=expected.steps, end="completed"), shortest)
    assert differs(expected, Episode(line="101", steps=expected.steps, end="missed"), shortest)
