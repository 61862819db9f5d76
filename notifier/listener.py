"""A listener that one address cannot fill: connections are counted before anything is read from them.

aiohttp closes what sends no whole request within 15 s, but lets anybody open as many connections as there are file
descriptors; then neither users nor taps get in. So connections are accepted here, and handed to aiohttp.

All are accepted at once, and handed over some at a time. The kernel's queue has room for 4,096 (net.core.somaxconn; 128
before Linux 5.4); who finds it full asks again after 1, 2, 4, ... 64 s, so it must not stay full while we are busy.
"""

import asyncio
import contextlib
import logging
import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from aiohttp import web

from notifier.addresses import LOCAL, counted_as
from zvonok.address import Address
from zvonok.errors import ZvonokError

log = logging.getLogger(__name__)

BACKLOG: Final = 4096
_HANDED_OVER_AT_ONCE: Final = 64
"""In one turn of the event loop, some 30 ms of work: a state for who is in already waits no longer than that."""
_OUT_OF_DESCRIPTORS_PAUSE_S: Final = 0.2
_COMPLAIN_EVERY_S: Final = 60.0
_COUNT_ANEW_S: Final = 1.0


class Seat:
    """One connection that is being made, or is open."""

    __slots__ = ("transport",)

    def __init__(self) -> None:
        self.transport: asyncio.BaseTransport | None = None

    @property
    def empty(self) -> bool:
        """Whether the connection is over."""
        return self.transport is not None and self.transport.is_closing()


class Crowd:
    """The open connections of all listeners of a process: at most `most`, and `most_of_one` of one address.

    Addresses that are `exempt` (proxies, which bring many people) count only for the first limit. `refused` is told by
    which limit a connection was refused.
    """

    def __init__(
        self, *, most: int, most_of_one: int, exempt: Callable[[str], bool], refused: Callable[[str], None]
    ) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._exempt = exempt
        self._refused = refused
        self._seats: dict[str, set[Seat]] = {}
        self._count = 0
        self._counted_at = 0.0
        self._complained_at: float | None = None

    def __len__(self) -> int:
        return self._count

    def enter(self, address: str, *, now: float) -> Seat | None:
        """A seat for a connection of `address`; None if there is no room. `now` is monotonic, in seconds."""
        limit = self._limit(address)
        if limit is not None and now - self._counted_at >= _COUNT_ANEW_S:
            self.forget_closed(now=now)
            limit = self._limit(address)
        if limit is None:
            seat = Seat()
            self._seats.setdefault(counted_as(address), set()).add(seat)
            self._count += 1
            return seat
        self._refused(limit)
        if self._complained_at is None or now - self._complained_at > _COMPLAIN_EVERY_S:
            self._complained_at = now
            log.warning("connections are refused (%s; the last from %s); %d are open", limit, address, self._count)
        return None

    def leave(self, address: str, seat: Seat) -> None:
        """The connection was not made after all."""
        seats = self._seats.get(counted_as(address), set())
        if seat in seats:
            seats.discard(seat)
            self._count -= 1

    def forget_closed(self, *, now: float) -> None:
        """Count anew. To be called now and then; for a listener at its limit `enter` does, at most once a second."""
        self._counted_at = now
        self._count = 0
        for address, seats in list(self._seats.items()):
            seats.difference_update([seat for seat in seats if seat.empty])
            self._count += len(seats)
            if not seats:
                del self._seats[address]

    def _limit(self, address: str) -> str | None:
        if self._count >= self._most:
            return "connections"
        if not self._exempt(address) and len(self._seats.get(counted_as(address), ())) >= self._most_of_one:
            return "connections_of_address"
        return None


class Listener:
    """Accepts connections at `address` for `runner`'s application, as far as `crowd` has room.

    `name` is the setting that named the address. Raises ZvonokError where it cannot listen.
    """

    def __init__(self, runner: web.AppRunner, address: Address, *, name: str, crowd: Crowd) -> None:
        assert runner.server is not None
        self._server = runner.server
        self._crowd = crowd
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[socket.socket, str, Seat]] = deque()
        self._handing_over: asyncio.Task[None] | None = None
        try:
            self._socket = _listen(address)
        except OSError as exc:
            # No UsageError: a port that is taken now may be free soon, and systemd starts us again for anything else.
            raise ZvonokError(
                f"ZVONOK_{name}: cannot listen on {address} ({exc.strerror or exc}); is another notifier running, "
                "or is the address not this host's?"
            ) from exc
        self._path = address.path
        self.address = address if address.path is not None else Address(address.host, self._socket.getsockname()[1])
        self._listen()

    def stop(self) -> None:
        """Accept no more, and close what waits; what was handed over goes on. Twice is harmless."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            if self._path is not None:
                Path(self._path).unlink(missing_ok=True)
        while self._waiting:
            self._turn_away(*self._waiting.popleft())

    def _listen(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        while True:
            try:
                connection, peer = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                break
            except OSError as exc:
                log.warning("cannot accept a connection: %s", exc.strerror)
                self._loop.remove_reader(self._socket)
                self._loop.call_later(_OUT_OF_DESCRIPTORS_PAUSE_S, self._listen)
                break
            address = peer[0] if self._path is None else LOCAL
            seat = self._crowd.enter(address, now=self._loop.time())
            if seat is None:
                connection.close()
            else:
                self._waiting.append((connection, address, seat))
        if self._waiting and self._handing_over is None:
            self._handing_over = self._loop.create_task(self._hand_over_all())

    async def _hand_over_all(self) -> None:
        while self._waiting:
            some = min(len(self._waiting), _HANDED_OVER_AT_ONCE)
            await asyncio.gather(*(self._hand_over(*self._waiting.popleft()) for _ in range(some)))
        self._handing_over = None

    async def _hand_over(self, connection: socket.socket, address: str, seat: Seat) -> None:
        connection.setblocking(False)
        try:
            seat.transport, _ = await self._loop.connect_accepted_socket(self._server, connection)
        except OSError as exc:  # gone already
            log.debug("a connection of %s was not made: %s", address, exc)
            self._turn_away(connection, address, seat)
        except Exception:  # whatever became of this one, others are waiting
            log.exception("a connection of %s was not made", address)
            self._turn_away(connection, address, seat)

    def _turn_away(self, connection: socket.socket, address: str, seat: Seat) -> None:
        self._crowd.leave(address, seat)
        connection.close()


def _listen(address: Address) -> socket.socket:
    if address.path is None:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        listener = socket.create_server((address.host, address.port), family=family, backlog=BACKLOG)
        listener.setblocking(False)
        return listener
    path = Path(address.path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    with contextlib.ExitStack() as undo:
        undo.callback(listener.close)
        path.unlink(missing_ok=True)
        listener.bind(address.path)
        path.chmod(0o660)  # before listen(): until then nobody can connect
        listener.listen(BACKLOG)
        undo.pop_all()
    return listener
