"""AMI: the tap's one connection to its PBX. Connect, log in, resync, watch, and again from the start when it breaks.

The parsing is in `fastagi.ami_wire`, the meaning of events in `fastagi.ami_facts`; this file has the socket and time.
Asterisk drops a manager connection that blocks its write for 100 ms, so events are handled as they arrive.
"""

import asyncio
import contextlib
import itertools
import logging
import random
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from fastagi.ami_facts import WANTED, listed, pbx_started, translate
from fastagi.ami_rights import AmiRights
from fastagi.ami_wire import AmiParser, Banner, Message, NotAmi, encode_action
from fastagi.facts import AmiDown, AmiUp, ChannelsListed, Fact
from zvonok.errors import ZvonokError

log = logging.getLogger(__name__)

CONNECT_TIMEOUT: Final = 2.0
LOGIN_TIMEOUT: Final = 3.0
ANSWER_TIMEOUT: Final = 5.0
PING_INTERVAL: Final = 1.0
PING_TIMEOUT: Final = 3.0
SWEEP_INTERVAL: Final = 30.0
LIST_GAP: Final = 0.6  # between two lists; the tracker wants at least 0.5
_MAX_PAUSE: Final = 0.5
_REFUSED_PAUSES: Final = (2.0, 30.0)  # a wrong password does not get right by haste


class AmiError(ZvonokError):
    """The PBX cannot be followed now; the message says why and what to do."""


class AmiRefused(AmiError):  # noqa: N818 - it reads as what it says
    """The PBX refuses the login."""


class AmiLink(StrEnum):
    """How it stands between the tap and the PBX."""

    CONNECTING = "connecting"
    RESYNCING = "resyncing"
    UP = "up"
    REFUSED = "login refused"
    DOWN = "unreachable"


