"""FastAGI against a C floor and the other Python servers.

Every server answers the same request with the same two commands. The server is pinned to one core, the generator to
another; rounds are interleaved, so that a noisy minute hits all alike; the median of the rounds counts, as a ratio to
the floor's. The peers live in .cache/bench-peers, apart from Zvonok's own environment.
"""

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.benchmarks.peers import peers_python
from tests.benchmarks.programs import compiled, free_port, on_core, step
from tests.benchmarks.size import Size
from tests.benchmarks.targets import Target

HERE = Path(__file__).parent
OURS, ALONE, FLOOR = "zvonok", "zvonok, no tap", "C floor"
PEERS = ("panoramisk", "pystrix", "aioagi", "pyst2")
Figures = dict[str, float]


def measure(size: Size, *, peers: Sequence[str] = PEERS) -> list[Target]:
    """Measure, print the table, and return the targets of the FastAGI server."""
    rounds = size.of(1, 3, 7)
    loads = {
        "one at a time": ("-c", "1", "-n", size.of("20", "500", "1000")),
        "16 at a time": ("-c", "16", "-n", size.of("40", "2000", "3000")),
        "500/s": ("-r", "500", "-n", size.of("40", "1000", "1500")),
    }
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        load_program = compiled(folder, HERE / "agi_load.c")
        running.enter_context(_tap(folder / "facts.sock"))
        peer_python = peers_python() if peers else Path()
        commands: dict[str, list[str | Path]] = {
            FLOOR: [compiled(folder, HERE / "agi_floor.c"), "PORT"],
            OURS: [sys.executable, "-m", "tests.benchmarks.agi.ours", "PORT", folder / "facts.sock"],
            ALONE: [sys.executable, "-m", "tests.benchmarks.agi.ours", "PORT"],
            **{peer: [peer_python, HERE / "peers.py", peer, "PORT"] for peer in peers},
        }
        servers = {name: running.enter_context(_server(load_program, command)) for name, command in commands.items()}
        figures: dict[tuple[str, str], list[Figures]] = {}
        for number in range(rounds + 1):  # the first round warms up
            step(f"FastAGI, round {number} of {rounds}")
            for name, (port, pid) in servers.items():
                for load, arguments in loads.items():
                    found = _load(load_program, port, pid, arguments)
                    if found is None and name in (FLOOR, OURS):  # a busy moment; a ratio needs both
                        found = _load(load_program, port, pid, arguments)
                    if number and found:
                        figures.setdefault((name, load), []).append(found)
    medians = {
        key: {figure: statistics.median(one[figure] for one in found) for figure in found[0]}
        for key, found in figures.items()
    }
    _table(list(servers), list(loads), medians, rounds)
    return _targets(medians)


def _targets(medians: dict[tuple[str, str], Figures]) -> list[Target]:
    def cpu(name: str) -> float:
        return medians[name, "16 at a time"]["cpu"]

    return [
        Target(
            "FastAGI: session p50 at 500/s, against the C floor",
            medians[OURS, "500/s"]["p50"] / medians[FLOOR, "500/s"]["p50"],
            1.3,
        ),
        Target("FastAGI: CPU a session at 16 at a time, against the C floor", cpu(OURS) / cpu(FLOOR), 2.0),
        *(
            Target(f"FastAGI: CPU a session at 16 at a time, against {peer}", cpu(OURS) / cpu(peer), 1.0)
            for peer in PEERS
            if (peer, "16 at a time") in medians
        ),
    ]


def _table(names: list[str], loads: list[str], medians: dict[tuple[str, str], Figures], rounds: int) -> None:
    print(f"\nFastAGI sessions of two commands, medians of {rounds} rounds; us, and (times the C floor)")
    for load in loads:
        print(f"\n{load:15} {'p50':>14} {'p95':>8} {'p99':>8} {'CPU/session':>16} {'sessions/s':>11}")
        floor = medians[FLOOR, load]
        for name in names:
            if (found := medians.get((name, load))) is None:
                print(f"{name:15} failed")
                continue
            p50, cpu = (f"{found[key]:.0f} ({found[key] / floor[key]:.2f})" for key in ("p50", "cpu"))
            print(f"{name:15} {p50:>14} {found['p95']:8.0f} {found['p99']:8.0f} {cpu:>16} {found['per_s']:11.0f}")
    print()


def _load(program: Path, port: int, pid: int, arguments: tuple[str, ...], *, quiet: bool = False) -> Figures | None:
    command = on_core(1, program, "-p", str(port), "-P", str(pid), *arguments)
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        if not quiet:
            print(f"port {port}: {' '.join(arguments)}: {done.stdout.strip()} {done.stderr.strip()}", file=sys.stderr)
        return None
    return dict(json.loads(done.stdout))


@contextmanager
def _server(program: Path, command: list[str | Path]) -> Iterator[tuple[int, int]]:
    """A server pinned to the first core: its port and process id."""
    port = free_port()
    words = on_core(0, *(str(port) if word == "PORT" else word for word in command))
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        # Asked by a whole session: panoramisk spins for ever after a connection that closes without a request.
        until = time.monotonic() + 15
        while _load(program, port, process.pid, ("-n", "1"), quiet=True) is None:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"it did not start: {' '.join(words)}")
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


@contextmanager
def _tap(path: Path) -> Iterator[None]:
    """Something that takes the facts."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def drain() -> None:
            connection, _ = listener.accept()
            with connection:
                while connection.recv(1 << 20):
                    pass

        threading.Thread(target=drain, daemon=True).start()
        yield
