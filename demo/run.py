"""`make run`: the whole of Zvonok on one machine, with a stand-in for each real part that `.env` does not name.

No ZVONOK_DATABASE_URL: an embedded PostgreSQL with two made-up offices. No ZVONOK_AMI_HOST: a stand-in PBX that
replays calls recorded from a real Asterisk. Ctrl-C ends everything; what was made stays in `.state/`, so that the next
start is fast. With CLUSTER=1 the same as a cluster (demo/cluster.py).
"""

import contextlib
import hashlib
import os
import secrets
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Final

import msgspec
import psycopg

from demo import cluster
from demo.people import DemoUser, find_users
from demo.postgres import Postgres
from demo.processes import Children
from demo.seed import load_seed
from demo.waiting import answers, free_port, listens, wait_for
from fastagi.fact_link import SOCKET_NAME as FACTS_SOCKET
from notifier.auth import issue
from notifier.token import login_link
from sql.runner import migrate
from zvonok import settings as settings_module
from zvonok.address import Address
from zvonok.errors import UsageError, ZvonokError
from zvonok.settings import Settings

ROOT: Final = Path(__file__).resolve().parent.parent
STATE: Final = Path(os.environ.get("ZVONOK_DEMO_STATE") or ROOT / ".state")
DEMO_PBX_SECRET: Final = "demo-pbx"  # noqa: S105 - of the stand-in, on loopback
LINK_LIFETIME: Final = 7 * 86_400.0


