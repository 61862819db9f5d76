"""`zvonok check` against real Asterisks: login, rights and dialplan are judged as they are."""

import asyncio
import socket
import threading
import time

import msgspec
import pytest

from fastagi import ami as ami_module
from fastagi.ami import Ami
from fastagi.check import findings
from tests.asterisk import config
from tests.asterisk.instance import Asterisk
from tests.asterisk.lab import VERSIONS, asterisk, office
from tests.asterisk.phones import Phone
from tests.levels import within
from zvonok.address import Address
from zvonok.check import Finding, Level
from zvonok.settings import Settings


def settings(pbx: Asterisk, **changes: object) -> Settings:
    """The settings of a host beside `pbx`, with the rights of dialplan/manager.d/zvonok.conf."""
    right = Settings(
        ami_host="127.0.0.1",
        ami_port=pbx.ports.ami,
        ami_user=config.TAP_USER,
        ami_secret=config.TAP_SECRET,
        agi_listen=Address("127.0.0.1", pbx.ports.agi),
    )
    return msgspec.structs.replace(right, **changes)


def check(wanted: Settings) -> dict[str, Finding]:
    return {finding.what: finding for finding in findings(wanted)}


def test_login_rights_and_dialplan_of_the_shipped_configuration_are_well(office_pbx: Asterisk) -> None:
    found = check(settings(office_pbx))
    for what in ("AMI login", "AMI rights", "dialplan", "hook"):
        assert found[what].level is Level.OK, found[what]
    assert "from-trunk" in found["hook"].says
    assert found["FastAGI"].level is Level.FAILED  # nothing listens there


def test_a_wrong_secret_is_told_from_a_pbx_that_is_down(office_pbx: Asterisk) -> None:
    refused = check(settings(office_pbx, ami_secret="wrong"))["AMI login"]
    down = check(settings(office_pbx, ami_port=office_pbx.ports.agi))["AMI"]
    assert (refused.level, down.level) == (Level.FAILED, Level.FAILED)
    assert "manager reload" in (refused.todo or "")
    assert "is Asterisk running" in (down.todo or "")
    assert config.TAP_SECRET not in repr((refused, down))


def test_a_user_that_may_do_more_than_it_needs_is_warned_of(office_pbx: Asterisk) -> None:
    found = check(settings(office_pbx, ami_user=config.LAB_USER, ami_secret=config.LAB_SECRET))["AMI rights"]
    assert found.level is Level.WARNING
    assert "originate" in found.says


def test_a_dialplan_that_asks_another_port_is_found(office_pbx: Asterisk) -> None:
    found = check(settings(office_pbx, agi_listen=Address("127.0.0.1", 1)))["dialplan"]
    assert found.level is Level.FAILED
    assert "ZVONOK_AGI" in (found.todo or "")


def test_a_pbx_without_our_include_is_a_warning_because_cards_come_from_ami_alone() -> None:
    with asterisk("22", msgspec.structs.replace(office(), zvonok=False)) as pbx:
        found = check(settings(pbx))["dialplan"]
    assert found.level is Level.WARNING
    assert "#include zvonok.conf" in (found.todo or "")


def test_something_that_is_not_ami_is_named_as_such(office_pbx: Asterisk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].sendall(b"HTTP/1.1 400\r\n\r\n"), daemon=True).start()
        found = check(settings(office_pbx, ami_port=server.getsockname()[1]))["AMI"]
    assert found.level is Level.FAILED
    assert "not Asterisk's manager interface" in found.says


READ_LESS = """
[{user}]
secret = {secret}
permit = 127.0.0.1/255.255.255.255
read = {read}
write = {write}
"""
LONG_CALLS = """
[from-trunk]
exten => 1,1,Answer()
 same => n,Wait(60)
exten => 700,1,Queue(nobody)
"""


def site_with_user(read: str, write: str = "reporting") -> config.Site:
    """A PBX whose AMI user `zvonok` has other rights than dialplan/manager.d/zvonok.conf gives."""
    user = READ_LESS.format(user=config.TAP_USER, secret=config.TAP_SECRET, read=read, write=write)
    queue = "[nobody]\nstrategy = ringall\njoinempty = yes\n"
    return config.Site(extensions=LONG_CALLS, queues=queue, files={"manager.d/zvonok.conf": user})


def test_a_user_that_may_not_list_channels_is_found(office_pbx: Asterisk) -> None:
    with asterisk(office_pbx.version, site_with_user("call,agent", write="")) as pbx:
        found = check(settings(pbx))["AMI rights"]
    assert found.level is Level.FAILED
    assert "write = reporting" in (found.todo or "")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("read", "called", "missing"),
    [
        ("agent", "1", ["call"]),
        ("call", "700", ["agent"]),
        ("call,agent", "700", []),
    ],
)
async def test_events_that_the_pbx_keeps_from_us_are_noticed_by_the_first_call(
    version: str, read: str, called: str, missing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ami_module, "PING_INTERVAL", 0.2)
    monkeypatch.setattr(ami_module, "SWEEP_INTERVAL", 0.2)
    with asterisk(version, site_with_user(read)) as pbx:
        ami = Ami(
            host="127.0.0.1",
            port=pbx.ports.ami,
            user=config.TAP_USER,
            secret=config.TAP_SECRET,
            feed=lambda fact: None,
            now=lambda: time.monotonic_ns() // 1_000_000,
            suspects=lambda: 0,
        )
        following = asyncio.create_task(ami.follow())
        try:
            async with asyncio.timeout(within(15)), Phone("outside", pbx.ports.sip, register=False) as outside:
                while not ami.in_step:
                    await asyncio.sleep(0.05)
                await asyncio.sleep(2)  # lists tell ages in whole seconds: the call must be younger than the login
                leg = await outside.dial(called)
                while not (ami.rights.missing if missing else ami.rights.heard["agent"]):
                    await asyncio.sleep(0.05)
                assert ami.rights.missing == missing
                await leg.hangup()
        finally:
            following.cancel()
