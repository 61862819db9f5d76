"""What one client, one address and one user may ask of us. Pure: time comes in as an argument, in seconds."""

from typing import Final

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """All limits of the users' side; the defaults are the contract, tests take smaller ones. Durations are seconds."""

    auth_timeout: float = 5.0
    expiry_grace: float = 25.0
    heartbeat: float = 10.0
    ping_every: int = 3
    silence: float = 75.0
    unacknowledged: float = 25.0
    close_timeout: float = 5.0
    sockets_per_user: int = 20
    buffer_bytes: int = 256 * 1024
    send_buffer_bytes: int = 64 * 1024
    unauthenticated_per_address: int = 512
    failures_per_address: float = 60.0
    failures_refill: float = 1.0
    messages: float = 100.0
    messages_refill: float = 10.0
    first_answer: float = 0.5
    roll_call: float = 60.0
    drain_per_second: int = 5000
    requests_per_address: float = 300.0
    requests_refill: float = 30.0
    requests_per_user: float = 60.0
    user_requests_refill: float = 5.0
    connections_per_address: int = 4096
    silent_connection: float = 15.0


class Bucket:
    """A token bucket: `capacity` at once, then `refill` a second."""

    __slots__ = ("_at", "_level")

    def __init__(self, capacity: float, *, now: float) -> None:
        self._level = capacity
        self._at = now

    def take(self, capacity: float, refill: float, *, now: float) -> bool:
        """Take one; False if there is none."""
        self._level = min(capacity, self._level + max(0.0, now - self._at) * refill)
        self._at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True

    def level(self, capacity: float, refill: float, *, now: float) -> float:
        """How many could be taken."""
        return min(capacity, self._level + max(0.0, now - self._at) * refill)


MAX_ADDRESSES: Final = 10_000


class Budget:
    """A bucket for each address; forgets the longest unused when there are too many."""

    def __init__(self, capacity: float, refill: float) -> None:
        self._capacity = capacity
        self._refill = refill
        self._buckets: dict[str, Bucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, address: str, *, now: float) -> bool:
        """Take one of the address's; False if it has none left."""
        bucket = self._buckets.pop(address, None) or Bucket(self._capacity, now=now)
        self._buckets[address] = bucket  # youngest last
        if len(self._buckets) > MAX_ADDRESSES:
            for oldest in list(self._buckets)[: MAX_ADDRESSES // 10]:
                del self._buckets[oldest]
        return bucket.take(self._capacity, self._refill, now=now)

    def spent(self, address: str, *, now: float) -> bool:
        """Whether the address has none left; takes nothing."""
        bucket = self._buckets.get(address)
        return bucket is not None and bucket.level(self._capacity, self._refill, now=now) < 1


class Counter:
    """How many of something each address holds at once."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def enter(self, address: str, most: int) -> bool:
        """One more, unless there are `most` already."""
        count = self._counts.get(address, 0)
        if count >= most:
            return False
        self._counts[address] = count + 1
        return True

    def leave(self, address: str) -> None:
        """One fewer."""
        count = self._counts.get(address, 0)
        if count <= 1:
            self._counts.pop(address, None)
        else:
            self._counts[address] = count - 1
