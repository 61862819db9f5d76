"""dialplan/ on real Asterisk 22 and 16.28: it loads without a warning, announces, and never stands in a call's way."""

import re
from urllib.parse import quote

import pytest

from tests.asterisk.agi_probe import AgiProbe
from tests.asterisk.config import DIALPLAN, Site
from tests.asterisk.instance import Asterisk
from tests.asterisk.lab import VERSIONS, asterisk, office
from tests.asterisk.phones import Phone

OUTSIDE = "79161234567"


async def ring(pbx: Asterisk, called: str, phone: str, *, display: str = "") -> list[str]:
    """Call `called` from outside until `phone` rings; gives the numbers that its display showed."""
    async with (
        Phone(phone, pbx.ports.sip) as desk,
        Phone(OUTSIDE, pbx.ports.sip, register=False) as outside,
        pbx.lab_ami() as ami,
    ):
        call = await outside.dial(called, display=display)
        leg = await desk.rings()
        await call.hangup()
        await leg.until_ended()
        await ami.quiet()
        return leg.shown


def test_the_dialplan_loads_without_a_warning(office_pbx: Asterisk) -> None:
    with asterisk(office_pbx.version, office_pbx.site) as pbx:  # a fresh one: other tests provoke warnings
        assert "zvonok" in pbx.cli("dialplan show zvonok")
        assert pbx.warnings() == []


@pytest.mark.parametrize("version", VERSIONS)
def test_the_freepbx_hook_loads_without_a_warning(version: str) -> None:
    hook = (DIALPLAN / "examples" / "freepbx-custom-hook.conf").read_text()
    inbound = "[ext-did]\nexten => _X.,1,NoOp()\n[ext-did-catchall]\nexten => _X.,1,NoOp()\n"
    with asterisk(version, Site(extensions=hook + inbound)) as pbx:
        assert "from-pstn-custom" in pbx.cli("dialplan show from-pstn-custom")
        assert pbx.warnings() == []


async def test_a_call_is_announced_with_its_number_its_linkedid_and_its_caller(office_pbx: Asterisk) -> None:
    async with AgiProbe(office_pbx.ports.agi) as agi:
        assert await ring(office_pbx, "74951234567", "101", display="Иван") == [OUTSIDE]
    (request,) = agi.requests
    assert request.env["agi_network_script"] == "announce"
    assert request.arguments == ["74951234567", request.env["agi_uniqueid"], "name&&"]
    assert (request.env["agi_callerid"], request.env["agi_calleridname"]) == (OUTSIDE, "Иван")


async def test_the_phone_rings_though_nothing_listens_for_the_announcement(office_pbx: Asterisk) -> None:
    assert await ring(office_pbx, "74951234567", "101") == [OUTSIDE]


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_phone_rings_though_our_include_is_missing(version: str) -> None:
    site = office()
    with asterisk(
        version, Site(phones=site.phones, extensions=site.extensions, queues=site.queues, zvonok=False)
    ) as pbx:
        assert pbx.cli("dialplan show zvonok").startswith("There is no existence of 'zvonok'")
        for called in ("101", "74951234567", "600", "700"):
            assert await ring(pbx, called, "101") == [OUTSIDE]


@pytest.mark.parametrize(
    "name",
    [
        'Bob" EXEC System "id',
        "${SHELL(touch /tmp/owned)}",
        "a,b)c&d|e",
        "back\\slash\\",
        "<script>alert(1)</script>",
        "\u202eevil\u202c",
        "x" * 500,
    ],
)
async def test_a_hostile_caller_name_reaches_the_announcement_as_text(office_pbx: Asterisk, name: str) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    async with AgiProbe(office_pbx.ports.agi) as agi:
        assert await ring(office_pbx, "101", "101", display=quoted) == [OUTSIDE]
    (request,) = agi.requests
    assert request.arguments == ["101", request.env["agi_uniqueid"], "&&"]
    # Asterisk itself cuts a name to 79 bytes and may leave SIP's escapes in; nothing of it leaves the name's line.
    got = request.env["agi_calleridname"].replace("\\", "")
    assert got
    assert name.replace("\\", "").startswith(got)


HOSTILE_NUMBERS = (
    "10,1",
    "10)1",
    "10&1",
    '10"2',
    "1|0:1?2",
    "101;x=y",
    "1${EXTEN}",
    "1${SHELL(id)}",
    "10[1]",
    "1\\",
    "1'2",
)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_hostile_called_number_cannot_leave_its_argument(version: str) -> None:
    extensions = """
[from-trunk]
exten => _X.,1,GosubIf($[${DIALPLAN_EXISTS(zvonok,s,1)}]?zvonok,s,1(${EXTEN},name))
 same => n,Hangup(17)
"""
    with asterisk(version, Site(extensions=extensions)) as pbx:
        async with AgiProbe(pbx.ports.agi) as agi:
            for number in HOSTILE_NUMBERS:
                before = len(agi.requests)
                async with Phone(OUTSIDE, pbx.ports.sip, register=False) as outside:
                    call = await outside.dial(quote(number, safe=""))
                    await call.until_ended()
                assert call.status == 486 or len(agi.requests) == before, number
        assert len(agi.requests) > len(HOSTILE_NUMBERS) / 2
        for request in agi.requests:
            number, linkedid, *_ = request.arguments
            assert re.fullmatch(r"[0-9A-Za-z+*#@._-]*", number), number
            assert linkedid == request.env["agi_uniqueid"], request.arguments
