"""The notifier with thousands of users: memory, connects, storms, delivery, and how each grows with the users.

Starts a notifier of its own, pinned to one core, and the C program crowd.c, which is browsers and tap, on another.
`ramp`: 64 handshakes at a time, then states at 200/s with heartbeats on. `storm`: all connect at once. Beside it, in
turn, floor.c does the least that such a server can do: what it takes is the machine's and the generator's.
"""

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from notifier.auth import issue
from tests.benchmarks.programs import compiled, free_port, on_core, step, undisturbed
from tests.benchmarks.size import Size
from tests.benchmarks.targets import Target

HERE = Path(__file__).parent
SECRET = "bench-secret-bench-secret-bench-secret"
RATE = 200
OURS, FLOOR = "zvonok", "C floor"
Figures = dict[str, float]
Found = dict[tuple[str, int], list[Figures]]


def measure(size: Size) -> list[Target]:
    """Measure, print the table, and return the notifier's targets."""
    crowds = size.of([20], [1_000, 10_000], [1_000, 3_000, 10_000, 19_000], medium=[1_000, 10_000, 19_000])
    rounds, seconds = size.of(1, 2, 3, medium=3), size.of(0.2, 8.0, 10.0)
    many = 10_000 if 10_000 in crowds else crowds[-1]
    ramps: Found = {}
    storms: Found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        crowd, floor = compiled(folder, HERE / "crowd.c", HERE / "intake.c"), compiled(folder, HERE / "floor.c")
        tokens = write_tokens(folder / "tokens", max(crowds), SECRET)
        for number in range(rounds):
            for users in crowds:
                if number and users != many:
                    continue  # the targets' crowd counts; the others show how it grows
                step(f"{users:,} users, round {number + 1} of {rounds}")
                for server in (OURS, FLOOR) if users == many else (OURS,):
                    for found, options in (
                        (ramps, {"at_once": 64, "rate": RATE, "seconds": seconds}),
                        (storms, {"at_once": users, "rate": 0, "seconds": 0}),
                    ):
                        one = undisturbed(partial(_come, server, crowd, floor, tokens, users=users, **options))
                        found.setdefault((server, users), []).append(one)
    _table(ramps, storms)
    return _targets(many, ramps, storms)


def _come(server: str, crowd: Path, floor: Path, tokens: Path, **options: float) -> Figures:
    """A crowd at a fresh server."""
    with _notifier() if server == OURS else _floor(floor) as (url, intake, pid):
        return run_crowd(crowd, url, intake, tokens, [pid], **options)


def _targets(many: int, ramps: Found, storms: Found) -> list[Target]:
    ramp, storm = _median(ramps[OURS, many]), _median(storms[OURS, many])
    most = _median(ramps[max(row for row in ramps if row[0] == OURS)])
    lost = max(one["lost_connections"] + one["sent"] - one["delivered"] for each in ramps.values() for one in each)
    what = f"delivery at {RATE} states/s, {many:,} users connected"
    return [
        Target(f"{what}: p50", ramp["p50_ms"], 0.3, "ms"),
        Target(f"{what}: p99", ramp["p99_ms"], 1, "ms"),
        Target(f"{what}: p99.9", ramp["p999_ms"], 5, "ms"),
        Target(f"memory of a connected, idle user ({many:,} of them)", ramp["kib_per_connection"], 18, "KiB"),
        Target("connections on one node", most["connected"], 19_000, "users", at_least=True),
        Target("connections and states lost", lost, 0, "lost"),
        Target(f"a storm of {many:,} connects, to the snapshot", storm["connect_seconds"], 3, "s"),
    ]


def _table(ramps: Found, storms: Found) -> None:
    print(f"\nUsers connected to one notifier; delivery at {RATE} states/s, from when a state was due to its frame")
    print(
        f"{'':9}{'users':>7} {'KiB each':>9} {'connect CPU us':>15} {'storm s':>8}"
        f" {'p50 ms':>7} {'p99':>7} {'p99.9':>7} {'max':>7} {'CPU %':>6}"
    )
    for row in ramps:
        ramp, storm = _median(ramps[row]), _median(storms[row])
        print(
            f"{row[0]:9}{row[1]:>7,} {ramp['kib_per_connection']:>9.1f} {ramp['connect_cpu_us']:>15.0f}"
            f" {storm['connect_seconds']:>8.2f}"
            f" {ramp['p50_ms']:>7.2f} {ramp['p99_ms']:>7.2f} {ramp['p999_ms']:>7.2f} {ramp['max_ms']:>7.2f}"
            f" {ramp['cpu']:>6.1f}"
        )
    print()


def write_tokens(path: Path, users: int, secret: str) -> Path:
    """A line for each user, from 1 on: his token."""
    path.write_text("".join(issue(secret, number, lifetime_s=3600) + "\n" for number in range(1, users + 1)))
    return path


def run_crowd(crowd: Path, url: str, feed: int, tokens: Path, pids: list[int], **options: float) -> Figures:
    """What crowd.c says; `options` by their first letters: users (n), at_once (a), rate (r), seconds (d),
    patience (w)."""
    letters = {"users": "-n", "at_once": "-a", "rate": "-r", "seconds": "-d", "patience": "-w"}
    numbers = [word for name, value in options.items() for word in (letters[name], str(value))]
    command = [crowd, "-u", url, "-f", str(feed), "-s", SECRET, "-t", tokens, "-p", ",".join(map(str, pids)), *numbers]
    done = subprocess.run(on_core(1, *command), capture_output=True, text=True, check=False)
    try:
        told = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"the crowd failed: {done.stderr[-500:]}") from None
    for number, used in enumerate(told.pop("cpu_seconds")):
        told["cpu" if not number else f"cpu_{number}"] = 100 * used / told["seconds"]
    return dict(told)


@contextmanager
def _floor(program: Path) -> Iterator[tuple[str, int, int]]:
    """The floor: where users come in, the intake's port, its pid."""
    users, intake = free_port(), free_port()
    with subprocess.Popen(on_core(0, program, str(users), str(intake))) as process:
        try:
            until = time.monotonic() + 10
            while True:
                try:
                    socket.create_connection(("127.0.0.1", intake)).close()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > until:
                        raise RuntimeError("the floor did not start") from None
                    time.sleep(0.02)
            yield f"127.0.0.1:{users}", intake, process.pid
        finally:
            process.kill()


@contextmanager
def _notifier() -> Iterator[tuple[str, int, int]]:
    """A notifier without a database: where users come in, the intake's port, its pid."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("ZVONOK_", "PYTHONASYNCIO"))},
        "ZVONOK_AUTH_SECRET": SECRET,
        "ZVONOK_INTAKE_SECRET": SECRET,
        "ZVONOK_HTTP_LISTEN": "127.0.0.1:0",
        "ZVONOK_INTAKE_LISTEN": "127.0.0.1:0",
        "ZVONOK_ENV_FILE": "/dev/null",
    }
    notifier = subprocess.Popen(
        on_core(0, sys.executable, "-m", "zvonok", "notifier"), env=environment, stderr=subprocess.PIPE, text=True
    )
    assert notifier.stderr
    try:
        where = None
        while where is None:
            line = notifier.stderr.readline()
            if not line:
                raise RuntimeError("the notifier did not start")
            where = re.search(r"users come in at (\S+), states at \S+:(\d+)", line)
        yield where[1], int(where[2]), notifier.pid
    finally:
        notifier.terminate()
        notifier.communicate(timeout=60)


def _median(found: list[Figures]) -> Figures:
    return {name: statistics.median(one[name] for one in found) for name in found[0]}
