"""One WebSocket of one user: authenticate, greet, listen, close. Sending never waits; the hub does most of it.

A session is in the hub from the moment its snapshot is written, so no state falls between the two.
"""

import asyncio
import logging
import random
import secrets
import socket as sockets
from typing import Final, Protocol

from aiohttp import WSMessage, WSMsgType, web

from notifier import frames
from notifier.auth import AuthError, Identity, Verifier
from notifier.delivery import Delivery
from notifier.limits import Bucket, Limits
from notifier.messages import (
    MAX_AUTH_BYTES,
    Auth,
    ClientHeartbeat,
    ClientStatus,
    Close,
    Dismiss,
    Error,
    ErrorCode,
    Hello,
    ServerMessage,
    TestCall,
    User,
    decode,
    encode,
)
from notifier.metrics import Metrics
from notifier.people import People, Person
from zvonok.call import wall_ms
from zvonok.errors import DatabaseError

log = logging.getLogger(__name__)

_LATER_S: Final = 2.0
_CLOSE_CODES: Final = range(1000, 5000)  # RFC 6455 7.4.2; aiohttp takes higher ones
_PROTOCOL_ERROR: Final = 1002
_MESSAGES: Final = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG})


class Gate(Protocol):
    """What a session tells the door about its address."""

    def authenticated(self) -> None:
        """This socket no longer counts as unauthenticated. Twice is harmless."""

    def failed(self) -> None:
        """An attempt to authenticate failed."""


class TestCallStarter(Protocol):
    """Starts a test call for a user; False if one is running already."""

    def __call__(self, user_id: int) -> bool: ...


class Desk:
    """What all sessions share."""

    __slots__ = ("delivery", "limits", "metrics", "people", "start_test_call", "verifier")

    def __init__(
        self,
        *,
        delivery: Delivery,
        people: People,
        verifier: Verifier,
        limits: Limits,
        metrics: Metrics,
        start_test_call: TestCallStarter,
    ) -> None:
        self.delivery = delivery
        self.people = people
        self.verifier = verifier
        self.limits = limits
        self.metrics = metrics
        self.start_test_call = start_test_call


