"""The hub and its wheel."""

import asyncio

from notifier.hub import Hub


class Recorder:
    """A socket that writes down what it is sent."""

    def __init__(self, user_id: int) -> None:
        self.user_id = user_id
        self.slot = 0
        self.sound: str | None = None
        self.frames: list[bytes] = []
        self.beats = 0
        self.open = True

    def send(self, frame: bytes) -> bool:
        self.frames.append(frame)
        return self.open

    def beat(self, frame: bytes) -> None:
        self.beats += 1


def test_a_frame_goes_to_the_users_sockets_only_and_closed_ones_are_not_counted() -> None:
    hub = Hub(heartbeat_s=1)
    one, two, other = Recorder(1), Recorder(1), Recorder(2)
    for socket in (one, two, other):
        hub.add(socket)
    two.open = False
    assert hub.deliver(1, b"x") == 1
    assert hub.deliver(3, b"x") == 0
    assert (one.frames, other.frames) == ([b"x"], [])
    assert (hub.count, hub.users, hub.sockets_of(1)) == (3, 2, 2)


def test_leaving_twice_is_harmless_and_leaves_nothing_behind() -> None:
    hub = Hub(heartbeat_s=1)
    socket = Recorder(1)
    hub.add(socket)
    hub.remove(socket)
    hub.remove(socket)
    assert (hub.count, hub.users, hub._by_user) == (0, 0, {})
    assert not any(hub._wheel)


def test_sockets_that_come_together_are_spread_over_the_wheel() -> None:
    hub = Hub(heartbeat_s=1)
    for user in range(1, 101):
        hub.add(Recorder(user))
    assert {len(slot) for slot in hub._wheel} == {2}


async def test_the_wheel_beats_every_socket_once_a_turn() -> None:
    hub = Hub(heartbeat_s=0.2)
    sockets = [Recorder(user) for user in range(1, 9)]
    for socket in sockets:
        hub.add(socket)
    lags: list[float] = []
    task = asyncio.create_task(hub.turn_wheel(lambda: b"h", lags.append))
    while sockets[-1].beats < 3:
        await asyncio.sleep(0.01)
    task.cancel()
    assert {socket.beats for socket in sockets} <= {3, 4}
    assert all(lag < 0.2 for lag in lags)


async def test_each_lets_others_run_between_slices() -> None:
    hub = Hub(heartbeat_s=1)
    for user in range(1, 1001):
        hub.add(Recorder(user))
    visited: list[int] = []
    seen: list[int] = []
    visiting = asyncio.create_task(hub.each(lambda socket: visited.append(socket.user_id)))
    while not visiting.done():
        seen.append(len(visited))
        await asyncio.sleep(0)
    assert len(visited) == 1000
    assert len(set(seen)) >= 4
