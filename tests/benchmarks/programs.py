"""What all benchmarks need of the machine: compiled C programs, a core for each side, the CPU time of a process."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")
STOLEN_AT_MOST: Final = 0.02
_ATTEMPTS: Final = 4
_PAUSE_S: Final = 10.0


def compiled(folder: Path, *sources: Path) -> Path:
    """The program made of `sources` (named after the first), in `folder`. Raises RuntimeError without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("there is no C compiler: apt-get install gcc libc6-dev")
    program = folder / sources[0].stem
    subprocess.run([compiler, "-O2", "-Wall", "-o", program, *sources], check=True)
    return program


def on_core(number: int, *command: str | Path) -> list[str]:
    """`command` pinned to one core: 0 for the server under test, 1 for what loads it (the same one if there is one)."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[min(number, len(cores) - 1)]), *map(str, command)]


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """The CPU time that the process has used, user and system."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def undisturbed(measure: Callable[[], T]) -> T:
    """What `measure` gives while the host of this virtual machine leaves us our processors.

    Where it takes more than STOLEN_AT_MOST of them ("steal" of proc_stat(5)), what was measured is the neighbours: it
    is measured again after a pause, three times at most, and the attempt counts of which least was taken.
    """
    found: list[tuple[float, T]] = []
    while True:
        before = _processor_ticks()
        measured = measure()
        used = [after - was for was, after in zip(before, _processor_ticks(), strict=True)]
        stolen = used[7] / max(1, sum(used))
        found.append((stolen, measured))
        if stolen <= STOLEN_AT_MOST or len(found) == _ATTEMPTS:
            break
        step(f"the host took {stolen:.0%} of the processors meanwhile: once more, after {_PAUSE_S:g} s")
        time.sleep(_PAUSE_S)
    least, measured = min(found, key=lambda one: one[0])
    disturbances.append(least)
    return measured


disturbances: list[float] = []
"""What share of the processors the host took during each measurement that counts."""


def _processor_ticks() -> list[int]:
    """Ticks of all processors: user, nice, system, idle, iowait, irq, softirq, steal (proc_stat(5))."""
    return [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]


def step(words: str) -> None:
    """Tell what is going on."""
    print(f"  {words}", file=sys.stderr, flush=True)
