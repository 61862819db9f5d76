"""What a test level needs of the machine, and the one factor that scales every deadline.

On a laptop a level that cannot run is skipped with a sentence that says what is missing; with ZVONOK_TEST_REQUIRE_ALL=1
(CI) the same sentence is a failure.
"""

import os
from typing import NoReturn

import pytest

FACTOR = float(os.environ.get("ZVONOK_TEST_TIME_FACTOR", "1"))


def within(seconds: float) -> float:
    """A deadline of behaviour, in seconds, scaled by ZVONOK_TEST_TIME_FACTOR for slow machines."""
    return seconds * FACTOR


def unavailable(what: str) -> NoReturn:
    """This level cannot run here: skip, or fail where everything must run. `what` says what to install."""
    if os.environ.get("ZVONOK_TEST_REQUIRE_ALL") == "1":
        pytest.fail(f"cannot run, and here nothing may be skipped: {what}", pytrace=False)
    pytest.skip(what)
