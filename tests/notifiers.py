"""A real notifier, as its own process on free ports of the loopback, and a tap that tells it of calls.

Everything here is synchronous and quick, so that tests of every level can use it: `with running_notifier() as it`.
"""

import contextlib
import itertools
import json
import os
import queue
import re
import secrets
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from notifier.auth import issue
from tests.levels import within
from zvonok.call import Call, Caller, End, Kind, Line, Reason, State, wall_ms

ROOT = Path(__file__).parent.parent
AUTH_SECRET = "auth-secret-of-the-tests-0123456789abcdef"
INTAKE_SECRET = "intake-secret-of-the-tests-0123456789abcd"
_LISTENING = re.compile(r"users come in at (\S+), states at (\S+)")


class NotifierProcess:
    """`python -m zvonok notifier`; after a restart it has the same ports."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._settings = {
            "ZVONOK_HTTP_LISTEN": "127.0.0.1:0",
            "ZVONOK_INTAKE_LISTEN": "127.0.0.1:0",
            "ZVONOK_INTAKE_SECRET": INTAKE_SECRET,
            "ZVONOK_AUTH_SECRET": AUTH_SECRET,
            "ZVONOK_ENV_FILE": os.devnull,
        } | settings
        self.log: list[str] = []
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait until it listens. Raises RuntimeError with its log if it does not."""
        found: queue.SimpleQueue[re.Match[str] | None] = queue.SimpleQueue()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ZVONOK_")}
        process = self._process = subprocess.Popen(
            [sys.executable, "-m", "zvonok", "notifier"],
            cwd=ROOT, env=inherited | self._settings, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

        def read() -> None:
            assert process.stderr is not None
            for line in process.stderr:
                self.log.append(line.rstrip())
                if match := _LISTENING.search(line):
                    found.put(match)
            found.put(None)

        threading.Thread(target=read, daemon=True).start()
        with contextlib.suppress(queue.Empty):
            if match := found.get(timeout=within(20)):
                self._settings["ZVONOK_HTTP_LISTEN"], self._settings["ZVONOK_INTAKE_LISTEN"] = match.groups()
                return
        self.kill()
        raise RuntimeError("the notifier did not start:\n" + "\n".join(self.log[-20:]))

    @property
    def url(self) -> str:
        """Where browsers go, such as http://127.0.0.1:40001 (no slash at the end)."""
        return f"http://{self._settings['ZVONOK_HTTP_LISTEN']}"

    @property
    def intake_url(self) -> str:
        """Where taps go."""
        return f"http://{self._settings['ZVONOK_INTAKE_LISTEN']}"

    @property
    def pid(self) -> int:
        """The process's id, for signals."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> int:
        """SIGTERM, as systemd would; the exit code."""
        return self._end(kill=False)

    def kill(self) -> int:
        """SIGKILL."""
        return self._end(kill=True)

    def restart(self) -> None:
        """Stop in good order and start anew on the same ports."""
        self.stop()
        self.start()

    def _end(self, *, kill: bool) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.kill() if kill else process.terminate()
        try:
            return process.wait(within(15))
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def token(user_id: int = 1, *, lifetime_s: float = 3600) -> str:
    """A user's token, as the CRM signs it."""
    return issue(AUTH_SECRET, user_id, lifetime_s=lifetime_s)


class Tap:
    """Tells a notifier of calls as the tap of the PBX "main" does: at once, and once a second that it is alive."""

    def __init__(self, notifier: NotifierProcess, *, pbx: str = "main") -> None:
        self._notifier = notifier
        self.pbx = pbx
        self.run = wall_ms()
        self._seq = itertools.count(1)
        self._live: dict[str, Call] = {}
        self._recent: dict[str, Call] = {}
        self._boot: str | None = None
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep_alive, daemon=True)

    def start(self) -> None:
        """Begin to talk."""
        self._post([])
        self._thread.start()

    def stop(self) -> None:
        """Fall silent."""
        self._stopped.set()
        self._thread.join(within(10))

    def ring(self, user_id: int = 1, **changes: Any) -> Call:
        """A call begins to ring. `changes` are fields of `Call`; `caller` and `line` may be dictionaries of theirs."""
        now = wall_ms()
        caller = {"number": "+79271390907", "name": "Иванов Иван Петрович", "kind": Kind.DEALER, "id": 5} | {
            "company": "ООО «Ромашка»", "matches": 1
        }  # fmt: skip
        caller |= changes.pop("caller", {})
        line = {"number": "101", "label": "рабочий"} | changes.pop("line", {})
        values: dict[str, Any] = {
            "call_id": secrets.token_hex(8),
            "rev": now,
            "first_linkedid": f"{now / 1000:.3f}.{secrets.randbelow(10**6)}",
            "user_id": user_id,
            "state": State.RINGING,
            "ring_started_at": now,
            "pbx": self.pbx,
            "caller": Caller(**caller),
            "line": Line(**line),
        }
        return self.tell(Call(**values | changes))

    def answer(self, call: Call, **changes: Any) -> Call:
        """The owner and the caller are connected."""
        return self._next(call, {"state": State.TALKING, "answered_at": wall_ms()} | changes)

    def end(self, call: Call, reason: Reason = Reason.COMPLETED, **changes: Any) -> Call:
        """The call is over."""
        answered_by = changes.pop("answered_by", None)
        end = End(reason=reason, answered_by=answered_by)
        return self._next(call, {"state": State.ENDED, "ended_at": wall_ms(), "end": end} | changes)

    def tell(self, call: Call) -> Call:
        """Send this state."""
        with self._lock:
            if call.state is State.ENDED:
                self._live.pop(call.call_id, None)
            else:
                self._live[call.call_id] = call
            self._recent[call.call_id] = call
            self._post([call])
        return call

    def _next(self, call: Call, changes: dict[str, Any]) -> Call:
        return self.tell(msgspec.structs.replace(call, rev=max(call.rev + 1, wall_ms()), **changes))

    def _keep_alive(self) -> None:
        while not self._stopped.wait(1.0):
            with contextlib.suppress(OSError), self._lock:
                self._post([])

    def _post(self, calls: list[Call]) -> None:
        answer = self._request(calls)
        if self._boot is not None and answer["boot"] != self._boot:
            self._request(list(self._recent.values()))
        self._boot = answer["boot"]

    def _request(self, calls: list[Call]) -> dict[str, Any]:
        body = {
            "pbx": self.pbx, "run": self.run, "seq": next(self._seq), "now": wall_ms(),
            "calls": [msgspec.to_builtins(call) for call in calls], "live": list(self._live),
        }  # fmt: skip
        request = urllib.request.Request(
            self._notifier.intake_url + "/intake/v1",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {INTAKE_SECRET}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=within(5)) as answer:
                decoded: dict[str, Any] = json.loads(answer.read())
                return decoded
        except urllib.error.HTTPError as exc:
            raise AssertionError(f"the intake answered {exc.code}: {exc.read().decode()}") from exc


@contextlib.contextmanager
def running_notifier(database_url: str | None = None, **settings: str) -> Iterator[NotifierProcess]:
    """A notifier for as long as the block runs. `settings` are without prefix: `ALLOWED_ORIGINS="http://..."`."""
    variables = {f"ZVONOK_{name}": value for name, value in settings.items()}
    if database_url is not None:
        variables["ZVONOK_DATABASE_URL"] = database_url
    process = NotifierProcess(variables)
    process.start()
    try:
        yield process
    finally:
        process.stop()


@contextlib.contextmanager
def running_tap(notifier: NotifierProcess, *, pbx: str = "main") -> Iterator[Tap]:
    """A tap for as long as the block runs."""
    tap = Tap(notifier, pbx=pbx)
    tap.start()
    try:
        yield tap
    finally:
        tap.stop()


def wait_for(condition: Any, *, seconds: float = 5, what: str = "the condition") -> Any:
    """Poll `condition()` until it is true; its value. Raises TimeoutError."""
    end = time.monotonic() + within(seconds)
    while True:
        if value := condition():
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come true within {seconds} s")
        time.sleep(0.02)
