"""All targets."""

from typing import Any

from tests.fuzz import pbx_side, people_side, settings_side, tap_side
from tests.fuzz.target import Target

TARGETS: list[Target[Any]] = [
    *pbx_side.TARGETS,
    *tap_side.TARGETS,
    *people_side.TARGETS,
    *settings_side.TARGETS,
]