def main() -> int:
    """Run until Ctrl-C or SIGTERM. Exit codes as the command `zvonok` has them."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with contextlib.ExitStack() as stack:
            return _run(stack)
    except KeyboardInterrupt:
        print("\nStopped.")
        return 0
    except ZvonokError as exc:
        print(f"make run: {exc}", file=sys.stderr)
        return 2 if isinstance(exc, UsageError) else 1


def _run(stack: contextlib.ExitStack) -> int:
    named = settings_module.load()
    clustered = bool(os.environ.get("ZVONOK_DEMO_CLUSTER"))
    if clustered:
        cluster.require_programs()
    STATE.mkdir(mode=0o755, exist_ok=True)
    demo_database, demo_pbx = named.database_url is None, named.ami_host is None
    settings = msgspec.structs.replace(
        named,
        pbx_name="demo" if demo_pbx else named.pbx_name,
        ami_host="127.0.0.1" if demo_pbx else named.ami_host,
        ami_port=free_port() if demo_pbx else named.ami_port,
        ami_secret=DEMO_PBX_SECRET if demo_pbx else named.ami_secret,
        intake_secret=named.intake_secret or _kept_secret("intake"),
        auth_secret=named.auth_secret or (None if named.auth_public_key else _kept_secret("auth")),
        state_dir=STATE / "tap",
        runtime_dir=_runtime_directory(),
        log_level=named.log_level if "ZVONOK_LOG_LEVEL" in os.environ else "WARNING",
    )
    for what, address in (
        ("ZVONOK_HTTP_LISTEN", settings.http_listen),
        ("ZVONOK_INTAKE_LISTEN", settings.intake_listen),
        ("ZVONOK_AGI_LISTEN", settings.agi_listen),
    ):
        _require_free(what, address)

    if demo_database:
        print("Database: embedded PostgreSQL" + ("" if (STATE / "postgres" / "data").exists() else " (made now)"))
        server = Postgres(STATE / "postgres")
        stack.callback(server.remove_sockets)
        stack.callback(server.stop)
        server.start()
        settings = msgspec.structs.replace(settings, database_url=server.url())
    else:
        print("Database: yours (ZVONOK_DATABASE_URL)")
    url = settings.database_url or ""
    migrate(url)
    if demo_database:
        load_seed(url)
    with psycopg.connect(url, connect_timeout=5) as connection:
        users = find_users(connection, limit=2)

    children = Children()
    stack.callback(children.stop)
    if clustered:
        if demo_pbx:
            print("PBXs: two stand-ins that replay calls of a real Asterisk, one every few seconds")
        cluster.start(children, settings, STATE / "cluster", stand_ins=demo_pbx)
    else:
        _start(children, settings, demo_pbx=demo_pbx)
    _greet(settings, users)
    while (dead := children.dead()) is None or clustered:
        if dead is not None:
            print(f"{dead[0]} ended with code {dead[1]} and is started again", flush=True)
            children.start_again(dead[0])
        time.sleep(0.2 if dead is None else 1.0)
    raise ZvonokError(f"zvonok {dead[0]} ended with code {dead[1]}; its message is above")


def _start(children: Children, settings: Settings, *, demo_pbx: bool) -> None:
    environment = {**settings.variables(), "PYTHONUNBUFFERED": "1"}
    _write_env_file(STATE / "demo.env", environment)
    children.start("notifier", ["zvonok", "notifier"], environment)
    if settings.http_listen.path is None:
        wait_for(lambda: answers(f"http://{settings.http_listen}/readyz"), children, "the notifier")
    if demo_pbx:
        print("PBX: a stand-in that replays calls of a real Asterisk, one every few seconds")
        children.start("pbx", ["demo.pbx"], environment)
        wait_for(lambda: listens(settings.ami_host or "", settings.ami_port), children, "the stand-in PBX")
    else:
        print(f"PBX: yours at {settings.ami_host}:{settings.ami_port}")
    children.start("tap", ["zvonok", "tap"], environment)
    wait_for(lambda: (settings.runtime_dir / FACTS_SOCKET).is_socket(), children, "the tap")
    children.start("fastagi", ["zvonok", "fastagi"], environment)


def _greet(settings: Settings, users: list[DemoUser]) -> None:
    if settings.auth_secret is None:
        print("\nZvonok is running. Tokens come from your CRM (ZVONOK_AUTH_PUBLIC_KEY).")
    elif not users:
        print("\nZvonok is running. Nobody has a number yet: fill users and user_phones, then: zvonok token --user ID")
    else:
        print("\nZvonok is running. Log in, in two browsers or windows:\n")
        for user in users:
            token = issue(settings.auth_secret, user.user_id, lifetime_s=LINK_LIFETIME)
            print(login_link(settings.http_listen, token))
            print(f"    {user.name}, {', '.join(user.numbers)}")
    if os.environ.get("ZVONOK_DEMO_CLUSTER"):
        print("\nKill any process of it (pgrep -af 'zvonok|nats-server'): the pages go on, and it is started again.")
    else:
        print(
            f"\nA test call to user 1:  ZVONOK_ENV_FILE={_shown(STATE / 'demo.env')} .venv/bin/zvonok testcall --user 1"
        )
    print("Ctrl-C ends everything.", flush=True)


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _require_free(variable: str, address: Address) -> None:
    if address.path is not None:
        return
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as exc:
            raise ZvonokError(
                f"{address} cannot be used ({exc.strerror}): stop what listens there, or set {variable} to another one"
            ) from exc


def _kept_secret(name: str) -> str:
    """A random secret that stays the same over restarts, so that login links keep working."""
    path = STATE / f"{name}.secret"
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
    return path.read_text()


def _runtime_directory() -> Path:
    # Not inside the checkout: a socket's path has at most 107 bytes.
    path = Path("/tmp") / f"zvonok-{os.getuid()}-{hashlib.sha256(str(STATE).encode()).hexdigest()[:8]}"  # noqa: S108
    path.mkdir(mode=0o700, exist_ok=True)
    if path.stat().st_uid != os.getuid() or path.is_symlink():
        raise ZvonokError(f"{path} belongs to somebody else; remove it and start again")
    return path


def _write_env_file(path: Path, environment: dict[str, str]) -> None:
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={value!r}\n" for name, value in sorted(environment.items())))


if __name__ == "__main__":
    sys.exit(main())
