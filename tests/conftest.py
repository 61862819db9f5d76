"""Fixtures of every level, and which tests share a worker when they are spread over several (`make test`)."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.databases import _server_template, bare_database_url, database_url, databases, own_postgres

__all__ = ["_server_template", "bare_database_url", "database_url", "databases", "own_postgres"]

_ROOT = Path(__file__).parent
# What these levels start is dear, so each folder, or file where that is named, is one worker's (browser/ has its own
# rule).
_TOGETHER = (
    "demo",
    "systemd",
    "asterisk",
    "asterisk/test_whole_way.py",
    "asterisk/test_calls_go_through.py",
)


@pytest.hookimpl(wrapper=True)  # before xdist reads the marks: wrappers come before everybody
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, object, object]:
    """Put the tests of one dear thing into one xdist group, an Asterisk of each version into one of its own."""
    for item in items:
        if item.get_closest_marker("xdist_group") is not None:
            continue
        path = item.path.relative_to(_ROOT).as_posix()
        group = max((place for place in _TOGETHER if path.startswith(place)), key=len, default=None)
        if group is None:
            continue
        if group == "asterisk":
            group += "-16" if "[" in item.name and "16" in item.name.partition("[")[2] else "-22"
        item.add_marker(pytest.mark.xdist_group(group))
    return (yield)