class Session:
    """A socket's life. `run()` returns when it is over."""

    __slots__ = (
        "_beats",
        "_bucket",
        "_closing",
        "_desk",
        "_expiry",
        "_gate",
        "_greeting",
        "_heard_at",
        "_identity",
        "_transport",
        "_ws",
        "id",
        "slot",
        "sound",
        "user_id",
    )

    def __init__(self, ws: web.WebSocketResponse, transport: asyncio.Transport, *, desk: Desk, gate: Gate) -> None:
        self.id = secrets.token_hex(4)
        self.user_id = 0
        self.slot = 0
        self.sound: str | None = None
        self._ws = ws
        self._transport = transport
        self._desk = desk
        self._gate = gate
        self._closing = False
        self._beats = 0
        self._identity: Identity | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._greeting: asyncio.Task[None] | None = None
        self._bucket: Bucket | None = None
        self._heard_at = _now()
        raw = transport.get_extra_info("socket")
        if raw is not None:
            # The kernel would take megabytes for a peer that doesn't read; then its slowness would show far too late.
            raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, desk.limits.send_buffer_bytes)
            if raw.family != sockets.AF_UNIX:
                milliseconds = int(desk.limits.unacknowledged * 1000)
                raw.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_USER_TIMEOUT, milliseconds)

    async def run(self) -> None:
        """Authenticate, greet, and listen until either side closes."""
        try:
            identity = await self._authenticate()
            if identity is not None and await self._greet(identity):
                await self._listen()
            while self._closing and (await self._ws.receive()).type in _MESSAGES:
                pass  # a connection closed with unread data is reset, and the peer never learns the close code
        except ConnectionError:
            pass
        finally:
            self._leave()

    # -- what the hub calls: nothing here waits

    def send(self, frame: bytes) -> bool:
        """Write a whole frame; False if the socket is closed, or closed now because its peer doesn't read."""
        transport = self._transport
        if self._closing or transport.is_closing():
            return False
        if transport.get_write_buffer_size() + len(frame) > self._desk.limits.buffer_bytes:
            log.warning("socket %s of user %d is too slow and gets closed", self.id, self.user_id)
            self.close(Close.TOO_SLOW, "too slow")
            return False
        transport.write(frame)
        return True

    def beat(self, frame: bytes) -> None:
        """The heartbeat, now and then with a ping; a peer that answered none for too long is cut off.

        A dead network is noticed by the kernel (TCP_USER_TIMEOUT); a pong, which proves that the peer itself lives,
        wakes us, and ten thousand of them every 10 s would be felt by every call.
        """
        self._beats += 1
        if self._beats % self._desk.limits.ping_every:
            self.send(frame)
        elif _now() - self._heard_at > self._desk.limits.silence:
            log.info("socket %s of user %d: the peer is gone", self.id, self.user_id)
            self._transport.abort()
        else:
            self.send(frames.PING + frame)

    def close(self, code: Close, reason: str) -> None:
        """Say why and leave; the peer has some seconds to answer, then the connection is cut."""
        if self._closing:
            return
        self._closing = True
        self._desk.metrics.closed.labels(str(int(code))).inc()
        if self.user_id:
            self._desk.delivery.hub.remove(self)
        if not self._transport.is_closing():
            self._transport.write(frames.close(code, reason))
            _loop().call_later(self._desk.limits.close_timeout, self._transport.abort)

    def hang_up(self) -> None:
        """Close the connection without waiting for the peer's answer; what the kernel has, it still brings."""
        self._transport.close()

    # -- the conversation

    async def _authenticate(self) -> Identity | None:
        try:
            async with asyncio.timeout(self._desk.limits.auth_timeout):
                message = await self._ws.receive()
                while message.type in (WSMsgType.PING, WSMsgType.PONG):
                    message = await self._ws.receive()
        except TimeoutError:
            self.close(Close.NOT_AUTHENTICATED, "the first message must be auth, within 5 s")
            return None
        if message.type is not WSMsgType.TEXT:
            self._odd(message)
            return None
        if len(message.data) > MAX_AUTH_BYTES:
            self.close(Close.TOO_BIG, "the auth message may have 4 KiB")
            return None
        try:
            auth = decode(message.data)
        except ValueError as exc:
            self.close(Close.BAD_MESSAGE, str(exc))
            return None
        if not isinstance(auth, Auth):
            self.close(Close.NOT_AUTHENTICATED, "the first message must be auth")
            return None
        try:
            identity = self._desk.verifier.verify(auth.token)
        except AuthError as exc:
            self._refuse(exc)
            return None
        return identity

    async def _greet(self, identity: Identity) -> bool:
        desk = self._desk
        asking = desk.people.person(identity.user_id) if desk.people.state != "none" else None
        person: Person | None = None
        known = False
        if isinstance(asking, asyncio.Future):
            # A frozen database must not keep a user from his calls: his token says who he is.
            await asyncio.wait({asking}, timeout=desk.limits.first_answer)
            if asking.done() and asking.exception() is None:
                person, known = asking.result(), True
        elif asking is not None:
            person, known = asking, True
        if known and person is None:
            self._unknown_user(identity.user_id)
            return False
        if self._transport.is_closing():
            return False
        if desk.delivery.hub.sockets_of(identity.user_id) >= desk.limits.sockets_per_user:
            self.close(Close.TOO_MANY, f"a user may have {desk.limits.sockets_per_user} connections")
            return False
        self.user_id = identity.user_id
        self._renewed(identity)
        self._gate.authenticated()
        desk.metrics.opened.inc()
        # One write: each is a system call, and after a restart everybody comes at once.
        self.send(b"".join([self._hello(person), desk.delivery.snapshot(self.user_id), *desk.delivery.down_sources()]))
        if not self._closing:
            desk.delivery.hub.add(self)
        if not known and desk.people.state != "none":
            self._greeting = _loop().create_task(self._greet_later())
        return True

    async def _greet_later(self) -> None:
        """The database could not be asked at the start: ask until it can, then say hello again."""
        while not self._closing:
            await asyncio.sleep(_LATER_S * random.uniform(1, 2))  # noqa: S311 - not a secret
            asking = self._desk.people.person(self.user_id)
            try:
                person = asking if isinstance(asking, Person) else await asyncio.shield(asking)
            except DatabaseError:
                continue
            if person is None:
                self._unknown_user(self.user_id)
            else:
                self.send(self._hello(person))
            return

    async def _listen(self) -> None:
        limits = self._desk.limits
        while not self._closing:
            message = await self._ws.receive()
            self._heard_at = now = _now()
            match message.type:
                case WSMsgType.TEXT | WSMsgType.PING | WSMsgType.PONG if not self._within_budget(limits, now):
                    self.close(Close.BAD_MESSAGE, "too many messages")
                case WSMsgType.PONG:
                    continue
                case WSMsgType.TEXT:
                    self._handle(message.data)
                case WSMsgType.PING:
                    self.send(frames.pong(message.data))
                case _:
                    self._odd(message)
                    return

    def _within_budget(self, limits: Limits, now: float) -> bool:
        if self._bucket is None:
            self._bucket = Bucket(limits.messages, now=now)
        return self._bucket.take(limits.messages, limits.messages_refill, now=now)

    def _handle(self, data: str) -> None:
        try:
            message = decode(data)
        except ValueError as exc:
            self.close(Close.BAD_MESSAGE, str(exc))
            return
        match message:
            case ClientHeartbeat():
                pass
            case Dismiss():
                self._desk.delivery.dismiss(self.user_id, message.call_id)
            case ClientStatus():
                self.sound = message.sound
            case Auth():
                self._renew(message)
            case TestCall():
                if not self._desk.start_test_call(self.user_id):
                    self._say(
                        Error(
                            server_time=wall_ms(),
                            code=ErrorCode.TEST_CALL_RUNNING,
                            message="a test call is running already",
                            retryable=True,
                            retry_after_ms=15_000,
                        )
                    )

    def _renew(self, auth: Auth) -> None:
        try:
            identity = self._desk.verifier.verify(auth.token)
        except AuthError as exc:
            self._refuse(exc)
            return
        if identity.user_id != self.user_id:
            self._refuse(AuthError("renewal", "a renewed token must be the same user's"))
            return
        self._renewed(identity)
        self.send(self._hello(self._desk.people.cached(self.user_id)))

    def _renewed(self, identity: Identity) -> None:
        self._identity = identity
        if self._expiry is not None:
            self._expiry.cancel()
        left = identity.expires_at / 1000 - wall_ms() / 1000 + self._desk.limits.expiry_grace
        self._expiry = _loop().call_later(min(max(left, 0.0), 86_400.0), self._expired)

    def _expired(self) -> None:
        assert self._identity is not None
        if self._identity.expires_at / 1000 + self._desk.limits.expiry_grace > wall_ms() / 1000 + 0.01:
            self._renewed(self._identity)  # far in the future, or the clock was set: wait on
        else:
            self.close(Close.NOT_AUTHENTICATED, "the token has expired")

    def _refuse(self, error: AuthError) -> None:
        log.info("socket %s: token refused (%s)", self.id, error.reason)
        self._desk.metrics.auth_failures.labels(error.reason).inc()
        self._gate.failed()
        self.close(Close.NOT_AUTHENTICATED, str(error))

    def _unknown_user(self, user_id: int) -> None:
        log.info("socket %s: user %d is not in the database", self.id, user_id)
        self._desk.metrics.auth_failures.labels("unknown_user").inc()
        self._gate.failed()
        self.close(Close.NOT_ALLOWED, "no such user")

    def _odd(self, message: WSMessage) -> None:
        """Anything but text: the end, one way or another."""
        match message.type:
            case WSMsgType.BINARY:
                self.close(Close.BAD_MESSAGE, "text messages only")
            case WSMsgType.CLOSE if not self._closing and not self._transport.is_closing():
                code = message.data if message.data in _CLOSE_CODES else _PROTOCOL_ERROR if message.data else 1000
                self._transport.write(frames.close(code))  # RFC 6455 5.5.1: the same code

    def _say(self, message: ServerMessage) -> None:
        self.send(frames.text(encode(message)))

    def _hello(self, person: Person | None) -> bytes:
        assert self._identity is not None
        hello = Hello(
            server_time=wall_ms(),
            user=User(id=self.user_id, name=None if person is None else person.name),
            numbers=None if person is None else person.numbers,
            heartbeat_ms=int(self._desk.limits.heartbeat * 1000),
            token_expires_at=self._identity.expires_at,
        )
        return frames.text(encode(hello))

    def _leave(self) -> None:
        if self.user_id:
            self._desk.delivery.hub.remove(self)
        self._gate.authenticated()
        if self._expiry is not None:
            self._expiry.cancel()
        if self._greeting is not None:
            self._greeting.cancel()
        self._transport.close()  # before aiohttp would send a close frame of its own


def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def _now() -> float:
    return asyncio.get_running_loop().time()
