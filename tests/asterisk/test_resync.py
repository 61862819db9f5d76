"""The AMI connection, the tap, the FastAGI server or Asterisk itself breaks in the middle of calls in every phase.

On real Asterisk 22 and 16.28, with real processes and a page for every user (tests/asterisk/resync.py).
"""

import asyncio

import pytest

from tests.asterisk import config
from tests.asterisk.ami_proxy import AmiProxy
from tests.asterisk.instance import free_port
from tests.asterisk.lab import VERSIONS, asterisk
from tests.asterisk.matrix import BYSTANDER, fill
from tests.asterisk.resync import AmiCut, AsteriskKilled, FastagiKilled, Run, TapKilled, new_call_shows
from tests.asterisk.scenarios import site
from tests.asterisk.scenarios.phases import plots
from tests.asterisk.scenarios.stage import MODES
from tests.installation import running_zvonok, wait_in_step


@pytest.mark.timeout(400)
@pytest.mark.parametrize("version", VERSIONS, ids=[f"asterisk-{version}" for version in VERSIONS])
async def test_whatever_breaks_in_mid_call_the_cards_are_right_within_two_seconds(
    version: str, database_url: str
) -> None:
    plays = [plots(variant) for variant in range(4)]
    everything = [plot for variant in plays for plot in variant]
    fill(database_url, everything)
    agi_port = free_port()
    with asterisk(version, site(everything), agi_port=agi_port) as pbx:
        async with AmiProxy(pbx.ports.ami) as proxy:
            settings = {"AGI_LISTEN": f"127.0.0.1:{agi_port}", "PBX_NAME": f"asterisk-{version}"}
            running = running_zvonok(database_url, ami_port=proxy.port, ami_secret=config.TAP_SECRET, **settings)
            zvonok = await asyncio.to_thread(running.__enter__)
            try:
                wrong = []
                faults = (AmiCut(proxy), TapKilled(zvonok), FastagiKilled(zvonok), AsteriskKilled(pbx))
                for fault, block in zip(faults, plays, strict=True):
                    await asyncio.to_thread(wait_in_step, zvonok)
                    run = Run(pbx, zvonok, BYSTANDER)
                    told = await run.play(block, fault)
                    print(f"{fault.name}: {len(block)} calls, cards right after {run.seconds:.2f} s")
                    if told:
                        wrong.append(f"{fault.name} broke:\n{told}")
                simple = next(plot for plot in plays[-1] if plot.title == "talking")
                wrong += [told for mode in MODES if (told := await new_call_shows(pbx, zvonok, simple, mode))]
                assert not wrong, "\n".join(wrong)
            finally:
                await asyncio.to_thread(running.__exit__, None, None, None)
