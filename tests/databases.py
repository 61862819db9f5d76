"""Databases for the tests: one real server a session, and for each test a fresh database in a few milliseconds.

`bare_database_url` is an empty database; `database_url` is one with our migrations, copied from a template;
`own_postgres` is a server of the test's own, to be restarted, frozen and killed (`module_postgres`: of the file's).
"""

import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from demo.postgres import NOT_DURABLE, Postgres, PostgresError, find_binaries, temporary_postgres
from sql.runner import migrate
from tests.levels import unavailable

_TEMPLATE = "zvonok_template"


class Databases:
    """Makes and drops databases on one server."""

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self._numbers = itertools.count(1)
        self._template_ready = False

    def create(self, *, migrated: bool) -> str:
        """A new database's name."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            if not migrated:
                connection.execute(f'CREATE DATABASE "{name}"')
                return name
            if not self._template_ready:
                connection.execute(f'CREATE DATABASE "{_TEMPLATE}"')
                migrate(self.server.url(_TEMPLATE))
                self._template_ready = True
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{_TEMPLATE}" STRATEGY FILE_COPY')
        return name

    def drop(self, name: str) -> None:
        """Drop the database `name`, whoever is still connected."""
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """The session's server, started when the first test asks for it."""
    _binaries_or_skip()
    with temporary_postgres() as server:
        yield Databases(server)


@pytest.fixture
def bare_database_url(databases: Databases) -> Iterator[str]:
    """The URL of an empty database."""
    name = databases.create(migrated=False)
    yield databases.server.url(name)
    databases.drop(name)


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """The URL of a database with our migrations and no rows."""
    name = databases.create(migrated=True)
    yield databases.server.url(name)
    databases.drop(name)


@pytest.fixture(scope="session")
def _server_template() -> Iterator[Path]:
    """A stopped server's data with our migrations in the database `postgres`, to be copied."""
    _binaries_or_skip()
    directory = Path(tempfile.mkdtemp(prefix="zvonok-pgtemplate-"))
    server = Postgres(directory, options=NOT_DURABLE)
    try:
        server.start()
        migrate(server.url())
        server.stop()
        yield directory
    finally:
        server.stop()
        server.remove_sockets()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def own_postgres(_server_template: Path) -> Iterator[Postgres]:
    """A running server for this test alone; its database `postgres` has our migrations."""
    with copied_server(_server_template) as server:
        yield server


@pytest.fixture(scope="module")
def module_postgres(_server_template: Path) -> Iterator[Postgres]:
    """The same for all tests of a file."""
    with copied_server(_server_template) as server:
        yield server


@contextlib.contextmanager
def copied_server(template: Path) -> Iterator[Postgres]:
    """A running server with a copy of the stopped one's data."""
    directory = Path(tempfile.mkdtemp(prefix="zvonok-pgown-"))
    server = Postgres(directory, options=NOT_DURABLE)
    try:
        shutil.copytree(template / "data", directory / "data")
        status = (template / "data").stat()
        for path in (directory, *directory.rglob("*")):
            shutil.chown(path, status.st_uid, status.st_gid)
        server.start()
        yield server
    finally:
        server.stop()
        server.remove_sockets()
        shutil.rmtree(directory, ignore_errors=True)


def _binaries_or_skip() -> None:
    try:
        find_binaries()
    except PostgresError as exc:
        unavailable(str(exc))
