"""The hub: which sockets each user has, delivery to them, and the wheel that keeps them alive.

`deliver()` is not a coroutine: nobody waits for the slowest. The wheel visits a small slice of the sockets every 20 ms,
so that ten thousand heartbeats never go out at once (aiohttp's own `heartbeat=` synchronises sockets opened together).
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from notifier.messages import Close

TICK_S: Final = 0.02
SLICE: Final = 250


class Socket(Protocol):
    """What the hub needs of a session."""

    user_id: int
    slot: int
    sound: str | None

    def send(self, frame: bytes) -> bool:
        """Write a whole frame without waiting; False if the socket is closed or was too slow."""

    def beat(self, frame: bytes) -> None:
        """Send the heartbeat, or give up on a peer that does not answer."""

    def close(self, code: Close, reason: str) -> None:
        """Say why, and leave."""


class Hub:
    """Sockets by user, and on the wheel. `count`: how many there are; `opened`: how many there ever were."""

    def __init__(self, *, heartbeat_s: float) -> None:
        self._by_user: dict[int, list[Socket]] = {}
        self._wheel: list[set[Socket]] = [set() for _ in range(max(1, round(heartbeat_s / TICK_S)))]
        self._next_slot = 0
        self.count = 0
        self.opened = 0

    def add(self, socket: Socket) -> None:
        """From now on `socket` gets what its user gets."""
        self._by_user.setdefault(socket.user_id, []).append(socket)
        # Going through the slots in turn keeps the slices equal, however many connect in the same moment.
        socket.slot = self._next_slot
        self._wheel[socket.slot].add(socket)
        self._next_slot = (self._next_slot + 1) % len(self._wheel)
        self.count += 1
        self.opened += 1

    def remove(self, socket: Socket) -> None:
        """The opposite of `add`; twice is harmless."""
        sockets = self._by_user.get(socket.user_id)
        if sockets is None or socket not in sockets:
            return
        sockets.remove(socket)
        if not sockets:
            del self._by_user[socket.user_id]
        self._wheel[socket.slot].discard(socket)
        self.count -= 1

    @property
    def users(self) -> int:
        """How many users are connected."""
        return len(self._by_user)

    def user_ids(self) -> list[int]:
        """Who is connected."""
        return list(self._by_user)

    def sockets_of(self, user_id: int) -> int:
        """How many sockets the user has."""
        return len(self._by_user.get(user_id, ()))

    def of(self, user_id: int) -> tuple[Socket, ...]:
        """The user's sockets."""
        return tuple(self._by_user.get(user_id, ()))

    def deliver(self, user_id: int, frame: bytes) -> int:
        """Write the frame to every socket of the user and of nobody else. Returns how many took it."""
        sockets = self._by_user.get(user_id)
        if sockets is None:
            return 0
        return sum([socket.send(frame) for socket in tuple(sockets)])

    def all(self) -> Iterator[Socket]:
        """Every socket there is now (a copy: they may go while you look)."""
        for sockets in list(self._by_user.values()):
            yield from tuple(sockets)

    async def each(self, visit: Callable[[Socket], object], *, pause_s: float = 0.0) -> None:
        """Visit every socket, in slices, so that deliveries get their turn in between."""
        for index, socket in enumerate(list(self.all()), start=1):
            visit(socket)
            if index % SLICE == 0:
                await asyncio.sleep(pause_s)

    async def turn_wheel(self, heartbeat: Callable[[], bytes], on_lag: Callable[[float], None]) -> None:
        """Send heartbeats for ever, a slice every 20 ms. `on_lag` is told by how many seconds the loop ran late."""
        loop = asyncio.get_running_loop()
        position = 0
        due = loop.time()
        while True:
            due += TICK_S
            await asyncio.sleep(due - loop.time())
            lag = loop.time() - due
            on_lag(max(0.0, lag))
            if lag > 1.0:
                due = loop.time()  # the process was stopped: go on from here, not in a burst
            slot = self._wheel[position]
            position = (position + 1) % len(self._wheel)
            if slot:
                frame = heartbeat()
                for socket in tuple(slot):
                    socket.beat(frame)
