"""Child processes that never outlive the demo, however it ends."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
STOP_TIMEOUT: Final = 8.0


class Children:
    """Named child processes; `stop` ends the newest first. Start them from the main thread (see prctl(2))."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._started_with: dict[str, tuple[list[str], Mapping[str, str]]] = {}

    def start(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> None:
        """Run `python -m ARGUMENTS` with `environment` added to our own."""
        self.start_program(name, [sys.executable, "-m", *arguments], environment)

    def start_program(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        """Run any command, with `environment` added to our own."""
        parent = os.getpid()
        self._started_with[name] = (command, environment)

        def tie_to_parent() -> None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

        self._running[name] = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
            start_new_session=True,  # Ctrl-C in the terminal is ours to handle, in order
            preexec_fn=tie_to_parent,
        )

    def dead(self) -> tuple[str, int] | None:
        """The name and exit code of a child that has ended by itself, if there is one."""
        for name, child in self._running.items():
            code = child.poll()
            if code is not None:
                return name, code
        return None

    def start_again(self, name: str) -> None:
        """Start one that has ended, as it was started before."""
        self.start_program(name, *self._started_with[name])

    def stop(self) -> None:
        """End all of them: SIGTERM, then SIGKILL for who does not listen. Idempotent."""
        ending = list(reversed(self._running.values()))
        self._running.clear()
        for child in ending:
            child.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT
        for child in ending:
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
