"""The notifier with ten thousand users: memory, connects, delivery. `python -m tests.benchmarks.ws.crowd --help`.

Starts a notifier of its own on free ports and pins it to one core, the C program crowd.c to another. Prints a line of
JSON a step: `ramp` (64 handshakes at a time, then RATE states a second with heartbeats on) and `storm` (all at once).
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from notifier.auth import issue

SECRET = "bench-secret-bench-secret-bench-secret"


def main() -> int:
    """Run the steps asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=200.0, help="states a second")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--steps", nargs="*", default=["ramp", "storm"], choices=["ramp", "storm"])
    args = parser.parse_args()
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        sys.exit("no C compiler: apt-get install gcc")
    ok = True
    with tempfile.TemporaryDirectory() as directory:
        crowd = Path(directory) / "crowd"
        subprocess.run([compiler, "-O2", "-o", crowd, Path(__file__).with_suffix(".c")], check=True)
        tokens = Path(directory) / "tokens"
        tokens.write_text("".join(issue(SECRET, n + 1, lifetime_s=3600) + "\n" for n in range(args.users)))
        for step in args.steps:
            if step == "ramp":
                result = run(crowd, tokens, args.users, at_once=64, rate=args.rate, seconds=args.seconds)
            else:
                result = run(crowd, tokens, args.users, at_once=args.users, rate=0, seconds=0.1)
            print(json.dumps({"step": step, **result}), flush=True)
            ok = ok and not result["lost_connections"]
    return 0 if ok else 1


def run(crowd: Path, tokens: Path, users: int, *, at_once: int, rate: float, seconds: float) -> dict[str, float]:
    """One crowd against a fresh notifier."""
    cores = sorted(os.sched_getaffinity(0))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ZVONOK_")},
        "ZVONOK_AUTH_SECRET": SECRET,
        "ZVONOK_INTAKE_SECRET": SECRET,
        "ZVONOK_HTTP_LISTEN": "127.0.0.1:0",
        "ZVONOK_INTAKE_LISTEN": "127.0.0.1:0",
        "ZVONOK_ENV_FILE": "/dev/null",
    }
    notifier = subprocess.Popen(
        ["taskset", "-c", str(cores[0]), sys.executable, "-m", "zvonok", "notifier"],
        env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert notifier.stderr
    try:
        where = None
        while where is None:
            where = re.search(r"users come in at (\S+), states at \S+:(\d+)", notifier.stderr.readline())
        done = subprocess.run(
            ["taskset", "-c", str(cores[-1]), crowd, where[1], where[2], SECRET, tokens, str(users), str(at_once),
             str(rate), str(seconds), str(notifier.pid)],
            stdout=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        result: dict[str, float] = json.loads(done.stdout)
        return result
    finally:
        notifier.terminate()
        notifier.communicate(timeout=20)


if __name__ == "__main__":
    sys.exit(main())
