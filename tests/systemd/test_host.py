"""Zvonok on a PBX host, from the one command to its removal, under a real systemd and beside a real Asterisk.

The tests build on each other, in this order, as the life of an installation does. Debian 13, and upgrades, are in
test_debian13.py.
"""

import asyncio
import re
import time

import aiohttp
import pytest

from tests.asterisk.phones import Phone
from tests.levels import within
from tests.systemd.calls import DEALER, DID, one_call
from tests.systemd.conftest import SERVICES, Host
from tests.systemd.test_monitoring import ALERTS, documented_metrics, expressions, metrics_in

pytestmark = pytest.mark.timeout(400)


def files(host: Host) -> set[str]:
    """Every path of the host that an installation could touch."""
    found = host.container.run(
        "find", "/etc", "/opt", "/usr", "/var/lib", "/run/systemd/system", "-xdev", "-not", "-path", "*/__pycache__/*"
    )
    return set(found.stdout.splitlines())


@pytest.fixture(scope="module")
def before(host: Host) -> set[str]:
    return files(host)


def test_a_dry_run_tells_every_step_and_changes_nothing(host: Host, before: set[str]) -> None:
    told = host.install("--dry-run").stdout
    for step in ("useradd", "/etc/zvonok/zvonok.env", "-m venv", "--require-hashes", "migrate", "systemctl enable"):
        assert step in told
    assert files(host) == before


def test_who_may_not_install_and_what_it_does_not_know_is_said(host: Host) -> None:
    host.container.run("cp", host.installer, "/tmp/install.sh")
    anybody = host.container.run("runuser", "-u", "nobody", "--", "/tmp/install.sh", check=False)
    assert (anybody.returncode, "must run as root" in anybody.stderr) == (1, True)
    unknown = host.install("--frobnicate", check=False)
    assert (unknown.returncode, "no such option: --frobnicate" in unknown.stderr) == (2, True)


def test_an_installation_that_fails_leaves_no_release_behind(host: Host) -> None:
    lock = host.container.path / host.installer.lstrip("/").replace("install.sh", "requirements.lock")
    right = lock.read_text()
    lock.write_text(re.sub(r"sha256:\w{8}", "sha256:00000000", right))
    try:
        failed = host.install(check=False)
    finally:
        lock.write_text(right)
    assert failed.returncode != 0
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in failed.stderr
    assert "the packages were not installed" in failed.stderr
    assert host.container.run("ls", "/opt/zvonok/releases").stdout == ""
    assert host.container.run("test", "-e", "/opt/zvonok/current", check=False).returncode == 1


def test_one_command_installs_migrates_and_starts_everything(host: Host) -> None:
    said = host.install().stdout
    for service in SERVICES:
        assert f"{service}.service is running" in said
        assert host.container.property(f"{service}.service", "User") == "zvonok"
    assert "dialplan/README.md" in said
    assert host.container.run("zvonok", "migrate", "--status").returncode == 0


def test_secrets_are_generated_and_nobody_else_can_read_them(host: Host) -> None:
    def modes(path: str) -> str:
        return host.container.run("stat", "-c", "%a %U %G", path).stdout.strip()

    assert modes("/etc/zvonok") == "750 root zvonok"
    assert modes("/etc/zvonok/zvonok.env") == "640 root zvonok"
    assert modes("/etc/zvonok/credentials") == "700 root root"
    assert modes("/var/lib/zvonok") == "750 zvonok zvonok"
    text = (host.container.path / "etc/zvonok/zvonok.env").read_text()
    for name in ("AUTH_SECRET", "INTAKE_SECRET", "METRICS_TOKEN"):
        assert re.search(rf"^ZVONOK_{name}=[0-9a-f]{{64}}$", text, re.MULTILINE)
    assert "ZVONOK_PBX_NAME=pbx-one" in text
    for service in SERVICES:  # not in its environment, where a child or a crash report would show them
        environment = host.container.run("cat", f"/proc/{host.pid(service)}/environ").stdout
        assert "SECRET" not in environment


def test_systemd_has_nothing_to_say_about_the_installed_units(host: Host) -> None:
    units = [f"/usr/local/lib/systemd/system/{service}.service" for service in SERVICES]
    verified = host.container.run("systemd-analyze", "verify", *units, "/usr/local/lib/systemd/system/zvonok.target")
    assert verified.stdout + verified.stderr == ""


