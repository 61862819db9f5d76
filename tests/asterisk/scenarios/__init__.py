"""The matrix: every scenario, and the PBX that they are all played on."""

from collections.abc import Iterable

from tests.asterisk.config import Site
from tests.asterisk.scenarios import consulting, faults, groups, owners, queues, simple, transfers
from tests.asterisk.scenarios.stage import HOOK, MODES, Block, Scenario

SCENARIOS: tuple[Scenario, ...] = tuple(
    sorted(
        (
            *simple.SCENARIOS,
            *owners.SCENARIOS,
            *groups.SCENARIOS,
            *queues.SCENARIOS,
            *transfers.SCENARIOS,
            *consulting.SCENARIOS,
            *faults.SCENARIOS,
        ),
        key=lambda scenario: scenario.key,
    )
)

# Each phone can be called by its own number, announced for the numbers with 2, unknown to us for those with 3.
# [local] is where Local channels go: no announcement of their own.
COMMON = f"""
[local]
exten => _[23]XXX[1-6],1,Dial(PJSIP/${{EXTEN}},60)

[confirm]
exten => s,1,Read(key,beep,1,,1,5)
exten => s,n,ExecIf($["${{key}}"!="1"]?Set(GOSUB_RESULT=CONTINUE))
exten => s,n,Return()

[lab]
exten => _2XXX[1-6],1,{HOOK}
exten => _2XXX[1-6],n,Dial(PJSIP/${{EXTEN}},60)
exten => _3XXX[1-6],1,Dial(PJSIP/${{EXTEN}},60)
"""


def site(blocks: Iterable[Block]) -> Site:
    """A PBX with the phones, numbers and queues of `blocks`, in both modes."""
    extensions, queues, phones, trunks = [COMMON], [], [], []
    for block in blocks:
        for mode in MODES:
            extensions.append(block.filled(block.extensions, mode))
            queues.append(block.filled(block.queues, mode))
            phones += [block.base(mode) + digit for digit in block.phones]
            trunks += [block.base(mode) + digit for digit in block.trunks]
    return Site(
        phones=tuple(phones),
        trunks=tuple(trunks),
        extensions="".join(extensions),
        queues="".join(queues),
        phones_context="lab",
        trunk_context="lab",
    )


def matrix_site() -> Site:
    """The PBX that all scenarios are played on."""
    return site(SCENARIOS)
