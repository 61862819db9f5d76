"""What the announcement adds to call set-up on a real Asterisk: the same dialplan with and without the hook, SIPp.

Each call is timed from its INVITE to the 180 that the dialplan sends behind the hook. Plays with and without it are
interleaved. All of Zvonok runs beside, as on a PBX host, and the names of the hundred callers are in its memory.
"""

import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from socket import SOCK_DGRAM

import psycopg

from demo.postgres import temporary_postgres
from sql.runner import migrate
from tests.asterisk.config import TAP_SECRET, Site
from tests.asterisk.instance import Asterisk, free_port
from tests.asterisk.lab import asterisk
from tests.benchmarks.programs import step, undisturbed
from tests.benchmarks.sip_watch import watching
from tests.benchmarks.size import Size
from tests.benchmarks.targets import Target
from tests.installation import running_zvonok, wait_in_step

RATE = 50
_HOOK = "GosubIf($[${DIALPLAN_EXISTS(zvonok,s,1)}]?zvonok,s,1(84951234567"
EXTENSIONS = {"without": "NoOp()", "hook": f"{_HOOK}))", "hook, name": f"{_HOOK},name))"}
_DIALPLAN = "[from-trunk]\n" + "".join(
    f"exten => {number},1,{application}\n same => n,Ringing()\n same => n,Wait(0.1)\n same => n,Hangup(17)\n"
    for number, application in enumerate(EXTENSIONS.values(), start=1)
)
_PEOPLE = """
INSERT INTO users (id, name) VALUES (1, 'Смирнова Ольга');
INSERT INTO user_phones (user_id, phone_number, phone_type) VALUES (1, '84951234567', 'рабочий');
INSERT INTO companies (id, name) VALUES (1, 'ООО «Ромашка»');
INSERT INTO dealers (id, name, company_id) SELECT n, 'Петров Пётр ' || n, 1 FROM generate_series(0, 99) n;
INSERT INTO dealer_phone_numbers (dealer_id, phone_number)
SELECT n, '+7 (927) 139-00-' || to_char(n, 'FM00') FROM generate_series(0, 99) n
"""


def measure(size: Size) -> list[Target]:
    """Measure, print the table, and return the target of call set-up."""
    rounds, calls = size.of(1, 3, 5), size.of(5, 150, 500, medium=300)
    if shutil.which("sipp") is None:
        raise RuntimeError("SIPp is not installed: sudo make test-tools, or apt install sip-tester")
    times: dict[str, list[list[float]]] = {name: [] for name in EXTENSIONS}
    with stage() as (pbx, _):
        play(pbx, len(EXTENSIONS), max(calls // 2, 100))  # every name is remembered from here on
        for number in range(rounds):
            for extension, name in enumerate(EXTENSIONS, start=1):
                step(f"{name}, {calls} calls at {RATE}/s, round {number + 1} of {rounds}")
                times[name].append(undisturbed(partial(play, pbx, extension, calls)))
    return _told(times)


@contextmanager
def stage() -> Iterator[tuple[Asterisk, int]]:
    """An Asterisk with all of Zvonok beside it, and the port of its FastAGI server."""
    with temporary_postgres() as server:
        migrate(server.url())
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(_PEOPLE)
        agi = free_port()
        with (
            asterisk("22", Site(extensions=_DIALPLAN), agi_port=agi) as pbx,
            running_zvonok(
                server.url(), ami_port=pbx.ports.ami, ami_secret=TAP_SECRET, AGI_LISTEN=f"127.0.0.1:{agi}"
            ) as zvonok,
        ):
            wait_in_step(zvonok)
            yield pbx, agi


def _told(times: dict[str, list[list[float]]]) -> list[Target]:
    def at(name: str, share: float) -> float:
        return statistics.median(sorted(found)[int(share * (len(found) - 1))] for found in times[name])

    print(f"\nCall set-up on Asterisk 22, {RATE} calls/s: INVITE to 180, ms, medians of the rounds (and what it adds)")
    print(f"{'':12} {'p50':>14} {'p95':>14} {'p99':>14}")
    for name in times:
        cells = (
            f"{at(name, share):.2f} ({at(name, share) - at('without', share):+.2f})" for share in (0.5, 0.95, 0.99)
        )
        print(f"{name:12} " + " ".join(f"{cell:>14}" for cell in cells))
    print()
    added = at("hook, name", 0.99) - at("without", 0.99)
    return [Target("call set-up, announced with a remembered name: added at p99", added, 2, "ms")]


def play(pbx: Asterisk, extension: int, calls: int) -> list[float]:
    """Each call's milliseconds from its INVITE to the 180."""
    with watching(pbx.ports.sip) as passed:
        place(pbx, extension, calls)
    found = passed.milliseconds()
    if len(found) < 0.95 * calls:  # on a busy machine the watcher may miss a packet
        raise RuntimeError(f"{len(found)} of {calls} calls were seen to ring")
    return found


def place(pbx: Asterisk, extension: int, calls: int) -> None:
    """So many calls, RATE a second."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scenario = shutil.copy(Path(__file__).with_name("caller.xml"), folder)
        callers = folder / "callers.csv"
        callers.write_text("SEQUENTIAL\n" + "".join(f"{n:02}\n" for n in range(100)))
        command = ["sipp", f"127.0.0.1:{pbx.ports.sip}", "-sf", scenario, "-inf", callers, "-s", str(extension)]
        command += ["-m", str(calls), "-r", str(RATE), "-nostdin", "-i", "127.0.0.1"]
        for _ in range(3):
            ports = ["-p", str(free_port(SOCK_DGRAM)), "-mp", str(free_port(SOCK_DGRAM))]
            done = subprocess.run(
                [*command, *ports], cwd=folder, capture_output=True, text=True, timeout=60 + calls / RATE, check=False
            )
            if "Address already in use" not in done.stderr:  # else somebody took the port in between
                break
    if done.returncode:
        raise RuntimeError(f"SIPp failed ({done.returncode}): {done.stderr[-500:]}{done.stdout[-1500:]}")
