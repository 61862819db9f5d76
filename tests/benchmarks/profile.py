"""Where the time goes: `python -m tests.benchmarks.profile PART`, the whole process sampled by py-spy while it works.

`storm` and `delivery`: a notifier with 10,000 users; `intake` and `intake-tracker`: AMI flooded; `tap`: the tap on the
whole way, 100 calls/s. Prints how the samples divide by what was running (each sample counts once), and in which
functions of ours, and what they call, the process was (a sample counts for each). `setup` samples nothing: it divides a
call's set-up by the packets on the wire.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread

from tests.benchmarks import setup_profile
from tests.benchmarks.ami import bench as ami
from tests.benchmarks.peers import peers_python
from tests.benchmarks.programs import compiled, on_core
from tests.benchmarks.ws import calls, users

RATE = 400
_FRAMEWORK = {"<frozen runpy>", "zvonok/__main__.py", "zvonok/cli.py", "asyncio/runners.py", "asyncio/events.py"}
_FRAMEWORK |= {"asyncio/base_events.py", "threading.py", "concurrent/futures/thread.py"}
USERS = 10_000
_FRAME = re.compile(r"(?P<name>.+) \((?P<file>[^:)]+)(?::\d+)?\)")


def main() -> int:
    """Profile one part."""
    parts: dict[str, Callable[[Path], None]] = {
        "storm": partial(_users, {"at_once": USERS, "rate": 0, "seconds": 0}, settled=False),
        "delivery": partial(_users, {"at_once": 64, "rate": users.RATE, "seconds": 15}, settled=True),
        "intake": partial(_intake, []),
        "intake-tracker": partial(_intake, ["tracker"]),
        "tap": _tap,
        "setup": _setup,
    }
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.profile", description=__doc__)
    parser.add_argument("part", choices=parts)
    with tempfile.TemporaryDirectory(prefix="zvonok-profile-") as name:
        folder = Path(name)
        parts[parser.parse_args().part](folder)
        samples = folder / "samples"
        if samples.exists():
            _tell(samples.read_text())
    return 0


def _spy(folder: Path, *what: str | Path) -> list[str]:
    program = peers_python().with_name("py-spy")
    return [str(word) for word in (program, "record", "-f", "raw", "-r", RATE, "-o", folder / "samples", *what)]


@contextmanager
def _sampled(folder: Path, pid: int, notifier: int, sockets: int = 0, *options: str) -> Iterator[None]:
    """Samples `pid` from when the notifier has so many sockets, and has settled, until the block ends."""
    spies: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        while len(os.listdir(f"/proc/{notifier}/fd")) < sockets:
            time.sleep(0.1)
        time.sleep(2 if sockets else 0)
        spies.append(subprocess.Popen(_spy(folder, "-p", str(pid), "-d", "300", *options), stdout=subprocess.DEVNULL))

    starting = Thread(target=start)
    starting.start()
    try:
        if not sockets:
            time.sleep(1)  # the profiler reads the interpreter's symbols
        yield
    finally:
        starting.join()
        for spy in spies:
            spy.send_signal(signal.SIGINT)  # then it writes what it has
            spy.wait()


def _users(options: dict[str, float], folder: Path, *, settled: bool) -> None:
    crowd = compiled(folder, users.HERE / "crowd.c", users.HERE / "intake.c")
    tokens = users.write_tokens(folder / "tokens", USERS, users.SECRET)
    with users._notifier() as (url, intake, pid), _sampled(folder, pid, pid, USERS if settled else 0):
        users.run_crowd(crowd, url, intake, tokens, [pid], users=USERS, **options)


def _intake(options: list[str], folder: Path) -> None:
    flood = compiled(folder, ami.HERE / "ami_flood.c")
    ami._write(folder / "flood", ami.calls(), 4000)
    with ami._server(flood, folder / "flood") as (port, _):
        ours = [sys.executable, "-m", "tests.benchmarks.ami.ours", str(port), *options]
        subprocess.run(on_core(0, *_spy(folder, "--", *ours)), stdout=subprocess.DEVNULL, timeout=120, check=False)


def _tap(folder: Path) -> None:
    with calls.stage(USERS) as run:
        run(USERS, calls.RATE, 15.0, watch=lambda notifier, tap: _sampled(folder, tap, notifier, USERS, "--gil"))


def _setup(folder: Path) -> None:
    setup_profile.profile()


def _tell(samples: str) -> None:
    running: Counter[str] = Counter()
    within: Counter[str] = Counter()
    total = 0
    for line in samples.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [found for frame in stack.split(";") if (found := _FRAME.fullmatch(frame))]
        if not frames:
            continue
        total += int(count)
        running[_part(frames[-1]["file"])] += int(count)
        for where in {f"{frame['name']} ({frame['file']})" for frame in frames if frame["file"] not in _FRAMEWORK}:
            within[where] += int(count)
    print(f"{total} samples, {RATE}/s")
    for counts, least in ((running, 0.01), (within, 0.04)):
        print()
        for what, count in counts.most_common():
            if count / total >= least:
                print(f"{count / total:6.1%}  {what}")


def _part(file: str) -> str:
    """The package that a file belongs to; for our own, the file."""
    return file if file.startswith(("fastagi/", "notifier/", "zvonok/", "tests/")) else file.partition("/")[0]


if __name__ == "__main__":
    sys.exit(main())
