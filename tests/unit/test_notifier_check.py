"""`zvonok check` asks a real notifier, and finds what is wrong between it and this host."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from notifier.app import Notifier
from notifier.check import findings, judge
from notifier.status import PBXStatus, Status
from zvonok.address import Address
from zvonok.check import Finding, Level
from zvonok.settings import Settings

SECRET = "intake-" + "x" * 32


@contextmanager
def notifier(**changes: object) -> Iterator[Settings]:
    """A notifier on free ports, in a loop of its own; the settings of a host that speaks to it."""
    settings = Settings(intake_secret=SECRET, auth_secret="a" * 32, intake_listen=Address("127.0.0.1", 0),
                        http_listen=Address("127.0.0.1", 0))  # fmt: skip
    settings = msgspec.structs.replace(settings, **changes)
    ready, found = threading.Event(), {}

    async def serve() -> None:
        server = Notifier(settings)
        found["stop"], found["loop"] = asyncio.Event(), asyncio.get_running_loop()
        async with server.serving():
            found.update(server.addresses)
            ready.set()
            await server.until(found["stop"])

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        intake = found["intake"]
        url = str(intake) if intake.path is not None else f"http://{intake}"
        yield msgspec.structs.replace(settings, notifier_url=url, http_listen=found["users"])
    finally:
        found["loop"].call_soon_threadsafe(found["stop"].set)
        thread.join()


def levels(found: Iterator[Finding]) -> dict[str, Level]:
    return {finding.what: finding.level for finding in found}


def test_a_notifier_that_is_well_is_found_well_but_for_the_database_that_it_lacks_here() -> None:
    with notifier() as settings:
        assert levels(findings(settings)) == {
            "intake": Level.OK, "version": Level.OK, "users": Level.OK, "database": Level.WARNING,
        }  # fmt: skip


def test_it_is_reached_through_a_unix_socket_too(tmp_path: Path) -> None:
    with notifier(intake_listen=Address(path=str(tmp_path / "intake.sock"))) as settings:
        assert levels(findings(settings))["intake"] is Level.OK


def test_another_secret_is_told_from_a_notifier_that_is_down() -> None:
    with notifier() as settings:
        wrong = msgspec.structs.replace(settings, intake_secret="other-" + "y" * 32)
        (refused,) = (finding for finding in findings(wrong) if finding.what == "intake")
    (down,) = (finding for finding in findings(settings) if finding.what == "intake")
    assert (refused.level, down.level) == (Level.FAILED, Level.FAILED)
    assert "refuses our secret" in refused.says
    assert "does not answer" in down.says
    assert SECRET not in repr(down)


def test_the_users_port_in_place_of_the_intake_is_named_as_the_mistake_it_is() -> None:
    with notifier() as settings:
        swapped = msgspec.structs.replace(settings, notifier_url=f"http://{settings.http_listen}")
        (found,) = (finding for finding in findings(swapped) if finding.what == "intake")
    assert found.level is Level.FAILED
    assert "not the users' port" in (found.todo or "")


def pbx(**changes: object) -> PBXStatus:
    return PBXStatus(**({"name": "pbx", "up": True, "complete": True, "clock_offset_ms": 5, "two_taps": 0} | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pbxs", "expected"),
    [
        ([pbx()], {"pbx": Level.OK, "clock": Level.OK}),
        ([], {"pbx": Level.FAILED}),
        ([pbx(name="other")], {"pbx": Level.FAILED}),
        ([pbx(up=False)], {"pbx": Level.FAILED}),
        ([pbx(complete=False)], {"pbx": Level.WARNING, "clock": Level.OK}),
        ([pbx(two_taps=50)], {"pbx": Level.FAILED, "clock": Level.OK}),
        ([pbx(clock_offset_ms=-90_000)], {"pbx": Level.OK, "clock": Level.WARNING}),
    ],
)
def test_the_notifiers_view_of_this_hosts_pbx_is_judged(pbxs: list[PBXStatus], expected: dict[str, Level]) -> None:
    status = Status(version="1", database="up", sockets=0, pbxs=pbxs)
    assert levels(judge(Settings(ami_host="127.0.0.1"), status)) == expected


def test_a_host_without_a_pbx_is_not_asked_for_one() -> None:
    assert levels(judge(Settings(), Status(version="1", database="up", sockets=0, pbxs=[]))) == {}
