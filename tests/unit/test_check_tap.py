"""`zvonok check`: what the running tap's answer, and the loaded dialplan, are taken to mean."""

from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from fastagi import check, check_dialplan, check_tap
from fastagi.ami_rights import AmiRights
from fastagi.ami_wire import Message
from fastagi.facts import Channel, ListedChannel
from fastagi.tap_control import Standing, WhyAnswer
from zvonok.address import Address
from zvonok.check import Finding, Level
from zvonok.cli import package_version

NOW = 1_800_000_000.0
WELL = Standing(
    version=package_version(),
    ami_since=1_700_000_000_000,
    heard={"call": 40, "agent": 2},
    unheard=[],
    announced=12,
    others={},
    fastagi_heard=NOW - 1,
    directory_ready=True,
    journal_alarm=False,
    history_behind=False,
)


def tap(standing: Standing | None = WELL, **changes: object) -> dict[str, Finding]:
    well = WhyAnswer(calls=[], ami_up=True, ami_state="up", notifier_ok=True, notifier_state="ok", standing=standing)
    answer = msgspec.structs.replace(well, **changes)
    return {finding.what: finding for finding in check_tap.judge(answer, now=NOW)}


def standing(**changes: object) -> dict[str, Finding]:
    return tap(msgspec.structs.replace(WELL, **changes))


def test_a_tap_that_is_well_is_found_well() -> None:
    assert {what: finding.level for what, finding in tap().items()} == dict.fromkeys(
        ["tap and PBX", "tap and notifier", "AMI events", "tap and FastAGI", "tap and database", "announcements"],
        Level.OK,
    )


@pytest.mark.parametrize(
    ("changes", "what", "level", "todo"),
    [
        ({"unheard": ["call"]}, "AMI events", Level.FAILED, "read = call,agent"),
        ({"unheard": ["agent"]}, "AMI events", Level.WARNING, "read = call,agent"),
        ({"heard": {}}, "AMI events", Level.SKIPPED, None),
        ({"heard": {"call": 3}}, "AMI events", Level.OK, None),
        ({"fastagi_heard": 0.0}, "tap and FastAGI", Level.FAILED, "ZVONOK_RUNTIME_DIR"),
        ({"fastagi_heard": NOW - 60}, "tap and FastAGI", Level.FAILED, "journalctl -u zvonok-fastagi"),
        ({"directory_ready": False}, "tap and database", Level.FAILED, "findings of the database"),
        ({"journal_alarm": True}, "journal", Level.FAILED, "df -h"),
        ({"history_behind": True}, "history", Level.WARNING, "nothing is lost"),
        ({"version": "0.0.1"}, "tap", Level.WARNING, "systemctl restart zvonok.target"),
        ({"announced": 0, "others": {}}, "announcements", Level.SKIPPED, None),
        ({"announced": 0, "others": {"700": 2}}, "announcements", Level.WARNING, "dialplan/README.md"),
    ],
)
def test_what_is_not_well_is_told_with_what_to_do(
    changes: dict[str, object], what: str, level: Level, todo: str | None
) -> None:
    finding = standing(**changes)[what]
    assert finding.level is level
    assert (finding.todo is None) if todo is None else (todo in (finding.todo or ""))


def test_a_tap_of_an_older_release_is_told_to_be_restarted() -> None:
    found = tap(None)
    assert found["tap"].level is Level.WARNING
    assert found["tap"].todo == "systemctl restart zvonok.target"


def test_calls_that_were_not_announced_are_named_by_what_they_dialled_with_long_numbers_masked() -> None:
    says = standing(announced=3, others={"700": 2, "74951234568": 1})["announcements"].says
    assert says == "3 of the last 6 calls with a card were announced; not those to 700 (2), \u20264568 (1)"


# --- what AMI lets us read ----------------------------------------------------------------------------------------


def listed(age_s: int, application: str | None = None) -> ListedChannel:
    channel = Channel(uniqueid="1.1", name="PJSIP/101-1")
    return ListedChannel(
        channel=channel, application=application, bridge_id=None, dial_string=None, duration_ms=age_s * 1000
    )


