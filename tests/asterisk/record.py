"""Records the matrix: `python -m tests.asterisk.record [--version 22] [KEY ...]` writes tests/data/asterisk-<version>/.

For each play two files. `<key>.<mode>.jsonl` has, in the order of receipt, `{"t": seconds, "ami": [lines]}` for each
event as a `read=call,agent` user gets it, and `{"t": seconds, "announced": {...}}` for what Asterisk passed to FastAGI.
`<key>.<mode>.json` has who owns which number, what the phones saw, and what each owner's stream must be.
"""

import argparse
import asyncio
import json
import sys
import time
import traceback
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec

from tests.asterisk.agi_probe import AgiProbe, Request
from tests.asterisk.ami_probe import Message
from tests.asterisk.instance import Asterisk
from tests.asterisk.lab import VERSIONS, asterisk
from tests.asterisk.scenarios import SCENARIOS, matrix_site
from tests.asterisk.scenarios.stage import MODES, Mode, Scenario, Stage

DATA = Path(__file__).resolve().parents[1] / "data"
PLAY_SECONDS = 60
TELL_OF_ENDS = ("HangupRequest", "SoftHangupRequest", "BridgeLeave", "BridgeDestroy", "DialEnd", "Hangup")


def announced(request: Request) -> dict[str, Any]:
    """What Asterisk passed to `announce`, under the names of fastagi.facts.Announced."""
    env = request.env
    number, linkedid, *_ = request.arguments
    restricted = env.get("agi_callingpres", "0") not in ("0", "1", "2", "3")
    return {
        "uniqueid": env["agi_uniqueid"],
        "linkedid": linkedid,
        "channel": env["agi_channel"],
        "number": number,
        "caller_number": None if restricted or env["agi_callerid"] == "unknown" else env["agi_callerid"],
        "caller_name": None if restricted or env["agi_calleridname"] == "unknown" else env["agi_calleridname"],
        "restricted": restricted,
    }


class Recorder:
    """Keeps what one play makes Asterisk say to a tap; it can lose its AMI connection and come back, as a tap would."""

    def __init__(self, pbx: Asterisk, agi: AgiProbe) -> None:
        self._pbx, self._agi = pbx, agi
        self._stack = AsyncExitStack()
        self.lines: list[tuple[float, dict[str, Any]]] = []
        self._losing = False

    async def connect(self) -> None:
        self._ami = await self._stack.enter_async_context(self._pbx.tap_ami())
        self._ami.listen(self._heard)

    def lose_events(self, on: bool) -> None:
        """From now on nothing gets through that tells of an end, or everything does."""
        self._losing = on

    def _heard(self, message: Message) -> None:
        if self._losing and message["Event"] in TELL_OF_ENDS:
            return
        self.lines.append((message.at, {"ami": list(message.lines)}))

    async def lose(self) -> None:
        await self._stack.aclose()
        self.lines.append((time.monotonic(), {"connection": "lost"}))

    async def regain(self) -> None:
        """Connect again and ask what a tap asks: since when Asterisk is up, and which channels there are."""
        await self.connect()
        self.lines.append((time.monotonic(), {"connection": "up"}))
        status = await self._ami.action("CoreStatus")
        self.lines.append((status.at, {"core_status": list(status.lines)}))
        await self.sweep()

    async def sweep(self) -> None:
        """Two lists, as a tap takes them before it believes that a channel is gone."""
        await self.list_channels()
        await asyncio.sleep(0.6)
        await self.list_channels()

    async def list_channels(self) -> None:
        asked_at = time.monotonic()
        rows = await self._ami.rows("CoreShowChannels")
        self.lines.append((asked_at, {"channels_asked": True}))
        self.lines.append((time.monotonic(), {"channels": [list(row.lines) for row in rows]}))

    async def close(self) -> None:
        await self._stack.aclose()


