"""`zvonok.phone_key`: hand cases, libphonenumber as the oracle, and anything at all as input."""

from collections.abc import Iterator
from typing import Any

import phonenumbers
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CASES = {
    "79271390907": [
        "89271390907",
        "+7 (927) 139-09-07",
        "79271390907",
        "9271390907",
        "8-927-139-09-07",
        "8 927 139 09 07",
        "8.927.139.09.07",
        "\u00a08\u00a0927\u2009139\u201309\u221207",
        "\u202a+7\u00a0927\u00a0139\u201109\u201107\u202c",
        "+８９２７１３９０９０７".replace("+", ""),
        "\uff0b7 927 139 09 07",
        "sip:89271390907@10.0.0.1",
        "sip:+79271390907@host;user=phone",
        "sips:%2B79271390907@host",
        '"Bob <3" <sip:89271390907@host>',
        "Иван <89271390907>",
        "tel:+7-927-139-09-07;ext=101",
        "8 (927) 139-09-07 доб. 101",
        "8 (927) 139-09-07 (доб. 101)",
        "8 (927) 139-09-07 ДОБ 101",
        "89271390907 вн.5",
        "89271390907 ext. 12",
        "89271390907x12",
        "89271390907#12",
        "89271390907,,12",
        "8~9271390907",
        "00 7 927 139 09 07",
        "810 7 927 139 09 07",
        "8~10 7 927 139 09 07",
        "+8 927 139-09-07",
        "\t89271390907\r\n",
    ],
    "101": ["101", " 101 ", "sip:101@pbx", "<101>", "1-01", "１０１"],
    "0101": ["0101"],
    "+101": ["+101"],
    "493012345678": ["+49 30 12345678", "810 49 30 12345678", "00 49 30 12345678", "493012345678"],
    "2919007": ["291-90-07"],
    "74950001001": ["(495) 000-10-01", "8 495 000 10 01"],
    "88003332211": ["+88003332211"],
    "12025550123": ["+1 202 555 0123", "12025550123"],
    "reception": ["Reception", "sip:reception@pbx", " RECEPTION "],
    "sales-dept": ["sales-dept"],
    "*97": ["*97"],
    "*21*101#": ["*21*101#"],
    "89271390907/89271390908": ["89271390907/89271390908"],
    None: [
        "", " ", "-", "+", "()", "0", "000", "+000", "anonymous", "Anonymous", "sip:anonymous@anonymous.invalid",
        "unknown", "<unknown>", '"x" <unknown>', "restricted", "PRIVATE", "unavailable", "withheld", "a" * 65, "1" * 34,
        "x" * 10_000, "1" * 10_000,
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def connection(databases: Any) -> Iterator[Any]:
    name = databases.create(migrated=True)
    with psycopg.connect(databases.server.url(name), autocommit=True) as connection:
        yield connection
    databases.drop(name)


def keys(connection: Any, numbers: list[str]) -> list[str | None]:
    query = "SELECT zvonok.phone_key(n) FROM unnest(%s::text[]) WITH ORDINALITY u(n, place) ORDER BY place"
    return [row[0] for row in connection.execute(query, (numbers,))]


@pytest.mark.parametrize("key", CASES)
def test_every_spelling_of_a_number_has_its_key(connection: Any, key: str | None) -> None:
    spellings = CASES[key]
    assert dict(zip(spellings, keys(connection, spellings), strict=True)) == dict.fromkeys(spellings, key)


def test_a_key_of_a_key_is_that_key(connection: Any) -> None:
    known = [key for key in CASES if key is not None and key != "88003332211"]  # without + this is a Russian number
    assert keys(connection, known) == known


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("8 927 139-09-07", "+79271390907"),
        ("+49 30 123456", "+4930123456"),
        ("810 49 30 123456", "+4930123456"),
        ("4930123456789", "4930123456789"),
        ("101", "101"),
        ("Reception", "reception"),
        ("anonymous", None),
    ],
)
def test_a_number_is_shown_as_e164_where_it_is_one(connection: Any, number: str, shown: str | None) -> None:
    assert connection.execute("SELECT zvonok.phone_number(%s)", (number,)).fetchone() == (shown,)


def test_russian_numbers_agree_with_libphonenumber_in_every_format_it_writes(connection: Any) -> None:
    spellings, wanted = [], []
    for kind in range(11):
        example = phonenumbers.example_number_for_type("RU", kind)
        if example is None or not phonenumbers.is_valid_number(example):
            continue
        for national in range(example.national_number, example.national_number + 50):
            number = phonenumbers.PhoneNumber(country_code=7, national_number=national)
            for style in range(4):
                spellings.append(phonenumbers.format_number(number, style))
                wanted.append(f"7{national}")
            spellings.append(phonenumbers.format_out_of_country_calling_number(number, "RU"))
            wanted.append(f"7{national}")
    assert len(spellings) > 500
    found = keys(connection, spellings)
    assert [trio for trio in zip(spellings, found, wanted, strict=True) if trio[1] != trio[2]] == []


def test_numbers_of_every_country_agree_with_libphonenumber_with_plus_and_through_810(connection: Any) -> None:
    wanted, plus, dialled = [], [], []
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in (0, 1):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is None or not phonenumbers.is_valid_number(number):
                continue
            wanted.append(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).lstrip("+"))
            plus.append(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL))
            dialled.append("810" + wanted[-1])
    assert len(wanted) > 400
    assert [pair for pair in zip(plus, keys(connection, plus), wanted, strict=True) if pair[1] != pair[2]] == []
    wrong = [
        number for number, key, right in zip(dialled, keys(connection, dialled), wanted, strict=True) if key != right
    ]
    assert all(len(number) <= 3 + 7 for number in wrong), "only the shortest are taken for national numbers"


DIGITS = st.text("0123456789", min_size=7, max_size=7)
SEPARATORS = st.text(" -().\u00a0\u2011\u202c", max_size=2)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(code=st.sampled_from(["927", "495", "800", "701", "343"]), rest=DIGITS, data=st.data())
def test_separators_and_trunk_prefixes_never_change_a_russian_number(
    connection: Any, code: str, rest: str, data: st.DataObject
) -> None:
    prefix = data.draw(st.sampled_from(["8", "7", "+7", "", "8107", "007"]))
    spelled = "".join(char + data.draw(SEPARATORS) for char in prefix + code + rest)
    assert keys(connection, [spelled]) == ["7" + code + rest]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=80))
def test_whatever_the_text_it_never_raises_and_its_key_is_short(connection: Any, text: str) -> None:
    (key,) = keys(connection, [text])
    assert key is None or 1 <= len(key) <= 64
    connection.execute("SELECT zvonok.identify(%s, %s)", (text, text))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(short=st.text("0123456789", min_size=1, max_size=6), long=st.text("0123456789", min_size=7, max_size=15))
def test_a_long_number_never_matches_by_its_last_digits(connection: Any, short: str, long: str) -> None:
    one, other = keys(connection, [short, long])
    assert one is None or one != other
