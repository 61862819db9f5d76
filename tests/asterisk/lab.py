"""Ready-made PBXs for tests of any level: `with asterisk("22", office()) as pbx: ...`."""

from tests.asterisk.config import DIALPLAN, Site
from tests.asterisk.instance import Asterisk
from tests.asterisk.roots import RELEASES, NoRoot
from tests.levels import unavailable

VERSIONS = tuple(RELEASES)
EXAMPLES = ("extension", "trunk-did", "ring-group", "queue")


def asterisk(version: str, site: Site, *, agi_port: int | None = None) -> Asterisk:
    """An Asterisk to start with `with`; the test is skipped (in CI: fails) where the lab cannot have one."""
    try:
        return Asterisk(version, site, agi_port=agi_port)
    except NoRoot as exc:
        unavailable(str(exc))


def office() -> Site:
    """A small office, made of dialplan/examples/ as they are.

    Phones 101 to 110; ring group 600 (101, 102, 103); queue "sales" 700 (101, 102, ringall). From outside: DID
    74951234567 rings 101, DID 74951234568 answers with a beep and rings 102, and 600, 700 and the phones can be called
    as they are. Transfers by #1 (blind) and *2 (attended).
    """
    examples = "".join((DIALPLAN / "examples" / f"{name}.conf").read_text() for name in EXAMPLES)
    contexts = "".join(f"include => {name}\n" for name in ("ring-groups", "queues"))
    return Site(
        phones=tuple(str(number) for number in range(101, 111)),
        extensions=f"{examples}\n[office](+)\n{contexts}\n[from-trunk](+)\ninclude => office\n",
        queues="[sales]\nstrategy = ringall\ntimeout = 15\nmember => PJSIP/101\nmember => PJSIP/102\n",
    )
