"""AMI intake, flooded, against a C floor and other Python clients.

Two floods, recorded from a real Asterisk, with fresh ids, as fast as the client takes them: what our AMI user is sent
(classes call and agent: most events matter), and what `read = all` brings (few do). The client is on one core, the
flood on another; rounds are interleaved, medians count. A slow peer gets a shorter flood; its figures are an event's.
"""

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

from fastagi.ami_facts import WANTED
from tests.benchmarks.pbx_stream import END, calls, calls_with_everything
from tests.benchmarks.peers import peers_python
from tests.benchmarks.programs import compiled, free_port, on_core, step, undisturbed
from tests.benchmarks.size import Size
from tests.benchmarks.targets import Target

HERE = Path(__file__).parent
FLOOR, OURS, TRACKED = "C floor", "zvonok", "zvonok, with tracker"
OUR_CLASSES, EVERYTHING = "read = call,agent", "read = all"
SHORTER = {"panoramisk": 10, "pystrix": 10, "pyst2": 100}
TIME_LIMIT = 120
Figures = dict[str, float]


def measure(size: Size, *, peers: Sequence[str] = tuple(SHORTER)) -> list[Target]:
    """Flood everybody, print the table, and return the targets of the AMI intake."""
    rounds, count = size.of(1, 3, 5), size.of(20, 1500, 4000)
    floods = {OUR_CLASSES: calls, EVERYTHING: calls_with_everything}
    medians: dict[str, dict[str, Figures]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flood_program, floor_program = compiled(folder, HERE / "ami_flood.c"), compiled(folder, HERE / "ami_floor.c")
        python, events = (peers_python() if peers else Path()), sorted(WANTED)
        clients: dict[str, list[str | Path]] = {
            FLOOR: [floor_program, "PORT"],
            OURS: [sys.executable, "-m", "tests.benchmarks.ami.ours", "PORT"],
            TRACKED: [sys.executable, "-m", "tests.benchmarks.ami.ours", "PORT", "tracker"],
            **{peer: [python, HERE / "peers.py", peer, "PORT", *events] for peer in peers},
        }
        for flood, source in floods.items():
            sizes = {part: _write(folder / f"flood-{part}", source(), count // part) for part in {1, *SHORTER.values()}}
            figures: dict[str, list[Figures]] = {}
            for number in range(rounds):
                step(f"AMI, {flood}, round {number + 1} of {rounds}")
                for name, command in clients.items():
                    part = SHORTER.get(name, 1)
                    flooding = partial(_flood, flood_program, folder / f"flood-{part}", sizes[part], command)
                    found = undisturbed(flooding)
                    if found is None:
                        print(f"{name}: did not take the flood to its end", file=sys.stderr)
                    else:
                        figures.setdefault(name, []).append(found)
            medians[flood] = {
                name: {figure: statistics.median(one[figure] for one in found) for figure in found[0]}
                for name, found in figures.items()
            }
            _table(flood, medians[flood], rounds, sizes[1])
    return [target for flood in floods for target in _targets(flood, medians[flood])]


def _targets(flood: str, medians: dict[str, Figures]) -> list[Target]:
    ours, tracked = medians[OURS], medians[TRACKED]
    what = f"AMI intake, {flood}"
    return [
        Target(f"{what}: events taken", ours["per_s"], 300_000, "events/s", at_least=True),
        Target(f"{what}: CPU an event, against the C floor", ours["cpu"] / medians[FLOOR]["cpu"], 5.0),
        *(
            Target(f"{what}: CPU an event, against {peer}", ours["cpu"] / medians[peer]["cpu"], 1.0)
            for peer in SHORTER
            if peer in medians
        ),
        Target(f"{what}, with tracker: longest that Asterisk's write is blocked", tracked["blocked_ms"], 50, "ms"),
    ]


def _table(flood: str, medians: dict[str, Figures], rounds: int, events: int) -> None:
    print(f"\nAMI intake, {flood}: a flood of {events} events, medians of {rounds} rounds")
    print(f"{'':22} {'events/s':>10} {'CPU us/event (x C)':>22} {'write blocked, ms':>18}")
    for name, found in medians.items():
        cpu = f"{found['cpu']:.2f} ({found['cpu'] / medians[FLOOR]['cpu']:.1f})"
        print(f"{name:22} {found['per_s']:10.0f} {cpu:>22} {found['blocked_ms']:18.1f}")
    print()


def _write(path: Path, source: Iterator[bytes], size: int) -> int:
    """Write a flood of `size` calls from `source`: how many events it has."""
    count = 1
    with path.open("wb") as out:
        for call in islice(source, max(1, size)):
            out.write(call)
            count += call.count(b"Event: ")
        out.write(END)
    return count


def _flood(program: Path, data: Path, events: int, command: list[str | Path]) -> Figures | None:
    with _server(program, data) as (port, flood):
        words = on_core(0, *(str(port) if word == "PORT" else word for word in command))
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
    port = free_port()
    words = on_core(1, program, str(port), data)
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
