"""One AMI connection: the socket, and which answer belongs to which action.

Asterisk drops a manager whose socket takes nothing for 100 ms, so reading does not wait for what follows from the
events: up to MAX_BEHIND bytes that arrive faster than they are handled wait here.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from fastagi.ami_facts import WANTED
from fastagi.ami_wire import AmiParser, Banner, Message, NotAmi, encode_action
from zvonok.errors import ZvonokError

ANSWER_TIMEOUT: Final = 5.0
SILENCE: Final = 2.0
"""A PBX that is followed, was asked something and says nothing at all for so long is not there any more."""
STEP: Final = 0.1
"""So closely is watched whether it is us who are late."""
SLICE: Final = 0.002
MAX_BEHIND: Final = 64 << 20
"""The events of some 4,000 calls."""
MAX_ROWS: Final = 20_000
"""More than any Asterisk has channels, some 60 MB. A cut list would say that the calls beyond it are over."""


class AmiError(ZvonokError):
    """The PBX cannot be followed now; the message says why and what to do."""


class AmiRefused(AmiError):  # noqa: N818 - it reads as what it says
    """The PBX refuses the login."""


class AmiConnection(asyncio.Protocol):
    """One AMI connection: `on_event` gets each event that belongs to no list; actions are awaited.

    `lost` is set when it is gone, `why` says why. Waiting actions then raise `AmiError`. `heard_at`: the loop's time
    when something was last heard; `silence`: for how long the PBX may say nothing after it was asked.
    """

    def __init__(self, on_event: Callable[[Message], None]) -> None:
        self._on_event = on_event
        self._parser = AmiParser(WANTED)
        self._ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[list[Message]]] = {}
        self._lists: dict[str, list[Message]] = {}
        self._then: dict[str, Callable[[Message], None]] = {}
        self._transport: asyncio.Transport | None = None
        self._unread: deque[bytes] = deque()
        self._behind = 0
        self._messages: Iterator[Banner | Message] = iter(())
        self._next: asyncio.Handle | None = None
        self._hung_up = False
        self.version = ""
        self.heard_at = 0.0
        self.silence = SILENCE
        self.lost = asyncio.Event()
        self.why = "the PBX hung up"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        self._unread.append(data)
        self._behind += len(data)
        if self._behind > MAX_BEHIND and self._transport is not None:
            self._transport.pause_reading()
        if self._next is None:
            self._take()

    def connection_lost(self, exc: Exception | None) -> None:
        self.why = str(exc) if exc else self.why
        self._hung_up = True
        if self._next is None:
            self._end(self.why)  # else when all that came before it is handled

    def abort(self) -> None:
        """Close at once; what was not handled yet is forgotten."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._unread.clear()
        self._messages = iter(())
        if self._transport is not None:
            self._transport.abort()

    def _take(self) -> None:
        """Handle messages, but for no longer than SLICE: then the loop has its turn, and reads on."""
        loop = asyncio.get_running_loop()
        self.heard_at = now = loop.time()
        self._next = None
        until = now + SLICE
        try:
            while True:
                for message in self._messages:
                    self._message(message)
                    if loop.time() >= until:
                        self._next = loop.call_soon(self._take)
                        return
                if not self._unread:
                    break
                data = self._unread.popleft()
                self._behind -= len(data)
                if self._behind <= MAX_BEHIND and self._transport is not None:
                    self._transport.resume_reading()
                self._messages = self._parser.receive(data)
        except (NotAmi, AmiError) as exc:
            self._end(str(exc))
        except Exception:
            self.why = "what it told could not be handled"
            self.abort()
            raise
        if self._hung_up:
            self._end(self.why)

    def _message(self, message: Banner | Message) -> None:
        if isinstance(message, Banner):
            self.version = message.version
        elif self._waiting and message.action_id in self._waiting:
            self._answer(message.action_id, message)
        elif message.event:
            self._on_event(message)

    async def action(
        self,
        name: str,
        patience: float = ANSWER_TIMEOUT,
        then: Callable[[Message], None] | None = None,
        /,
        **headers: str,
    ) -> Message:
        """Send an action and await its response, which `then` gets before anything that came after it is looked at.

        Raises `AmiError` if the connection is lost, or does not answer.
        """
        return (await self._send(name, headers, patience=patience, then=then))[0]

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
        self,
        name: str,
        headers: dict[str, str],
        *,
        rows: bool = False,
        patience: float = ANSWER_TIMEOUT,
        then: Callable[[Message], None] | None = None,
    ) -> list[Message]:
        if self._transport is None or self.lost.is_set():
            raise AmiError(f"the AMI connection is lost ({self.why})")
        action_id = f"zvonok-{next(self._ids)}"
        future: asyncio.Future[list[Message]] = asyncio.get_running_loop().create_future()
        self._waiting[action_id] = future
        if rows:
            self._lists[action_id] = []
        if then is not None:
            self._then[action_id] = then
        try:
            self._transport.write(encode_action(name, action_id, headers.items()))
            return await self._answer_to(name, future, patience)
        finally:
            for waiting in (self._waiting, self._lists, self._then):
                waiting.pop(action_id, None)

    async def _answer_to(self, name: str, future: "asyncio.Future[list[Message]]", patience: float) -> list[Message]:
        clock = asyncio.get_running_loop().time
        asked_at = clock()
        ours = 0.0  # the time that we were late ourselves: the answer may be among what we have not read
        while not future.done():
            began = clock()
            left = asked_at + patience + ours - began
            silent = max(self.heard_at, asked_at + ours) + self.silence - began
            if left <= 0:
                raise AmiError(f"the PBX does not answer {name} within {patience:g} s")
            if silent <= 0:
                raise AmiError(f"the PBX was asked for {name} and has said nothing for {self.silence:g} s")
            step = min(left, silent, STEP)
            # No `asyncio.timeout`: after a stop of this process it would overtake the answer that waits to be read.
            await asyncio.wait({future}, timeout=step)
            took = clock() - began
            ours += took if self._next is not None else max(0.0, took - step)
        return future.result()

    def _answer(self, action_id: str, message: Message) -> None:
        answer = self._lists.get(action_id)
        if answer is None:
            answer = [message]
            if action_id in self._then:
                self._then.pop(action_id)(message)
        else:
            answer.append(message)
            if len(answer) > MAX_ROWS:
                raise AmiError(f"its list has more than {MAX_ROWS:,} rows, which no PBX has; it was given up")
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