class Ami:
    """Follows the PBX at `host:port`.

    `feed` gets every fact; `now` is its clock (ms); `suspects` tells how many channels the last list did not show.
    `rights` is what can be told of the user's `read =`.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        user: str,
        secret: str,
        feed: Callable[[Fact], None],
        now: Callable[[], int],
        suspects: Callable[[], int],
    ) -> None:
        self._host, self._port, self._user, self._secret = host, port, user, secret
        self._feed, self._now, self._suspects = feed, now, suspects
        self.link = AmiLink.CONNECTING
        self.rights = AmiRights()
        self.version = ""
        self.facts = 0
        self.reconnects = 0
        self.last_resync: int | None = None
        self.round_trip: float | None = None

    @property
    def in_step(self) -> bool:
        """Whether the tracker has what the PBX has: logged in, and resynced since."""
        return self.link is AmiLink.UP

    async def follow(self) -> None:
        """Follow until cancelled."""
        failures = 0
        while True:
            try:
                await self._connection()
            except AmiError as exc:
                was_up = self.link in (AmiLink.UP, AmiLink.RESYNCING)
                link = AmiLink.REFUSED if isinstance(exc, AmiRefused) else AmiLink.DOWN
                if was_up:
                    self._feed(AmiDown())
                    self.reconnects += 1
                if link is not self.link:
                    log.warning("%s; calls go on, and announced ones are shown", exc)
                failures = 0 if was_up else failures + 1
                self.link = link
            await asyncio.sleep(_pause(failures, refused=self.link is AmiLink.REFUSED))

    async def _connection(self) -> None:
        """One connection from its beginning to its end, which is always an `AmiError`."""
        loop = asyncio.get_running_loop()
        connection = AmiConnection(self._heard)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                transport, _ = await loop.create_connection(lambda: connection, self._host, self._port)
        except (OSError, TimeoutError) as exc:
            raise AmiError(
                f"the PBX's AMI at {self._host}:{self._port} cannot be reached ({exc or 'time-out'}); "
                "is Asterisk running, and manager.conf enabled and bound there?"
            ) from exc
        try:
            await self._login(connection)
            self.link = AmiLink.RESYNCING
            self.rights.logged_in(self._now())
            self._feed(AmiUp())
            await self._ask_start(connection)
            await self._list(connection)
            await asyncio.sleep(LIST_GAP)
            await self._list(connection)
            self.link = AmiLink.UP
            log.info("following the PBX at %s:%d (AMI %s)", self._host, self._port, connection.version or "?")
            await self._watch(connection)
        finally:
            transport.abort()

    async def _login(self, connection: "AmiConnection") -> None:
        answer = await connection.action(
            "Login", LOGIN_TIMEOUT, Username=self._user, Secret=self._secret, Events="call,agent"
        )
        self.version = connection.version
        if not answer.succeeded:
            raise AmiRefused(
                f"the PBX at {self._host}:{self._port} refuses the AMI login of {self._user!r} "
                f"({answer.headers.get('Message', 'no reason given')}); compare ZVONOK_AMI_USER and ZVONOK_AMI_SECRET "
                "with manager.conf, and its permit= with our address"
            )

    async def _ask_start(self, connection: "AmiConnection") -> None:
        answer = await connection.action("CoreStatus")
        if not answer.succeeded:
            raise AmiRefused(
                f"the AMI user {self._user!r} may not ask for CoreStatus "
                f"({answer.headers.get('Message', 'no reason given')}); give it write = reporting in manager.conf "
                "(dialplan/manager.d/zvonok.conf)"
            )
        started = pbx_started(answer)
        if started is not None:
            self._feed(started)

    async def _list(self, connection: "AmiConnection") -> None:
        asked_at = self._now()
        rows = await connection.rows("CoreShowChannels")
        # One round trip more only for what dials: DIALEDPEERNUMBER tells a trunk's leg from an extension's.
        statuses = await connection.rows("Status", Variables="DIALEDPEERNUMBER") if rows else []
        channels = listed(rows, statuses)
        self.rights.listed(channels, asked_at)
        self._feed(ChannelsListed(rows=channels, asked_at=asked_at))
        self.last_resync = self._now()

    async def _watch(self, connection: "AmiConnection") -> None:
        """Ping, and list once in a while: a Hangup may get lost, and a dead connection may look alive."""
        loop = asyncio.get_running_loop()
        next_sweep = loop.time() + SWEEP_INTERVAL
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PING_INTERVAL):
                    await connection.lost.wait()
                raise AmiError(f"the PBX closed the AMI connection ({connection.why})")
            began = loop.time()
            try:
                await connection.action("Ping", PING_TIMEOUT)
                self.round_trip = loop.time() - began
            except AmiError:
                # A PBX with too much to do answers late, but tells of its calls all the while.
                if connection.lost.is_set() or loop.time() - connection.heard_at > PING_TIMEOUT:
                    raise
            if loop.time() >= next_sweep:
                next_sweep = loop.time() + SWEEP_INTERVAL
                await self._list(connection)
                if self._suspects():
                    await asyncio.sleep(LIST_GAP)
                    await self._list(connection)

    def _heard(self, event: Message) -> None:
        self.rights.event(event)
        for fact in translate(event):
            self.facts += 1
            self._feed(fact)


class AmiConnection(asyncio.Protocol):
    """One AMI connection: `on_event` gets each event that belongs to no list; actions are awaited.

    `lost` is set when it is gone, `why` says why. Waiting actions then raise `AmiError`.
    """

    def __init__(self, on_event: Callable[[Message], None]) -> None:
        self._on_event = on_event
        self._parser = AmiParser(WANTED)
        self._ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[list[Message]]] = {}
        self._lists: dict[str, list[Message]] = {}
        self._transport: asyncio.Transport | None = None
        self.version = ""
        self.heard_at = 0.0
        self.lost = asyncio.Event()
        self.why = "the PBX hung up"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        try:
            for message in self._parser.receive(data):
                if isinstance(message, Banner):
                    self.version = message.version
                elif message.action_id in self._waiting:
                    self._answer(message.action_id, message)
                elif message.event:
                    self._on_event(message)
        except NotAmi as exc:
            self._end(str(exc))

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(str(exc) if exc else self.why)

    async def action(self, name: str, patience: float = ANSWER_TIMEOUT, /, **headers: str) -> Message:
        """Send an action and await its response. Raises `AmiError` if the connection is lost or does not answer."""
        return (await self._send(name, headers, patience=patience))[0]

    async def rows(self, name: str, **headers: str) -> list[Message]:
        """Send a list action and await its rows, without the response and the event that ends it.

        Raises `AmiRefused` where the user may not, `AmiError` as `action` does.
        """
        answer = await self._send(name, headers, rows=True)
        if not answer[0].succeeded:
            raise AmiRefused(
                f"the PBX refuses {name} ({answer[0].headers.get('Message', 'no reason given')}); give our AMI user "
                "write = reporting in manager.conf (dialplan/manager.d/zvonok.conf)"
            )
        return answer[1:-1]

    async def _send(
        self, name: str, headers: dict[str, str], *, rows: bool = False, patience: float = ANSWER_TIMEOUT
    ) -> list[Message]:
        if self._transport is None or self.lost.is_set():
            raise AmiError(f"the AMI connection is lost ({self.why})")
        action_id = f"zvonok-{next(self._ids)}"
        future: asyncio.Future[list[Message]] = asyncio.get_running_loop().create_future()
        self._waiting[action_id] = future
        if rows:
            self._lists[action_id] = []
        try:
            self._transport.write(encode_action(name, action_id, headers.items()))
            async with asyncio.timeout(patience):
                return await future
        except TimeoutError as exc:
            raise AmiError(f"the PBX does not answer {name} within {patience:.0f} s") from exc
        finally:
            self._waiting.pop(action_id, None)
            self._lists.pop(action_id, None)

    def _answer(self, action_id: str, message: Message) -> None:
        answer = self._lists.get(action_id)
        if answer is None:
            answer = [message]
        else:
            answer.append(message)
            refused = not message.event and not message.succeeded
            if not refused and not message.ends_list:
                return
        future = self._waiting[action_id]
        if not future.done():
            future.set_result(answer)

    def _end(self, why: str) -> None:
        if self.lost.is_set():
            return
        self.why = why
        self.lost.set()
        if self._transport is not None:
            self._transport.abort()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(AmiError(f"the PBX closed the AMI connection ({why})"))


def _pause(failures: int, *, refused: bool) -> float:
    """Seconds until the next attempt: full jitter, short while the PBX is away, long while it refuses us."""
    if refused:
        low, high = _REFUSED_PAUSES
        return random.uniform(low, min(high, low * 2 ** min(failures, 5)))  # noqa: S311 - not a secret
    return random.uniform(0.05, min(_MAX_PAUSE, 0.1 * 2 ** min(failures, 6)))  # noqa: S311 - not a secret