async def record(pbx: Asterisk, agi: AgiProbe, scenario: Scenario, mode: Mode, folder: Path) -> None:
    """Play one scenario and write its two files."""
    async with pbx.lab_ami() as lab, AsyncExitStack() as stack:
        await lab.quiet()
        stage = Stage(scenario, mode, pbx, lab, stack)
        recorder = Recorder(pbx, agi)
        stage.lose_ami, stage.regain_ami = recorder.lose, recorder.regain
        stage.sweep, stage.lose_events = recorder.sweep, recorder.lose_events
        agi.requests.clear()
        await recorder.connect()
        start = time.monotonic()
        async with asyncio.timeout(PLAY_SECONDS):
            await scenario.play(stage)
        async with pbx.lab_ami() as fresh:  # the PBX may have been restarted
            await fresh.quiet(0.4)
        await recorder.close()
    if bool(agi.requests) is not (mode == "announced" and scenario.announces):
        raise RuntimeError(f"{len(agi.requests)} announcements in the mode {mode}")
    lines = recorder.lines + [(request.at, {"announced": announced(request)}) for request in agi.requests]
    lines.sort(key=lambda line: line[0])
    rows = [json.dumps({"t": round(at - start, 4)} | what, ensure_ascii=False) for at, what in lines]
    sidecar = {
        "scenario": scenario.number,
        "variant": scenario.variant,
        "title": scenario.title,
        "mode": mode,
        "asterisk": pbx.cli("core show version").split(" built")[0],
        "people": {str(user): list(numbers) for user, numbers in scenario.people(mode).items()},
        "phones": [
            f"{entry.at - start:7.3f}  {entry.phone} call {entry.call} {entry.what} {entry.detail}".rstrip()
            for entry in sorted(stage.diary, key=lambda entry: entry.at)
        ],
        "expected": {str(user): msgspec.to_builtins(episodes) for user, episodes in stage.expected.items()},
    }
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{scenario.key}.{mode}"
    (folder / f"{name}.jsonl").write_text("\n".join(rows) + "\n", errors="surrogateescape")
    (folder / f"{name}.json").write_text(_one_line_each(sidecar))


def _one_line_each(sidecar: dict[str, Any]) -> str:
    """JSON with a line for each key, and one for each line of the phones' diary."""
    lines = []
    for key, value in sidecar.items():
        if key == "phones":
            text = "[\n  " + ",\n  ".join(json.dumps(line, ensure_ascii=False) for line in value) + "]"
        else:
            text = json.dumps(value, ensure_ascii=False)
        lines.append(f' "{key}": {text}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


async def record_all(pbx: Asterisk, scenarios: list[Scenario], folder: Path) -> list[str]:
    """Record each in both modes, one after another; gives what went wrong."""
    wrong = []
    async with AgiProbe(pbx.ports.agi) as agi:
        for scenario in scenarios:
            for mode in MODES:
                began = time.monotonic()
                try:
                    await record(pbx, agi, scenario, mode, folder)
                except Exception as exc:  # noqa: BLE001  # the others are to be recorded all the same
                    wrong.append(f"{scenario.key} {mode}: {type(exc).__name__}: {exc}")
                    traceback.print_exc()
                    print(f"{pbx.version} {wrong[-1]}", file=sys.stderr)
                    await hang_up_all(pbx)
                else:
                    print(f"{pbx.version} {scenario.key} {mode} {time.monotonic() - began:.1f} s", flush=True)
    return wrong


async def hang_up_all(pbx: Asterisk) -> None:
    """Clear the PBX after a play that failed."""
    async with pbx.lab_ami() as lab:
        for row in await lab.rows("CoreShowChannels"):
            await lab.action("Hangup", Channel=row["Channel"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--version", choices=VERSIONS, action="append", help="which Asterisk (default: all)")
    parser.add_argument("keys", nargs="*", help="which scenarios, as 08-1 or 08 (default: all)")
    options = parser.parse_args()
    chosen = [
        scenario for scenario in SCENARIOS if not options.keys or {scenario.key, scenario.key[:2]} & set(options.keys)
    ]
    wrong: list[str] = []
    for version in options.version or VERSIONS:
        with asterisk(version, matrix_site()) as pbx:
            wrong += asyncio.run(record_all(pbx, chosen, DATA / f"asterisk-{version}"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
