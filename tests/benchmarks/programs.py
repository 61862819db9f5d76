"""What all benchmarks need of the machine: compiled C programs, a core for each side, the CPU time of a process."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path


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


def step(words: str) -> None:
    """Tell what is going on."""
    print(f"  {words}", file=sys.stderr, flush=True)