@pytest.mark.parametrize("account", ["root", "zvonok"])
def test_check_is_content_as_root_and_as_the_services_account(installed: Host, account: str) -> None:
    done = installed.container.run("runuser", "-u", account, "--", "zvonok", "check", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout
    assert ("run this as root" in done.stdout) == (account != "root")  # it cannot see secrets in credentials/
    for part in ("services", "database", "pbx", "notifier"):
        assert f" {part}, " in done.stdout


def test_check_as_somebody_else_says_whom_to_run_it_as(installed: Host) -> None:
    done = installed.container.run("runuser", "-u", "nobody", "--", "zvonok", "check", check=False)
    assert done.returncode == 2
    assert "Permission denied" in done.stdout
    assert "run this as root" in done.stdout


async def test_a_call_shows_its_card_to_its_owner_alone_and_is_a_story_in_the_journal(installed: Host) -> None:
    await one_call(installed)
    journal = installed.container.journal("zvonok-tap")
    call_id = re.findall(r"call (\S+): ended", journal)[-1]
    told = re.findall(rf"call {re.escape(call_id)}: (\w+)", journal)
    assert list(dict.fromkeys(told)) == ["ringing", "talking", "ended"]
    assert DEALER[-10:] not in journal


async def test_every_metric_that_alerts_panels_and_docs_name_is_there_and_every_other_is_named(installed: Host) -> None:
    declared: set[str] = set()
    async with aiohttp.ClientSession() as session:
        for port in (installed.metrics_port, installed.users_port):
            async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                declared |= set(re.findall(r"^# TYPE (\w+)", await answer.text(), re.MULTILINE))
    declared = {name for name in declared if not name.endswith("_created")}
    # Who has no cluster has none of its metrics; tests/cluster/test_following.py looks at those.
    declared |= {name for name in documented_metrics() if "_cluster_" in name}
    assert metrics_in(ALERTS.read_text() + " ".join(expressions())) - declared == set()
    assert documented_metrics() == declared


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_is_killed_is_back_within_five_seconds(installed: Host, service: str) -> None:
    old = installed.pid(service)
    installed.container.run("kill", "-9", str(old))
    installed.container.wait_until(
        f"{service} is back", lambda: installed.pid(service) not in (0, old) and installed.running(service), seconds=5
    )


async def test_a_card_survives_the_killing_of_the_tap_and_the_notifier_in_mid_call(installed: Host) -> None:
    sip = installed.pbx.ports.sip
    async with Phone("101", sip) as desk, Phone("outside", sip, register=False) as outside:
        async with installed.browser(1) as page:
            leg = await outside.dial(DID, caller=DEALER)
            ringing = await desk.rings()
            card = (await page.receive("call", seconds=5))["call"]
            for service in ("zvonok-tap", "zvonok-notifier"):
                installed.container.run("kill", "-9", str(installed.pid(service)))
        await ringing.answer()
        await asyncio.to_thread(installed.wait_in_step)
        url = f"http://127.0.0.1:{installed.users_port}/ws"
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as ws:
            await ws.send_json({"v": 1, "type": "auth", "token": installed.token(1), "tab_id": "t"})
            snapshot = next(m for m in [await ws.receive_json() for _ in range(2)] if m["type"] == "snapshot")
            (again,) = (call for call in snapshot["calls"] if call["call_id"] == card["call_id"])
            assert again["state"] == "talking"
            await leg.hangup()
            ended = None
            async with asyncio.timeout(within(5)):
                while ended is None or ended["state"] != "ended":
                    message = await ws.receive_json()
                    ended = message["call"] if message["type"] == "call" else ended
            assert ended["call_id"] == card["call_id"]


async def test_a_hung_fastagi_server_holds_a_call_for_less_than_five_seconds_and_is_replaced(installed: Host) -> None:
    old = installed.pid("zvonok-fastagi")
    installed.container.run("kill", "-STOP", str(old))
    sip = installed.pbx.ports.sip
    async with Phone("101", sip) as desk, Phone("outside", sip, register=False) as outside:
        started = time.monotonic()
        leg = await outside.dial(DID, caller=DEALER)
        await desk.rings(5)
        took = time.monotonic() - started
        await leg.hangup()
    assert took < within(5)
    await asyncio.to_thread(installed.wait_running, seconds=5)
    assert installed.pid("zvonok-fastagi") != old
    assert "watchdog" in installed.container.journal("zvonok-fastagi").lower()


@pytest.mark.parametrize(("service", "seconds"), [("zvonok-tap", 8), ("zvonok-notifier", 14)])
def test_a_hung_event_loop_trips_the_watchdog(installed: Host, service: str, seconds: float) -> None:
    old = installed.pid(service)
    installed.container.run("kill", "-STOP", str(old))
    installed.container.wait_until(
        f"{service} is replaced", lambda: installed.pid(service) not in (0, old), seconds=seconds
    )


@pytest.mark.parametrize("service", SERVICES)
def test_a_reload_changes_the_log_level_and_nothing_else(installed: Host, service: str) -> None:
    pid = installed.pid(service)
    env = installed.container.path / "etc/zvonok/zvonok.env"
    right = env.read_text()
    try:
        with env.open("a") as file:  # in place: its mode and owner stay
            file.write("ZVONOK_LOG_LEVEL=DEBUG\n")
        installed.container.run("systemctl", "reload", service)
        installed.container.wait_until(
            "the log tells of it", lambda: "log level is now DEBUG" in installed.container.journal(service), seconds=5
        )
    finally:
        with env.open("w") as file:
            file.write(right)
        installed.container.run("systemctl", "reload", service)
    assert installed.pid(service) == pid


async def test_everything_starts_with_the_database_down_and_finds_it_by_itself(installed: Host) -> None:
    await asyncio.to_thread(installed.postgres.stop)
    installed.container.run("systemctl", "restart", "zvonok.target")
    installed.wait_running(seconds=10)
    sip = installed.pbx.ports.sip
    async with Phone("101", sip) as desk, Phone("outside", sip, register=False) as outside:
        leg = await outside.dial(DID, caller=DEALER)
        await desk.rings(3)
        await leg.hangup()
    failed = installed.container.run("zvonok", "check", check=False)
    assert failed.returncode == 1
    assert "FAIL database, connection" in failed.stdout
    installed.postgres.start()
    await asyncio.to_thread(installed.wait_in_step)
    await one_call(installed)


async def test_a_graceful_stop_tells_the_pages_and_lets_a_session_finish(installed: Host) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", installed.agi_port)
    writer.write(b"agi_network: yes\nagi_network_script: health\nagi_uniqueid: graceful\n\n")
    assert (await reader.readline()).startswith(b"NOOP")  # in flight: it waits for our reply
    async with installed.browser(1) as page:
        stopping = asyncio.create_task(asyncio.to_thread(installed.container.run, "systemctl", "stop", "zvonok.target"))
        assert await page.close_code(seconds=8) == 1012
        writer.write(b"200 result=0\n")
        async with asyncio.timeout(within(5)):
            assert await reader.read() == b""
        await stopping
    for service in SERVICES:
        assert installed.container.property(f"{service}.service", "Result") == "success"
    installed.container.run("systemctl", "start", "zvonok.target")


async def test_after_a_reboot_everything_is_there_again_by_itself(installed: Host) -> None:
    await asyncio.to_thread(installed.container.reboot)
    await asyncio.to_thread(installed.wait_in_step)
    await one_call(installed)


def test_uninstalling_removes_all_but_data_and_settings(installed: Host, before: set[str]) -> None:
    settings = (installed.container.path / "etc/zvonok/zvonok.env").read_text()
    installed.container.run("/opt/zvonok/current/share/install.sh", "--uninstall")
    left = {
        path
        for path in files(installed) - before
        if not path.startswith(("/var/lib/systemd", "/etc/systemd/system/zvonok-tap"))
    }
    expected = ("/etc/zvonok", "/var/lib/zvonok")
    accounts = {
        f"/etc/{name}{tail}"
        for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")
        for tail in ("-", "")
    }
    assert {path for path in left if not path.startswith(expected)} <= accounts | {
        "/usr/local/lib/systemd",
        "/usr/local/lib/systemd/system",
    }
    assert (installed.container.path / "etc/zvonok/zvonok.env").read_text() == settings
    for service in SERVICES:
        assert installed.container.property(f"{service}.service", "LoadState") == "not-found"
    assert installed.container.run("sh", "-c", "command -v zvonok", check=False).returncode != 0
