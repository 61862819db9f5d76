"""Running Asterisks for the tests of this level, one of a kind a session."""

from collections.abc import Iterator

import pytest

from tests.asterisk.instance import Asterisk
from tests.asterisk.lab import VERSIONS, asterisk, office


@pytest.fixture(scope="session", params=VERSIONS, ids=[f"asterisk-{version}" for version in VERSIONS])
def office_pbx(request: pytest.FixtureRequest) -> Iterator[Asterisk]:
    """The small office on a real Asterisk, 22 and 16.28 in turn."""
    with asterisk(request.param, office()) as pbx:
        yield pbx
