"""AMI intake, flooded, against a C floor and other Python clients: `python -m tests.benchmarks.ami [ROUNDS [CALLS]]`.

The flood is recordings of a real Asterisk with fresh ids, as fast as the client takes it: the client on one core, the
flood on another. Rounds are interleaved, medians count. A slow peer gets a shorter flood; its figures are an event's.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from fastagi.ami_facts import WANTED
from tests.benchmarks.pbx_stream import END, calls
from tests.benchmarks.peers import peers_python
from tests.benchmarks.targets import Target, report

HERE = Path(__file__).parent
FLOOR, OURS, TRACKED = "C floor", "zvonok", "zvonok, with tracker"
SHORTER = {"panoramisk": 10, "pystrix": 10, "pyst2": 100}
TIME_LIMIT = 120
Figures = dict[str, float]


def measure(rounds: int, size: int) -> list[Target]:
    """Flood everybody with `size` calls, print the table, and return the targets of the AMI intake."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for program in ("ami_flood", "ami_floor"):
            subprocess.run(["cc", "-O2", "-o", folder / program, HERE / f"{program}.c"], check=True)
        peers, events = peers_python(), sorted(WANTED)
        clients: dict[str, list[str | Path]] = {
            FLOOR: [folder / "ami_floor", "PORT"],
            OURS: [sys.executable, "-m", "tests.benchmarks.ami.ours", "PORT"],
            TRACKED: [sys.executable, "-m", "tests.benchmarks.ami.ours", "PORT", "tracker"],
            **{peer: [peers, HERE / "peers.py", peer, "PORT", *events] for peer in SHORTER},
        }
        floods = {part: _write(folder / f"flood-{part}", size // part) for part in {1, *SHORTER.values()}}
        figures: dict[str, list[Figures]] = {}
        for _ in range(rounds):
            for name, command in clients.items():
                part = SHORTER.get(name, 1)
                found = _flood(folder / "ami_flood", folder / f"flood-{part}", floods[part], command)
                if found is None:
                    print(f"{name}: did not take the flood to its end", file=sys.stderr)
                else:
                    figures.setdefault(name, []).append(found)
    medians = {
        name: {figure: statistics.median(one[figure] for one in found) for figure in found[0]}
        for name, found in figures.items()
    }
    _table(medians, rounds, floods[1])
    return _targets(medians)


def _targets(medians: dict[str, Figures]) -> list[Target]:
    ours, tracked = medians[OURS], medians[TRACKED]
    return [
        Target("AMI intake, flooded", ours["per_s"], 300_000, "events/s", at_least=True),
        Target("AMI intake: CPU an event, against the C floor", ours["cpu"] / medians[FLOOR]["cpu"], 5.0),
        *(
            Target(f"AMI intake: CPU an event, against {peer}", ours["cpu"] / medians[peer]["cpu"], 1.0)
            for peer in SHORTER
            if peer in medians
        ),
        Target("AMI intake with tracker: longest that Asterisk's write is blocked", tracked["blocked_ms"], 50, "ms"),
    ]


def _table(medians: dict[str, Figures], rounds: int, events: int) -> None:
    print(f"\nAMI intake, a flood of {events} events, medians of {rounds} rounds")
    print(f"{'':22} {'events/s':>10} {'CPU us/event (x C)':>22} {'write blocked, ms':>18}")
    for name, found in medians.items():
        cpu = f"{found['cpu']:.2f} ({found['cpu'] / medians[FLOOR]['cpu']:.1f})"
        print(f"{name:22} {found['per_s']:10.0f} {cpu:>22} {found['blocked_ms']:18.1f}")
    print()


def _write(path: Path, size: int) -> int:
    """Write a flood of `size` calls: how many events it has."""
    count = 1
    with path.open("wb") as out:
        for call in islice(calls(), max(1, size)):
            out.write(call)
            count += call.count(b"Event: ")
        out.write(END)
    return count


def _flood(program: Path, data: Path, events: int, command: list[str | Path]) -> Figures | None:
    with _server(program, data) as (port, flood):
        words = ["taskset", "-c", _core(0), *(str(port) if word == "PORT" else str(word) for word in command)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=TIME_LIMIT)
        except subprocess.TimeoutExpired:
            return None
        if done.returncode or not done.stdout:
            print(done.stderr[-400:], file=sys.stderr)
            return None
        assert flood.stdout is not None
        seen = json.loads(flood.stdout.readline())
        cpu = json.loads(done.stdout.splitlines()[-1])["cpu"]
        return {"per_s": events / seen["seconds"], "cpu": cpu / events * 1e6, "blocked_ms": seen["blocked_ms"]}


@contextmanager
def _server(program: Path, data: Path) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    words = ["taskset", "-c", _core(1), str(program), str(port), str(data)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 15
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"it did not start: {' '.join(words)}") from None
                time.sleep(0.05)
        yield port, process
    finally:
        process.kill()
        process.communicate()


def _core(number: int) -> str:
    cores = sorted(os.sched_getaffinity(0))
    return str(cores[min(number, len(cores) - 1)])


if __name__ == "__main__":
    report(measure(*map(int, [*sys.argv[1:3], *("3", "4000")[len(sys.argv) - 1 :]])))
