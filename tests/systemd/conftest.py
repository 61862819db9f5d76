"""A PBX host of its own for this level: a booted Debian beside a real Asterisk, a database and an archive of ours."""

import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import psycopg
import pytest

from demo.postgres import NOT_DURABLE, Postgres, PostgresError, temporary_postgres
from tests.asterisk import config
from tests.asterisk.instance import Asterisk, free_port
from tests.asterisk.lab import asterisk, office
from tests.asterisk.roots import NoRoot, roots_folder
from tests.levels import unavailable
from tests.notifier_server import Browser
from tests.systemd.container import Container, host_root

DATABASE_SOCKETS = "/srv/crm-database"  # /tmp is private to each hardened service
NEXT_VERSION = "999.0.0"
OLD_ARCHIVE_S = 3600
SERVICES = ("zvonok-fastagi", "zvonok-tap", "zvonok-notifier")


class Host:
    """The PBX host: `container` with Zvonok on it, `pbx` and `postgres` beside it, all on free ports of loopback."""

    def __init__(self, container: Container, pbx: Asterisk, postgres: Postgres, archive: Path) -> None:
        self.container, self.pbx, self.postgres = container, pbx, postgres
        self.agi_port, self.intake_port, self.users_port, self.metrics_port = (
            pbx.ports.agi, free_port(), free_port(), free_port(),
        )  # fmt: skip
        self.installer = self.unpack(archive)
        sockets = re.sub(r".*host=", "", postgres.url())
        self.settings = {
            "ZVONOK_DATABASE_URL": postgres.url().replace(sockets, DATABASE_SOCKETS),
            "ZVONOK_AMI_HOST": "127.0.0.1",
            "ZVONOK_AMI_PORT": str(pbx.ports.ami),
            "ZVONOK_AMI_SECRET": config.TAP_SECRET,
            "ZVONOK_AGI_LISTEN": f"127.0.0.1:{self.agi_port}",
            "ZVONOK_INTAKE_LISTEN": f"127.0.0.1:{self.intake_port}",
            "ZVONOK_NOTIFIER_URL": f"http://127.0.0.1:{self.intake_port}",
            "ZVONOK_HTTP_LISTEN": f"127.0.0.1:{self.users_port}",
            "ZVONOK_TAP_METRICS_LISTEN": f"127.0.0.1:{self.metrics_port}",
        }

    def unpack(self, archive: Path) -> str:
        """Unpack an archive on the host; its installer's path there. An earlier one's dependencies serve it too."""
        root, name = self.container.path / "root", archive.name.removesuffix(".tar.gz")
        subprocess.run(["tar", "--extract", "--file", archive, "--directory", root], check=True)
        if not (root / name / "wheels").exists():
            next(root.glob("zvonok-*/wheels")).rename(root / name / "wheels")
        return f"/root/{name}/install.sh"

    def set(self, **values: str) -> None:
        """Change settings (named without prefix) in /etc/zvonok/zvonok.env as docs/operations.md says."""
        for name, value in values.items():
            self.container.run("sed", "-i", f"s/^ZVONOK_{name}=.*/ZVONOK_{name}={value}/", "/etc/zvonok/zvonok.env")

    def install(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the one command."""
        return self.container.run(self.installer, *arguments, check=check, seconds=120, environment=self.settings)

    def pid(self, service: str) -> int:
        """The container's own id of a service's main process; 0 if it does not run."""
        return int(self.container.property(f"{service}.service", "MainPID"))

    def running(self, service: str) -> bool:
        """Whether systemd holds the service for started (it said READY=1)."""
        state = self.container.property(f"{service}.service", "ActiveState")
        return state == "active" and self.container.property(f"{service}.service", "SubState") == "running"

    def wait_running(self, *, seconds: float = 20) -> None:
        """Wait until all three run."""
        self.container.wait_until("all services run", lambda: all(map(self.running, SERVICES)), seconds=seconds)

    def wait_in_step(self, *, seconds: float = 15) -> None:
        """Wait until a call would be shown: all runs, AMI is in step, and the notifier holds all of the PBX's calls."""
        self.wait_running(seconds=seconds)
        self.container.wait_until("zvonok check is content", self._well, seconds=seconds)

    def _well(self) -> bool:
        done = self.container.run("zvonok", "check", "--json", check=False)
        levels = {(f["part"], f["what"]): f["level"] for f in json.loads(done.stdout)["findings"]}
        return done.returncode == 0 and levels.get(("notifier", "pbx")) == "ok"

    def token(self, user: int) -> str:
        """A user's token, as the installed command prints it."""
        return self.container.run("zvonok", "token", "--user", str(user)).stdout.splitlines()[0]

    @contextlib.asynccontextmanager
    async def browser(self, user: int) -> AsyncIterator[Browser]:
        """A user's page: logged in, its snapshot read."""
        url = f"http://127.0.0.1:{self.users_port}/ws"
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as ws:
            browser = Browser(ws)
            await browser.send(type="auth", token=self.token(user), tab_id=secrets.token_hex(4))
            await browser.receive("hello", seconds=5)
            await browser.receive("snapshot", seconds=5)
            yield browser


@pytest.fixture(scope="session")
def archive() -> Path:
    """The archive with all dependencies in it, as `make archive WHEELS=1` builds it, once for all workers of a run."""
    dist = roots_folder() / "dist"
    run = dist / os.environ.get("PYTEST_XDIST_TESTRUNUID", f"alone-{os.getpid()}")
    dist.mkdir(parents=True, exist_ok=True)
    with (dist / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = list(run.glob("zvonok-*.tar.gz"))
        if found:
            return found[0]
        for older in dist.iterdir():
            if older.is_dir() and time.time() - older.stat().st_mtime > OLD_ARCHIVE_S:
                shutil.rmtree(older)
        command = [Path("install/build-archive").resolve(), sys.executable, run, "--wheels"]
        built = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if built.returncode != 0:
        pytest.fail(f"the archive cannot be built:\n{built.stderr[-3000:]}", pytrace=False)
    return Path(built.stdout.strip())


@pytest.fixture(scope="session")
def next_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of a next release, without dependencies: another version and one migration more."""
    tree, dist = tmp_path_factory.mktemp("next"), tmp_path_factory.mktemp("dist")
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if Path(name).is_file() and not name.startswith(("tests/", "docs/screenshots/")):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, tree / name)
    project = tree / "pyproject.toml"
    project.write_text(re.sub(r'(?m)^version = ".*"$', f'version = "{NEXT_VERSION}"', project.read_text(), count=1))
    (tree / "sql" / "999_next.sql").write_text("-- What the next release adds.\n\nCREATE TABLE zvonok.next (id int);\n")
    command = [tree / "install/build-archive", sys.executable, dist]
    built = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if built.returncode != 0:
        pytest.fail(f"the archive cannot be built:\n{built.stderr[-3000:]}", pytrace=False)
    return Path(built.stdout.strip())


@pytest.fixture(scope="module")
def crm() -> Iterator[Postgres]:
    """The CRM's database with two users and a dealer; nothing of ours yet."""
    try:
        with temporary_postgres({**NOT_DURABLE, "unix_socket_permissions": "0777"}) as server:
            Path(re.sub(r".*host=", "", server.url())).chmod(0o755)
            with psycopg.connect(server.url(), autocommit=True) as connection:
                connection.execute(CRM)
            yield server
    except PostgresError as exc:
        unavailable(str(exc))


CRM = """
CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, email text);
CREATE TABLE user_phones (
  id bigserial PRIMARY KEY, user_id bigint REFERENCES users, phone_number text, phone_type text);
CREATE TABLE companies (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE dealers (id bigint PRIMARY KEY, name text NOT NULL, company_id bigint REFERENCES companies);
CREATE TABLE dealer_phone_numbers (id bigserial PRIMARY KEY, dealer_id bigint REFERENCES dealers, phone_number text);
INSERT INTO users VALUES (1, 'Мария Петрова'), (2, 'Олег Сидоров');
INSERT INTO user_phones (user_id, phone_number, phone_type) VALUES
  (1, '101', 'внутренний'), (1, '8 (495) 123-45-67', 'городской'), (2, '102', 'внутренний');
INSERT INTO companies VALUES (1, 'ООО Ромашка');
INSERT INTO dealers VALUES (1, 'Иван Иванов', 1);
INSERT INTO dealer_phone_numbers (dealer_id, phone_number) VALUES (1, '89271390907');
"""


@contextlib.contextmanager
def booted_host(release: str, archive: Path, crm: Postgres) -> Iterator[Host]:
    """A booted host of this Debian release, an Asterisk 22 and a database; nothing of ours is installed yet."""
    try:
        root = host_root(release)
    except NoRoot as exc:
        unavailable(str(exc))
    sockets = re.sub(r".*host=", "", crm.url())
    with asterisk("22", office()) as pbx:
        container = Container(root, binds=[f"{sockets}:{DATABASE_SOCKETS}"])
        try:
            container.boot()
            yield Host(container, pbx, crm, archive)
        finally:
            container.remove()


@pytest.fixture(scope="module")
def host(archive: Path, crm: Postgres) -> Iterator[Host]:
    """Debian 12."""
    with booted_host("bookworm", archive, crm) as host:
        yield host


@pytest.fixture
def installed(host: Host) -> Iterator[Host]:
    """The host with everything running and in step, whatever the test before did."""
    host.wait_in_step()
    yield host
    for service in SERVICES:
        print(f"--- {service}\n{host.container.journal(service)[-2000:]}")