def rights(*, events: int = 0, rows: list[ListedChannel]) -> AmiRights:
    found = AmiRights()
    found.logged_in(0)
    for _ in range(events):
        found.event(Message("Newchannel", {"Privilege": "call,all"}))
    found.listed(rows, 30_000)
    return found


@pytest.mark.parametrize(
    ("events", "row", "missing"),
    [
        (0, listed(5), ["call"]),
        (0, listed(29), []),  # it may have begun before the login
        (1, listed(5), []),
        (1, listed(5, "Queue"), ["agent"]),
        (0, listed(5, "Queue"), ["agent", "call"]),
    ],
)
def test_a_class_is_missing_once_a_channel_shows_that_it_should_have_been_heard(
    events: int, row: ListedChannel, missing: list[str]
) -> None:
    assert rights(events=events, rows=[row]).missing == missing


def test_what_is_heard_later_is_not_missing_and_a_new_login_knows_nothing() -> None:
    found = rights(rows=[listed(5)])
    found.event(Message("Newchannel", {"Privilege": "call,all"}))
    assert found.missing == []
    found.logged_in(40_000)
    assert found.heard == {"call": 0, "agent": 0}
    found.listed([listed(5)], 41_000)
    assert found.missing == []


# --- the dialplan -------------------------------------------------------------------------------------------------

OURS = ("zvonok", "s", "AGI", "agi://${ZVONOK_AGI}/announce,${ARG1}")
HOOK = "$[${DIALPLAN_EXISTS(zvonok,s,1)}]?zvonok,s,1(${EXTEN})"


def dialplan(*entries: tuple[str, str, str, str], announced: int = 0, agi: str | None = None) -> dict[str, Finding]:
    keys = ("Context", "Extension", "Application", "AppData")
    rows = [Message("ListDialplan", dict(zip(keys, entry, strict=True))) for entry in entries]
    found = check_dialplan.judge(rows, agi, Address("127.0.0.1", 4573), announced=announced)
    return {finding.what: finding for finding in found}


def test_contexts_with_and_without_the_hook_are_named() -> None:
    found = dialplan(
        OURS,
        ("from-trunk", "_X.", "GosubIf", HOOK),
        ("from-trunk", "_X.", "Dial", "PJSIP/101"),
        ("from-trunk", "700", "Queue", "sales"),
        ("internal", "_1XX", "Dial", "PJSIP/${EXTEN}"),
        ("parking", "s", "Park", ""),
    )
    assert found["dialplan"].level is Level.OK
    assert found["hook"].level is Level.OK
    assert found["hook"].says == (
        "called in from-trunk; Dial() or Queue() without it in from-trunk, internal, whose calls are seen by AMI alone"
    )


def test_a_hook_that_nobody_calls_is_a_warning_unless_calls_show_that_somebody_does() -> None:
    entries = [OURS, ("from-trunk", "_X.", "Dial", "PJSIP/101")]
    assert dialplan(*entries)["hook"].level is Level.WARNING
    assert "GosubIf" in (dialplan(*entries)["hook"].todo or "")
    assert dialplan(*entries, announced=1)["hook"].level is Level.OK


def test_without_our_context_nothing_is_said_about_the_hook() -> None:
    found = dialplan(("from-trunk", "_X.", "Dial", "PJSIP/101"))
    assert found.keys() == {"dialplan"}
    assert found["dialplan"].level is Level.WARNING


@pytest.mark.parametrize("agi", ["127.0.0.1:4574", "nonsense"])
def test_an_address_where_we_do_not_listen_is_a_failure(agi: str) -> None:
    assert dialplan(OURS, agi=agi)["dialplan"].level is Level.FAILED


# --- the journal's disk -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("free", "warned"), [(600 << 20, False), (100 << 20, True)])
def test_a_disk_too_small_for_the_journal_of_an_outage_is_a_warning(
    free: int, warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free))
    found = list(check._space(tmp_path / "not" / "made yet"))
    assert [finding.level for finding in found] == ([Level.WARNING] if warned else [])
    assert all(str(tmp_path) in (finding.todo or "") for finding in found)
