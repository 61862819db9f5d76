"""The announce route against a real session on a socket, with a directory given by the test."""

import logging
import socket
import threading
from collections.abc import Callable

import pytest

from fastagi.agi_session import AGISession
from fastagi.announce import MAX_PHONE_NAME, Announcer, Status, phone_name, plain
from fastagi.directory import LookupUnavailable
from fastagi.facts import Announced
from tests.agi_peer import AgiPeer, request
from tests.levels import within
from zvonok.call import Caller, Kind, wall_ms

IVANOV = Caller(number="+79271390907", name="Иванов Иван", kind=Kind.DEALER, id=7, company="ООО Ромашка", matches=1)
NOBODY = Caller(number="+79271390907")
OK = b"200 result=1\n"


def announce(
    lines: list[bytes],
    who: Caller | LookupUnavailable = IVANOV,
    *,
    reply: Callable[[str], bytes] = lambda _: OK,
) -> tuple[str, list[str], list[Announced], list[str]]:
    """One session: its result, the commands Asterisk got, the facts the tap got, the numbers that were looked up."""
    facts: list[Announced] = []
    looked_up: list[str] = []
    results: list[str] = []

    def who_calls(number: str) -> Caller:
        looked_up.append(number)
        if isinstance(who, LookupUnavailable):
            raise who
        return who

    announcer = Announcer(remembered=lambda _: None, who_calls=who_calls, send_fact=facts.append)
    ours, theirs = socket.socketpair()
    ours.settimeout(None)
    theirs.settimeout(within(5))
    peer = AgiPeer(theirs)
    asterisk = threading.Thread(target=peer.run, args=(lines,), kwargs={"reply": reply})
    with ours, theirs:
        asterisk.start()
        try:
            results.append(announcer(AGISession(ours)))
        except Exception as exc:  # noqa: BLE001  # the test looks at its name
            results.append(type(exc).__name__)
        ours.close()
        asterisk.join(within(5))
    return results[0], peer.commands, facts, looked_up


def test_without_options_the_call_is_released_without_a_word_and_without_a_lookup() -> None:
    result, commands, [fact], looked_up = announce(request("84951234567", "1760000000.0"))
    assert (result, commands, looked_up) == ("announced", [], [])
    assert abs(fact.at - wall_ms()) < 60_000
    assert fact == Announced(
        uniqueid="1760000000.1",
        linkedid="1760000000.0",
        channel="PJSIP/trunk-00000001",
        number="84951234567",
        caller_number="79271390907",
        caller_name="Иван",
        at=fact.at,
    )


@pytest.mark.parametrize("arguments", [("vars,name",), ("vars", "name"), ("NAME & vars",), ("name:vars", "")])
def test_vars_and_name_are_set_and_the_status_last(arguments: tuple[str, ...]) -> None:
    result, commands, [fact], looked_up = announce(request("101", "1.1", *arguments))
    assert commands == [
        'SET VARIABLE "ZVONOK_CALLER_NAME" "Иванов Иван"',
        'SET VARIABLE "ZVONOK_CALLER_KIND" "dealer"',
        'SET VARIABLE "ZVONOK_CALLER_COMPANY" "ООО Ромашка"',
        'SET VARIABLE "CALLERID(name)" "Иванов И. (ООО Ромашка)"',
        'SET VARIABLE "ZVONOK_STATUS" "OK"',
    ]
    assert (result, looked_up, fact.caller) == ("ok", ["79271390907"], IVANOV)


def test_a_stranger_keeps_the_name_that_the_network_sent() -> None:
    result, commands, [fact], _ = announce(request("101", "1.1", "vars,name"), NOBODY)
    assert commands == [
        'SET VARIABLE "ZVONOK_CALLER_NAME" ""',
        'SET VARIABLE "ZVONOK_CALLER_KIND" "unknown"',
        'SET VARIABLE "ZVONOK_CALLER_COMPANY" ""',
        'SET VARIABLE "ZVONOK_STATUS" "UNKNOWN"',
    ]
    assert (result, fact.caller) == ("unknown", NOBODY)


