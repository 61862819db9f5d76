"""The way of facts from the FastAGI server to the tap: newline-delimited JSON over a unix stream socket.

The sender never makes a call wait: what the tap does not take at once waits in a bounded buffer for a minute, then it
is dropped and counted. What a tap took just before it died it may not have read, so the next one gets the last seconds
again. A fact twice is harmless, and so is a lost one: AMI says the same a little later, unless the call began and
ended while no tap was there. The receiver takes whatever comes: a line that is no fact is counted and skipped.
"""

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from fastagi.facts import Announced, FastagiStats
from zvonok.errors import ZvonokError

log = logging.getLogger(__name__)

SOCKET_NAME: Final = "facts.sock"  # in RUNTIME_DIR
MAX_LINE: Final = 65_536  # bytes
MAX_WAITING: Final = 2_000  # facts
MAX_AGE: Final = 60.0  # s; the tracker knows by its `at` that an announcement is old
REPEAT: Final = 5.0  # s; what was sent so lately is sent again to a new tap
RETRY: Final = 0.2  # s between two attempts to reach the tap

LinkMessage = Announced | FastagiStats


class FactSender:
    """The sending end, for any thread. `send` and `flush` never wait; `flush` is to be called about once a second, and
    oftener while something `waits`.

    `lost` counts the facts that were dropped because the tap was away or too slow.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._encoder = msgspec.json.Encoder()
        self._sock: socket.socket | None = None
        self._next_attempt = 0.0
        self._up: bool | None = None  # what the log says last
        self._partial = b""  # the rest of a line whose beginning the tap has
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._sent: deque[tuple[float, bytes]] = deque()
        self.lost = 0

    @property
    def waits(self) -> bool:
        """Whether something waits for the tap: call `flush` every RETRY seconds then, else about once a second."""
        return bool(self._waiting)

    def send(self, message: LinkMessage) -> None:
        """Send `message`, or keep it for a moment, or count it as lost."""
        line = self._encoder.encode(message) + b"\n"
        if len(line) > MAX_LINE:
            with self._lock:
                self.lost += 1
            return
        self._waiting.append((self._clock(), line))
        # Whoever holds the lock sends this one too, so a thread never waits for another's system call. It looks again
        # after it let go, so none is left behind.
        while self._waiting and self._lock.acquire(blocking=False):
            try:
                taken = self._flush()
            finally:
                self._lock.release()
            if not taken:
                break

    def flush(self) -> None:
        """Send what waits, as far as the tap takes it; drop what is too old; notice that the tap is gone."""
        with self._lock:
            if self._sock is not None and _is_gone(self._sock):
                self._report(up=False, why="it is gone")
                self._drop_connection()
            self._flush()

    def close(self) -> None:
        """Send what the tap takes at once, then hang up."""
        with self._lock:
            self._flush()
            self._drop_connection()

    def _flush(self) -> bool:
        """Whether the tap took all that waited."""
        now = self._clock()
        while self._waiting and (len(self._waiting) > MAX_WAITING or now - self._waiting[0][0] > MAX_AGE):
            self._waiting.popleft()
            self.lost += 1
        while self._sent and (len(self._sent) > MAX_WAITING or now - self._sent[0][0] > REPEAT):
            self._sent.popleft()
        if not (self._partial or self._waiting):
            return True
        if not self._connected():
            return False
        assert self._sock is not None
        try:
            while self._partial or self._waiting:
                if not self._partial:
                    self._sent.append(self._waiting.popleft())
                    self._partial = self._sent[-1][1]
                sent = self._sock.send(self._partial)
                self._partial = self._partial[sent:]
        except BlockingIOError:
            return False  # the tap is behind; its socket buffer holds a few hundred facts already
        except OSError as exc:
            self._report(up=False, why=exc.strerror)
            self._drop_connection()
            return False
        return True

    def _connected(self) -> bool:
        if self._sock is not None:
            return True
        if self._clock() < self._next_attempt:
            return False
        self._next_attempt = self._clock() + RETRY
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            sock.connect(str(self._path))
        except OSError as exc:
            sock.close()
            self._report(up=False, why=exc.strerror)
            return False
        self._sock = sock
        self._report(up=True, why=None)
        return True

    def _drop_connection(self) -> None:
        self._partial = b""
        self._waiting.extendleft(reversed(self._sent))
        self._sent.clear()
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _report(self, *, up: bool, why: str | None) -> None:
        if up == self._up:
            return
        self._up = up
        if up:
            log.info("connected to the tap at %s", self._path)
        else:
            log.warning("the tap cannot be reached at %s (%s); calls go on, is zvonok tap running?", self._path, why)


def _is_gone(sock: socket.socket) -> bool:
    """Whether the tap has closed the connection; it never writes, so that is all there is to be read."""
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


class FactReceiver:
    """Splits one connection's bytes into messages; what is none of ours is counted in `skipped`."""

    def __init__(self) -> None:
        self._decoder: msgspec.json.Decoder[LinkMessage] = msgspec.json.Decoder(LinkMessage)
        self._rest = b""
        self._overlong = False
        self.skipped = 0

    def feed(self, data: bytes) -> list[LinkMessage]:
        """The messages completed by `data`."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        messages: list[LinkMessage] = []
        for line in lines:
            if self._overlong:  # the end of a line whose beginning was thrown away
                self._overlong = False
                continue
            try:
                messages.append(self._decoder.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # that: brackets in brackets
                self.skipped += 1
        if len(self._rest) > MAX_LINE:
            self._rest = b""
            self.skipped += not self._overlong
            self._overlong = True
        return messages


async def serve_facts(
    path: Path,
    on_fact: Callable[[Announced], None],
    on_stats: Callable[[FastagiStats], None] | None = None,
    *,
    listening: asyncio.Event | None = None,
) -> None:
    """Receive facts on the unix socket `path` (mode 0600) until cancelled; sets `listening` when it can be reached.

    Raises `ZvonokError` if another process serves `path`, and whatever `on_fact` or `on_stats` raises: a receiver
    that is broken must not go on in silence.
    """
    loop = asyncio.get_running_loop()
    with listen_unix(path) as listener:
        if listening is not None:
            listening.set()
        async with asyncio.TaskGroup() as connections:
            while True:
                peer, _ = await loop.sock_accept(listener)
                connections.create_task(_receive(peer, on_fact, on_stats), name="facts")


async def _receive(
    peer: socket.socket, on_fact: Callable[[Announced], None], on_stats: Callable[[FastagiStats], None] | None
) -> None:
    loop = asyncio.get_running_loop()
    receiver = FactReceiver()
    told = 0
    with peer:
        log.info("a FastAGI server connected")
        while True:
            try:
                data = await loop.sock_recv(peer, MAX_LINE)
            except OSError:
                data = b""
            if not data:
                break
            for message in receiver.feed(data):
                if isinstance(message, Announced):
                    on_fact(message)
                elif on_stats is not None:
                    on_stats(message)
            if receiver.skipped > told:
                log.warning("a FastAGI server sent %d lines that are no facts; same version?", receiver.skipped - told)
                told = receiver.skipped
        log.info("a FastAGI server disconnected")


@contextlib.contextmanager
def listen_unix(path: Path) -> Iterator[socket.socket]:
    """A listening unix socket at `path` that only our user may use; a file left by a killed process is replaced.

    Raises `ZvonokError` if another process serves `path`, or it cannot be made.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
        try:
            _remove_stale(path)
            sock.bind(str(path))
            path.chmod(0o600)  # before listen(): until then nobody can connect
            sock.listen(16)
        except OSError as exc:
            raise ZvonokError(
                f"cannot listen on {path}: {exc.strerror}; is ZVONOK_RUNTIME_DIR there and ours?"
            ) from exc
        try:
            yield sock
        finally:
            path.unlink(missing_ok=True)


def _remove_stale(path: Path) -> None:
    """Remove a socket file that a killed process left behind; one that answers is somebody's."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:  # its queue is full, so somebody listens
            pass
    raise ZvonokError(f"another zvonok tap already serves {path}; stop it first, or give this one its own RUNTIME_DIR")
