"""`zvonok check` against real Asterisks: login, rights and dialplan are judged as they are."""

import socket
import threading

import msgspec

from fastagi.check import findings
from tests.asterisk import config
from tests.asterisk.instance import Asterisk
from tests.asterisk.lab import asterisk, office
from zvonok.check import Finding, Level
from zvonok.settings import Address, Settings


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
    for what in ("AMI login", "AMI rights", "dialplan"):
        assert found[what].level is Level.OK, found[what]
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