@pytest.mark.parametrize("status", [Status.LATE, Status.ERROR])
def test_a_failed_lookup_lets_the_call_go_on_and_the_tap_know(status: Status, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        result, commands, [fact], _ = announce(
            request("101", "1.1", "name"), LookupUnavailable("the database sleeps", late=status is Status.LATE)
        )
    assert (result, commands) == (status.lower(), [f'SET VARIABLE "ZVONOK_STATUS" "{status}"'])
    assert fact.caller is None
    assert "1760000000.1" in caplog.text
    assert "the database sleeps" in caplog.text
    assert "79271390907" not in caplog.text


def test_now_is_passed_on() -> None:
    _, commands, [fact], _ = announce(request("101", "1.1", "now"))
    assert fact.now
    assert commands == []


def test_a_hidden_number_is_neither_looked_up_nor_passed_on() -> None:
    lines = request("101", "1.1", "vars", callingpres="35")
    _, _, [fact], looked_up = announce(lines, NOBODY)
    assert looked_up == []
    assert (fact.restricted, fact.caller_number, fact.caller_name) == (True, None, None)


def test_an_unknown_caller_id_is_none() -> None:
    _, _, [fact], _ = announce(request("101", "1.1", callerid="unknown", calleridname="unknown", callingpres="67"))
    assert (fact.restricted, fact.caller_number, fact.caller_name) == (False, None, None)


def test_without_a_linkedid_the_call_is_its_own_group() -> None:
    _, _, [fact], _ = announce(request("101"))
    assert fact.linkedid == fact.uniqueid


def test_a_missing_number_is_told_in_asterisks_console() -> None:
    result, [command], facts, _ = announce(request())
    assert (result, facts) == ("bad_request", [])
    assert command.startswith('VERBOSE "zvonok: announce needs the called number')


def test_an_unknown_option_is_told_in_asterisks_console_and_the_others_work() -> None:
    _, commands, [fact], _ = announce(request("101", "1.1", "nmae,now"))
    assert commands == ['VERBOSE "zvonok: announce has no option nmae; it has name, now, vars" 1']
    assert fact.now


@pytest.mark.parametrize(
    ("reply", "result"),
    [(b"HANGUP\n", "AGISIGHUPHangup"), (b"511 dead\n", "AGIHangup"), (b"510 x\n", "AGIInvalidCommand")],
)
def test_the_tap_knows_of_the_call_even_if_asterisk_takes_no_variable(reply: bytes, result: str) -> None:
    ended, _, [fact], _ = announce(request("101", "1.1", "vars"), reply=lambda _: reply)
    assert (ended, fact.number) == (result, "101")


def test_a_huge_name_fits_a_command() -> None:
    huge = Caller(name="Я" * 20_000, company='"\\' * 20_000, kind=Kind.USER, matches=1)
    result, commands, _, _ = announce(request("101", "1.1", "vars,name"), huge)
    assert result == "ok"
    assert max(len(command.encode()) for command in commands) < 1_000


@pytest.mark.parametrize(
    ("name", "company", "shown"),
    [
        ("Иванов Иван", "ООО Ромашка", "Иванов И. (ООО Ромашка)"),
        ("Иванов И.", "ООО Ромашка", "Иванов И. (ООО Ромашка)"),
        ("Салтыков-Щедрин Михаил Евграфович", None, "Салтыков-Щедрин М. Е."),
        ("Мамин-сибиряк Дмитрий", None, "Мамин-сибиряк Дмитрий"),
        ("Склад", "ООО Ромашка", "Склад (ООО Ромашка)"),
        ("Отдел продаж", None, "Отдел продаж"),
        ("ООО Ромашка", None, "ООО Ромашка"),
        ("Пост 1", None, "Пост 1"),
        ("Гарсия Маркес Хосе Антонио", None, "Гарсия Маркес Хосе Антонио"),
        (None, "ООО Ромашка", "ООО Ромашка"),
        (None, None, ""),
        ("  ", "", ""),
        ('Иванов "Ваня" Иван', 'ООО "Ромашка"', "Иванов В. И. (ООО Ромашка)"),
        ("\u202eПётр\u0000\nI", None, "Пётр I."),
    ],
)
def test_a_desk_phone_shows_a_short_name_and_the_company(name: str | None, company: str | None, shown: str) -> None:
    assert phone_name(name, company) == shown


@pytest.mark.parametrize("name", ["Склад", "С" * 79, "С" * 200])
def test_a_long_name_or_company_is_cut_to_what_asterisk_takes(name: str) -> None:
    shown = phone_name(name, "К" * 200)
    assert len(shown) <= MAX_PHONE_NAME
    assert shown.startswith(name[:70])
    assert shown.endswith(("…)", "…", name))


def test_a_value_is_one_line_of_visible_characters_without_quotes() -> None:
    assert plain(' a\t"b"\\\r\nc\u200b\udc80 ${x} <script> ', 250) == "a b c ${x} <script>"
