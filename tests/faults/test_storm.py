"""Ten thousand sockets at once: all get in, each gets his own calls, and their memory serves the next ten thousand."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.programs import compiled
from tests.benchmarks.ws.users import HERE, SECRET, Figures, run_crowd, write_tokens
from tests.levels import unavailable, within
from tests.notifiers import NotifierProcess, running_notifier

USERS = 10_000
MOST_ROUNDS = 8
SAME = 1.04
"""How the handshakes of a crowd overlap differs, and so does what the allocator has to spare: on a busy machine memory
reaches its level after two to five crowds. A leak grows with each. What a connection leaves behind is counted exactly
in test_memory.py."""


class Crowd:
    """The C program that is all those browsers, and the tap."""

    def __init__(self, folder: Path) -> None:
        self._program = compiled(folder, HERE / "crowd.c", HERE / "intake.c")
        self._tokens = write_tokens(folder / "tokens", USERS, SECRET)

    def come(self, notifier: NotifierProcess) -> Figures:
        """All at once, from nothing to the snapshot; then states, 100 a second for a second; then all leave."""
        url, intake = notifier.url.removeprefix("http://"), int(notifier.intake_url.rpartition(":")[2])
        options = {"users": USERS, "at_once": USERS, "rate": 100, "seconds": 1, "patience": within(60)}
        return run_crowd(self._program, url, intake, self._tokens, [notifier.pid], **options)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Crowd:
    if shutil.which("cc") is None:
        unavailable("there is no C compiler: apt-get install gcc libc6-dev")
    return Crowd(tmp_path_factory.mktemp("crowd"))


@pytest.fixture
def notifier() -> Iterator[NotifierProcess]:
    with running_notifier(AUTH_SECRET=SECRET, INTAKE_SECRET=SECRET) as process:
        yield process


@pytest.mark.timeout(900)  # up to eight crowds, beside two other workers
def test_ten_thousand_come_back_to_a_killed_notifier_and_their_memory_serves_again(
    crowd: Crowd, notifier: NotifierProcess
) -> None:
    notifier.kill()
    notifier.start()
    memory: list[int] = []
    for _ in range(MOST_ROUNDS):
        _all_are_served(crowd, notifier)
        memory.append(_memory(notifier.pid))
        if len(memory) > 1 and memory[-1] < SAME * max(memory[:-1]):
            return
    raise AssertionError(f"each {USERS:,} that come and go cost more memory (MB): {memory}")


def _all_are_served(crowd: Crowd, notifier: NotifierProcess) -> None:
    figures = crowd.come(notifier)
    assert (figures["connected"], figures["lost_connections"]) == (USERS, 0)
    assert (figures["sent"], figures["delivered"], figures["wrong_user"]) == (100, 100, 0)


def _memory(pid: int) -> int:
    """Resident memory in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
