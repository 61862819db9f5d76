"""An installation on Debian 13: what another Python and systemd could break, then its later life: upgrade, going back a
release, new secrets, a new host. The tests build on each other, in this order. Debian 12, and faults: test_host.py.
"""

import asyncio
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from demo.postgres import Postgres
from tests.systemd.calls import one_call
from tests.systemd.conftest import NEXT_VERSION, SERVICES, Host, booted_host

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def host(archive: Path, crm: Postgres) -> Iterator[Host]:
    with booted_host("trixie", archive, crm) as host:
        yield host


async def test_one_command_installs_everything_and_a_call_shows_its_card(host: Host) -> None:
    assert "VERSION_CODENAME=trixie" in (host.container.path / "etc/os-release").read_text()
    said = (await asyncio.to_thread(host.install)).stdout
    for service in SERVICES:
        assert f"{service}.service is running" in said
    await asyncio.to_thread(host.wait_in_step)
    await one_call(host)
    done = host.container.run("zvonok", "check", "--strict", check=False)
    assert done.returncode == 0, done.stdout


def test_systemd_has_nothing_to_say_about_the_units(host: Host) -> None:
    units = [f"/usr/local/lib/systemd/system/{name}" for name in (*(f"{s}.service" for s in SERVICES), "zvonok.target")]
    verified = host.container.run("systemd-analyze", "verify", *units)
    assert verified.stdout + verified.stderr == ""
    for service in SERVICES:
        host.container.run("systemd-analyze", "security", "--threshold=20", f"{service}.service")


def test_a_service_that_is_killed_or_hangs_is_replaced(host: Host) -> None:
    for signal, seconds in (("KILL", 5), ("STOP", 5)):
        old = host.pid("zvonok-fastagi")
        host.container.run("kill", f"-{signal}", str(old))
        host.container.wait_until(
            f"it is back after SIG{signal}",
            lambda old=old: host.pid("zvonok-fastagi") not in (0, old) and host.running("zvonok-fastagi"),
            seconds=seconds,
        )


async def test_the_next_archive_upgrades_and_overwrites_nothing_of_the_administrators(
    installed: Host, next_archive: Path
) -> None:
    container = installed.container
    first = container.run("readlink", "/opt/zvonok/current").stdout.strip()
    env = container.path / "etc/zvonok/zvonok.env"
    with env.open("a") as file:
        file.write("# the administrator's own line\n")
    settings = env.read_text()
    drop_in = container.path / "etc/systemd/system/zvonok-tap.service.d/override.conf"
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("[Service]\nLimitNOFILE=5000\n")
    installed.installer = installed.unpack(next_archive)
    installed.settings |= {"ZVONOK_AMI_PORT": "1"}
    said = installed.install().stdout
    assert "not given the environment's ZVONOK_AMI_PORT. Edit it" in said
    assert "applied 999_next" in said
    assert container.run("zvonok", "--version").stdout == f"zvonok {NEXT_VERSION}\n"
    second = container.run("readlink", "/opt/zvonok/current").stdout.strip()
    assert second != first
    assert env.read_text() == settings
    assert container.property("zvonok-tap.service", "LimitNOFILE") == "5000"
    releases = set(container.run("ls", "/opt/zvonok/releases").stdout.split())
    assert releases == {name.split("/")[1] for name in (first, second)}
    await asyncio.to_thread(installed.wait_in_step)
    await one_call(installed)


async def test_going_back_is_one_command_and_the_older_release_works_with_the_newer_database(installed: Host) -> None:
    container = installed.container
    env = container.path / "etc/zvonok/zvonok.env"
    settings = env.read_text()
    with env.open("a") as file:
        file.write("ZVONOK_OF_THE_NEXT_RELEASE=1\n")
    refused = container.run("/opt/zvonok/current/share/install.sh", "--back", check=False)
    assert refused.returncode == 1
    assert "ZVONOK_OF_THE_NEXT_RELEASE: no such setting" in refused.stderr
    assert container.run("zvonok", "--version").stdout == f"zvonok {NEXT_VERSION}\n"
    with env.open("w") as file:
        file.write(settings)
    container.run("/opt/zvonok/current/share/install.sh", "--back")
    assert container.run("zvonok", "--version").stdout != f"zvonok {NEXT_VERSION}\n"
    await asyncio.to_thread(installed.wait_in_step)
    await one_call(installed)
    checked = container.run("zvonok", "check").stdout
    assert "WARN database, migrations: this database was migrated by a newer release of Zvonok (999_next)" in checked


async def test_secrets_are_rotated_as_the_docs_say(installed: Host) -> None:
    container, pbx = installed.container, installed.pbx
    old = installed.token(1)
    manager = pbx.etc / "manager.d" / "zvonok.conf"
    fresh = {name: secrets.token_hex(32) for name in ("AUTH_SECRET", "INTAKE_SECRET", "AMI_SECRET")}
    manager.write_text(re.sub(r"(?m)^secret = .*$", f"secret = {fresh['AMI_SECRET']}", manager.read_text()))
    pbx.cli("manager reload")
    installed.set(**fresh)
    container.run("systemctl", "restart", "zvonok-tap", "zvonok-notifier")
    await asyncio.to_thread(installed.wait_in_step)
    await one_call(installed)  # with a token signed by the new secret
    url = f"http://127.0.0.1:{installed.users_port}/api/calls"
    async with aiohttp.ClientSession() as session:
        for token, status in ((old, 401), (installed.token(1), 200)):
            async with session.get(url, headers={"Authorization": f"Bearer {token}"}) as answer:
                assert answer.status == status


def test_a_secret_can_lie_in_a_file_that_only_root_can_read(installed: Host) -> None:
    container = installed.container
    env = container.path / "etc/zvonok/zvonok.env"
    text = env.read_text()
    secret = re.search(r"^ZVONOK_AMI_SECRET=(.*)$", text, re.MULTILINE)
    assert secret is not None
    (container.path / "etc/zvonok/credentials/ami_secret").write_text(secret[1] + "\n")
    (container.path / "etc/zvonok/credentials/ami_secret").chmod(0o600)
    with env.open("w") as file:
        file.write(text.replace(secret[0], "#moved into credentials/"))
    container.run("systemctl", "restart", "zvonok.target")
    installed.wait_in_step()


async def test_a_new_host_goes_on_with_the_settings_from_the_old_ones_back_up(host: Host) -> None:
    container = host.container
    container.run("tar", "--create", "--file", "/root/back-up.tar", "/etc/zvonok")  # as docs/operations.md says
    settings = (container.path / "etc/zvonok/zvonok.env").read_text()
    container.run("/opt/zvonok/current/share/install.sh", "--uninstall")
    container.run("rm", "-rf", "/etc/zvonok", "/var/lib/zvonok")
    container.run("userdel", "zvonok")
    container.run("useradd", "--system", "somebody-else")  # takes the number that was ours
    container.run("tar", "--extract", "--file", "/root/back-up.tar", "--directory", "/")
    host.settings = {}  # nothing but the back-up says what was set
    await asyncio.to_thread(host.install)
    assert (container.path / "etc/zvonok/zvonok.env").read_text() == settings
    assert container.run("stat", "-c", "%a %U %G", "/etc/zvonok/zvonok.env").stdout.strip() == "640 root zvonok"
    await asyncio.to_thread(host.wait_in_step)
    await one_call(host)
