"""AMI: the tap's one connection to its PBX. Connect, log in, resync, watch, and again from the start when it breaks.

`fastagi.ami_connection` has the socket, `fastagi.ami_facts` the meaning of events; this file has their order and time.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from fastagi.ami_connection import ANSWER_TIMEOUT, SILENCE, AmiConnection, AmiError, AmiRefused
from fastagi.ami_facts import listed, pbx_started, translate
from fastagi.ami_rights import AmiRights
from fastagi.ami_wire import Message
from fastagi.facts import AmiDown, AmiUp, ChannelsListed, Fact

log = logging.getLogger(__name__)

CONNECT_TIMEOUT: Final = 2.0
LOGIN_TIMEOUT: Final = 1.5
PATIENT_FROM: Final = 6
"""After so many attempts in vain the PBX gets `ANSWER_TIMEOUT` for each answer: it may have too much to do."""
PING_INTERVAL: Final = 0.75
"""With `SILENCE`: a link that swallows all is noticed within 2.75 s, so that its cards are right 2 s after its end."""
SWEEP_INTERVAL: Final = 30.0
LIST_GAP: Final = 0.6  # between two lists; the tracker wants at least 0.5
_MAX_PAUSE: Final = 0.3
_REFUSED_PAUSES: Final = (2.0, 30.0)  # a wrong password does not get right by haste


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
                await self._connection(patient=failures >= PATIENT_FROM)
            except AmiError as exc:
                was_up = self.link in (AmiLink.UP, AmiLink.RESYNCING)
                link = AmiLink.REFUSED if isinstance(exc, AmiRefused) else AmiLink.DOWN
                if was_up:
                    self._feed(AmiDown())
                    self.reconnects += 1
                if link is not self.link:
                    log.warning("%s; calls go on, and announced ones are shown", exc)
                failures = 0 if self.link is AmiLink.UP else failures + 1
                self.link = link
            await asyncio.sleep(_pause(failures, refused=self.link is AmiLink.REFUSED))

    async def _connection(self, *, patient: bool) -> None:
        """One connection from its beginning to its end, which is always an `AmiError`."""
        loop = asyncio.get_running_loop()
        connection = AmiConnection(self._heard)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await loop.create_connection(lambda: connection, self._host, self._port)
        except (OSError, TimeoutError) as exc:
            raise AmiError(
                f"the PBX's AMI at {self._host}:{self._port} cannot be reached ({exc or 'time-out'}); "
                "is Asterisk running, and manager.conf enabled and bound there?"
            ) from exc
        try:
            if patient:
                connection.silence = ANSWER_TIMEOUT
            await self._login(connection, ANSWER_TIMEOUT if patient else LOGIN_TIMEOUT)
            await self._ask_start(connection)
            await self._list(connection)
            await asyncio.sleep(LIST_GAP)
            await self._list(connection)
            self.link = AmiLink.UP
            connection.silence = SILENCE
            log.info("following the PBX at %s:%d (AMI %s)", self._host, self._port, connection.version or "?")
            await self._watch(connection)
        finally:
            connection.abort()

    async def _login(self, connection: AmiConnection, patience: float) -> None:
        answer = await connection.action(
            "Login", patience, self._answered, Username=self._user, Secret=self._secret, Events="call,agent"
        )
        self.version = connection.version
        if not answer.succeeded:
            raise AmiRefused(
                f"the PBX at {self._host}:{self._port} refuses the AMI login of {self._user!r} "
                f"({answer.headers.get('Message', 'no reason given')}); compare ZVONOK_AMI_USER and ZVONOK_AMI_SECRET "
                "with manager.conf, and its permit= with our address"
            )

    def _answered(self, answer: Message) -> None:
        """Before the first event: a Hangup in the same breath must not find a PBX that is down."""
        if answer.succeeded:
            self.link = AmiLink.RESYNCING
            self.rights.logged_in(self._now())
            self._feed(AmiUp())

    async def _ask_start(self, connection: AmiConnection) -> None:
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

    async def _list(self, connection: AmiConnection) -> None:
        asked_at = self._now()
        rows = await connection.rows("CoreShowChannels")
        # One round trip more only for what dials: DIALEDPEERNUMBER tells a trunk's leg from an extension's.
        statuses = await connection.rows("Status", Variables="DIALEDPEERNUMBER") if rows else []
        channels = listed(rows, statuses)
        self.rights.listed(channels, asked_at)
        self._feed(ChannelsListed(rows=channels, asked_at=asked_at))
        self.last_resync = self._now()

    async def _watch(self, connection: AmiConnection) -> None:
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
                await connection.action("Ping")
                self.round_trip = loop.time() - began
            except AmiError:
                # A PBX with too much to do answers late, but tells of its calls all the while.
                if connection.lost.is_set() or loop.time() - connection.heard_at > SILENCE:
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


def _pause(failures: int, *, refused: bool) -> float:
    """Seconds until the next attempt: full jitter, short while the PBX is away, long while it refuses us."""
    if refused:
        low, high = _REFUSED_PAUSES
        return random.uniform(low, min(high, low * 2 ** min(failures, 5)))  # noqa: S311 - not a secret
    return random.uniform(0.05, min(_MAX_PAUSE, 0.1 * 2 ** min(failures, 6)))  # noqa: S311 - not a secret
