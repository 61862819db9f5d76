"""`zvonok token` and `zvonok testcall`, as commands."""

import asyncio
import sys
from pathlib import Path

import pytest

from notifier.auth import Verifier
from notifier.token import login_link
from tests.levels import within
from tests.notifier_server import AUTH_SECRET, INTAKE_SECRET, Server, running, settings
from zvonok.address import Address
from zvonok.cli import main


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZVONOK_AUTH_SECRET", AUTH_SECRET)
    monkeypatch.setenv("ZVONOK_INTAKE_SECRET", INTAKE_SECRET)
    return monkeypatch


def test_it_prints_a_token_that_works_and_the_link(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["token", "--user", "5", "--days", "2"]) == 0
    token, link = capsys.readouterr().out.splitlines()
    assert Verifier(settings()).verify(token).user_id == 5
    assert link == f"http://127.0.0.1:5004/#token={token}"


def test_with_a_public_key_only_it_refuses_and_says_why(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.delenv("ZVONOK_AUTH_SECRET")
    environment.setenv("ZVONOK_AUTH_PUBLIC_KEY", "-----BEGIN PUBLIC KEY-----\\nx\\n-----END PUBLIC KEY-----")
    assert main(["token", "--user", "5"]) == 2
    assert "a public key cannot sign" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--user", "0"], ["--user", "x"], ["--user", "1", "--days", "0"], []])
def test_wrong_arguments_are_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["token", *arguments])
    assert stopped.value.code == 2


@pytest.mark.parametrize(("listen", "start"), [
    (Address("0.0.0.0", 80), "http://127.0.0.1:80/#"),
    (Address("::", 80), "http://[::1]:80/#"),
    (Address("fe80::1", 80), "http://[fe80::1]:80/#"),
    (Address("pbx.local", 5004), "http://pbx.local:5004/#"),
])  # fmt: skip
def test_the_link_leads_to_where_the_notifier_listens(listen: Address, start: str) -> None:
    link = login_link(listen, "t")
    assert link == f"{start}token=t"
    assert login_link(Address(path="/run/x.sock"), "t") is None


async def ask_for_a_call(server: Server, *arguments: str, secret: str = INTAKE_SECRET) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "zvonok", "testcall", *arguments,
        env={"ZVONOK_INTAKE_SECRET": secret, "ZVONOK_NOTIFIER_URL": server.intake, "PYTHONPATH": str(Path.cwd())},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def test_testcall_waits_for_a_page_shows_the_call_and_says_each_step() -> None:
    async with running() as server:
        command = await ask_for_a_call(
            server, "--user", "1", "--from", "+79000000000", "--ring", "0.3", "--talk", "0.3"
        )
        assert command.stdout
        async with asyncio.timeout(within(20)):
            first = await command.stdout.readline()
            assert b"no open page" in first
            async with server.browser() as browser:
                assert (await browser.receive("call", seconds=5))["call"]["caller"]["number"] == "+79000000000"
                out, err = await command.communicate()
        assert command.returncode == 0, err
        said = out.decode()
        assert "zvonok token --user 1" in said
        assert said.index("ringing: +79000000000") < said.index("talking, in 1 open page") < said.index("ended, in")


async def test_testcall_without_a_page_fails() -> None:
    async with running() as server:
        command = await ask_for_a_call(server, "--user", "1", "--wait", "0.2")
        out, _ = await command.communicate()
        assert command.returncode == 1
        assert b"nothing was shown" in out


async def test_a_killed_testcall_ends_its_call() -> None:
    async with running() as server, server.browser() as browser:
        command = await ask_for_a_call(server, "--user", "1", "--ring", "60")
        assert (await browser.receive("call", seconds=15))["call"]["state"] == "ringing"
        command.kill()
        await command.wait()
        assert (await browser.receive("call"))["call"]["end"]["reason"] == "missed"


async def test_testcall_says_what_to_do_about_a_wrong_secret_or_no_notifier() -> None:
    async with running() as server:
        command = await ask_for_a_call(server, "--user", "1", secret="another-secret-of-32-bytes-or-more")
        _, err = await command.communicate()
        assert (command.returncode, b"ZVONOK_INTAKE_SECRET" in err) == (1, True)
    command = await ask_for_a_call(server, "--user", "1")
    _, err = await command.communicate()
    assert (command.returncode, b"is it running" in err) == (1, True)
