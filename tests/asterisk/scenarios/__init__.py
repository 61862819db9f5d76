"""The matrix: every scenario, and the PBX that they are all played on."""

from tests.asterisk.config import Site
from tests.asterisk.scenarios import faults, groups, simple, transfers
from tests.asterisk.scenarios.stage import HOOK, MODES, Scenario

SCENARIOS: tuple[Scenario, ...] = tuple(
    sorted(
        (*simple.SCENARIOS, *groups.SCENARIOS, *transfers.SCENARIOS, *faults.SCENARIOS),
        key=lambda scenario: scenario.key,
    )
)

# Each phone can be called by its own number, announced for the numbers with 2, unknown to us for those with 3.
# [local] is where Local channels go: no announcement of their own.
COMMON = f"""
[local]
exten => _[23]XXX[1-6],1,Dial(PJSIP/${{EXTEN}},20)

[confirm]
exten => s,1,Read(key,beep,1,,1,5)
exten => s,n,ExecIf($["${{key}}"!="1"]?Set(GOSUB_RESULT=CONTINUE))
exten => s,n,Return()

[lab]
exten => _2XXX[1-6],1,{HOOK}
exten => _2XXX[1-6],n,Dial(PJSIP/${{EXTEN}},20)
exten => _3XXX[1-6],1,Dial(PJSIP/${{EXTEN}},20)
"""


def matrix_site() -> Site:
    """The PBX with all scenarios' phones, numbers and queues, of both modes."""
    extensions, queues, phones, trunks = [COMMON], [], [], []
    for scenario in SCENARIOS:
        for mode in MODES:
            extensions.append(scenario.filled(scenario.extensions, mode))
            queues.append(scenario.filled(scenario.queues, mode))
            phones += [scenario.base(mode) + digit for digit in scenario.phones]
            trunks += [scenario.base(mode) + digit for digit in scenario.trunks]
    return Site(
        phones=tuple(phones),
        trunks=tuple(trunks),
        extensions="".join(extensions),
        queues="".join(queues),
        phones_context="lab",
        trunk_context="lab",
    )
