"""Fixtures of the unit tests."""

import pytest

from tests.pbx_words import Pbx


@pytest.fixture
def pbx() -> Pbx:
    return Pbx()
