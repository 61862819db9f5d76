"""What the tests of a cluster share: an engine of three servers for each file."""

from collections.abc import Iterator

import pytest

from tests.cluster.engine import Engine, engine


@pytest.fixture(scope="module")
def one_node() -> Iterator[Engine]:
    """A single server."""
    with engine(nodes=1) as running:
        yield running
