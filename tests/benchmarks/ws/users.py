"""The notifier with thousands of users: memory, connects, storms, delivery, and how each grows with the users.

Starts a notifier of its own, pinned to one core, and the C program crowd.c, which is browsers and tap, on another.
`ramp`: 64 handshakes at a time, then states at 200/s with heartbeats on. `storm`: all connect at once.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from notifier.auth import issue
from tests.benchmarks.programs import compiled, on_core, step
from tests.benchmarks.size import Size
from tests.benchmarks.targets import Target

HERE = Path(__file__).parent
SECRET = "bench-secret-bench-secret-bench-secret"
RATE = 200
Figures = dict[str, float]


def measure(size: Size) -> list[Target]:
    """Measure, print the table, and return the notifier's targets."""
    crowds = size.of([20], [1_000, 10_000], [1_000, 3_000, 10_000, 19_000])
    rounds, seconds = size.of(1, 1, 3), size.of(0.2, 8.0, 15.0)
    many = 10_000 if 10_000 in crowds else crowds[-1]
    ramps: dict[int, list[Figures]] = {users: [] for users in crowds}
    storms: dict[int, list[Figures]] = {users: [] for users in crowds}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        crowd = compiled(folder, HERE / "crowd.c", HERE / "intake.c")
        tokens = write_tokens(folder / "tokens", max(crowds), SECRET)
        for number in range(rounds):
            for users in crowds:
                if number and users != many:
                    continue  # the targets' crowd counts; the others show how it grows
                step(f"{users:,} users, round {number + 1} of {rounds}")
                ramps[users].append(_run(crowd, tokens, users, at_once=64, rate=RATE, seconds=seconds))
                storms[users].append(_run(crowd, tokens, users, at_once=users, rate=0, seconds=0))
    _table(crowds, ramps, storms)
    return _targets(many, _median(ramps[many]), _median(storms[many]), most=max(crowds), all_ramps=ramps)


def _targets(
    many: int, ramp: Figures, storm: Figures, *, most: int, all_ramps: dict[int, list[Figures]]
) -> list[Target]:
    lost = max(
        one["lost_connections"] + one["sent"] - one["delivered"] for found in all_ramps.values() for one in found
    )
    what = f"delivery at {RATE} states/s, {many:,} users connected"
    return [
        Target(f"{what}: p50", ramp["p50_ms"], 0.3, "ms"),
        Target(f"{what}: p99", ramp["p99_ms"], 1, "ms"),
        Target(f"{what}: p99.9", ramp["p999_ms"], 5, "ms"),
        Target(f"memory of a connected, idle user ({many:,} of them)", ramp["kib_per_connection"], 18, "KiB"),
        Target("connections on one node", _median(all_ramps[most])["connected"], 19_000, "users", at_least=True),
        Target("connections and states lost", lost, 0, ""),
        Target(f"a storm of {many:,} connects, to the snapshot", storm["connect_seconds"], 3, "s"),
    ]


def _table(crowds: list[int], ramps: dict[int, list[Figures]], storms: dict[int, list[Figures]]) -> None:
    print(f"\nUsers connected to one notifier; delivery at {RATE} states/s, from when a state was due to its frame")
    print(
        f"{'users':>7} {'KiB each':>9} {'connect CPU us':>15} {'storm s':>8}"
        f" {'p50 ms':>7} {'p99':>7} {'p99.9':>7} {'max':>7} {'CPU %':>6}"
    )
    for users in crowds:
        ramp, storm = _median(ramps[users]), _median(storms[users])
        print(
            f"{users:>7,} {ramp['kib_per_connection']:>9.1f} {ramp['connect_cpu_us']:>15.0f}"
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
    """What crowd.c says; `options` by their first letters: users (n), at_once (a), rate (r), seconds (d)."""
    letters = {"users": "-n", "at_once": "-a", "rate": "-r", "seconds": "-d"}
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


def _run(crowd: Path, tokens: Path, users: int, **options: float) -> Figures:
    """One crowd against a fresh notifier."""
    with _notifier() as (url, intake, pid):
        return run_crowd(crowd, url, intake, tokens, [pid], users=users, **options)


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
