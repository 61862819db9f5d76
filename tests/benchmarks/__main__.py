"""`make bench`: every part in turn, each with its table, and in the end one line a target.

`python -m tests.benchmarks [PART...] [--size tiny|small|medium|full] [--docs]`. A part that cannot run here says what
is missing, and its targets are not in the sum. Targets are reported, never asserted: a busy machine is no mistake of
ours. With `--docs` the tables replace those of the pages that have marks for them.
"""

import argparse
import contextlib
import importlib
import io
import os
import platform
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.benchmarks import docs
from tests.benchmarks.programs import disturbances
from tests.benchmarks.size import Size
from tests.benchmarks.targets import Target, report

PARTS = {
    "agi": "tests.benchmarks.agi.bench",
    "ami": "tests.benchmarks.ami.bench",
    "directory": "tests.benchmarks.directory",
    "tracker": "tests.benchmarks.tracker",
    "users": "tests.benchmarks.ws.users",
    "calls": "tests.benchmarks.ws.calls",
    "asterisk": "tests.benchmarks.asterisk",
    "cluster": "tests.benchmarks.cluster",
}


def main() -> int:
    """Run what is asked for; 1 if a part could not run."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    parser.add_argument("--size", type=Size, default=Size.FULL)
    parser.add_argument("--docs", action="store_true", help="put the tables into docs/performance.md and scaling.md")
    args = parser.parse_args()
    machine = f"{_machine()}, {datetime.now().astimezone():%-d %B %Y}, size {args.size}"
    print(machine, flush=True)
    disturbances.clear()
    tables: dict[str, str] = {}
    targets: list[Target] = []
    failed = []
    began = time.monotonic()
    for name in args.parts or PARTS:
        print(f"\n=== {name} ({time.monotonic() - began:.0f} s)", flush=True)
        printed = _Printed()
        try:
            with contextlib.redirect_stdout(printed):
                targets += importlib.import_module(PARTS[name]).measure(args.size)
        except pytest.skip.Exception as exc:  # the lab's way to say what is missing
            failed.append(f"{name} could not run: {exc.msg}")
        except (OSError, RuntimeError) as exc:
            failed.append(f"{name} could not run: {exc}")
        else:
            tables[name] = printed.getvalue().strip()
    print(f"\n=== targets, load of the machine now {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if disturbances:
        taken = f"the host took {max(disturbances):.1%} of the processors at most while one was measured"
        print(taken)
        machine += f"; {taken}"
    printed = _Printed()
    with contextlib.redirect_stdout(printed):
        report(targets)
    if args.docs:
        whole = {"machine": machine, "targets": printed.getvalue().strip()}
        unmarked = docs.update(tables | (whole if not args.parts else {}))
        if unmarked:
            print(f"no page has a mark for {', '.join(unmarked)}", file=sys.stderr)
    for words in failed:
        print(words, file=sys.stderr)
    return 1 if failed else 0


class _Printed(io.StringIO):
    """What is printed, while it is printed."""

    def write(self, text: str) -> int:
        sys.__stdout__.write(text)
        sys.__stdout__.flush()
        return super().write(text)


def _machine() -> str:
    model = next(
        (line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores of {model}, Linux {platform.release()}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())
