"""A leg's number from its channel's name and dial string, in the spellings of every technology."""

import pytest

from fastagi.endpoints import endpoint, is_dialled_number, leg_number, local_pair, technology


@pytest.mark.parametrize(
    ("channel", "dial_string", "number"),
    [
        ("PJSIP/101-0000002a", "101", "101"),
        ("PJSIP/101-0000002a", "PJSIP/101", "101"),
        ("PJSIP/101-0000002a", None, "101"),
        ("PJSIP/101-0000002a", "101/sip:101@10.0.0.7:5060", "101"),
        ("PJSIP/101-0000002a", "101/sip:x7fk2@abc.invalid;transport=ws", "101"),
        ("PJSIP/abc-0000002a", "abc/sip:abc@10.0.0.7:5060", "abc"),
        ("PJSIP/ivanov-desk-0000002a", "ivanov-desk", "ivanov-desk"),
        ("PJSIP/trunk-0000002a", "89161112233@trunk", "89161112233"),
        ("PJSIP/trunk-0000002a", "trunk/sip:89161112233@sbc.example", "89161112233"),
        ("PJSIP/trunk-0000002a", "PJSIP/89161112233@trunk", "89161112233"),
        ("PJSIP/74951234567-0000002a", "+79161112233@74951234567", "+79161112233"),
        ("SIP/trunk-0000002a", "trunk/89161112233", "89161112233"),
        ("SIP/101-0000002a", "SIP/101", "101"),
        ("IAX2/branch-1234", "branch/205@from-branch", "205"),
        ("DAHDI/i1/89161112233-2", "g1/89161112233", "89161112233"),
        ("Local/101@from-queue-0000000f;1", "101@from-queue/n", "101"),
        ("Local/101@from-queue-0000000f;1", "Local/101@from-queue/n", "101"),
        ("odd", None, None),
        ("", "", None),
    ],
)
def test_a_legs_number(channel: str, dial_string: str | None, number: str | None) -> None:
    assert leg_number(channel, dial_string) == number


def test_a_trunk_that_is_named_after_a_users_number_is_never_his_number() -> None:
    assert leg_number("PJSIP/101-0000002a", "89161112233@101") == "89161112233"


def test_a_local_channels_halves_share_a_name() -> None:
    assert local_pair("Local/101@x-00000001;1") == ("Local/101@x-00000001", 1)
    assert local_pair("Local/101@x-00000001;2") == ("Local/101@x-00000001", 2)
    assert local_pair("PJSIP/101-00000001") is None


@pytest.mark.parametrize(
    ("exten", "is_number"),
    [("101", True), ("ivanov", True), ("s", False), ("h", False), ("*8", False), ("_X.", False), ("", False)],
)
def test_which_extensions_may_be_somebodys_number(exten: str, is_number: bool) -> None:
    assert is_dialled_number(exten) is is_number
    assert not is_dialled_number(None)


def test_technology_and_endpoint() -> None:
    assert technology("PJSIP/101-1") == "PJSIP"
    assert endpoint("PJSIP/-0000002a") is None
