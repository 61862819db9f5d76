"""All targets."""

from typing import Any

from tests.fuzz import cluster_side, pbx_side, people_side, settings_side, tap_side
from tests.fuzz.target import Target

TARGETS: list[Target[Any]] = [
    *pbx_side.TARGETS,
    *tap_side.TARGETS,
    *people_side.TARGETS,
    *settings_side.TARGETS,
    *cluster_side.TARGETS,
]
