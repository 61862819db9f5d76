"""Test calls: ringing, talking, ended in a user's open pages, as a real call would look. Never in `calls`.

They go the way of every state, through `Delivery.accept`. A test call lasts as long as somebody wants it: the command
that asked for it, or the page that did; then it ends by itself.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Final

import msgspec

from notifier.delivery import Delivery
from notifier.people import People, Person
from zvonok.call import Call, Caller, End, Line, Reason, State, next_rev, wall_ms
from zvonok.errors import DatabaseError
from zvonok.service import mask_number

log = logging.getLogger(__name__)

PBX: Final = "test"
TEST_NUMBER: Final = "+70000000000"
_POLL_S: Final = 0.2
Seconds = Annotated[float, msgspec.Meta(ge=0, le=600)]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /intake/v1/test-call`: for whom, from which number, and for how long (seconds).

    `wait`: how long to wait for the user to open a page.
    """

    user_id: Annotated[int, msgspec.Meta(gt=0)]
    number: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    ring: Seconds = 4.0
    talk: Seconds = 6.0
    wait: Seconds = 0.0


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the answer: `waiting`, `no_page`, `unknown_user`, `busy`, `ringing`, `talking` or `ended`.

    `sockets`: how many pages were told. `name`: who the caller was found to be.
    """

    step: str
    sockets: int = 0
    name: str | None = None
    kind: str | None = None
    number: str | None = None


class TestCalls:
    """At most one test call a user."""

    __test__ = False

    def __init__(self, delivery: Delivery, people: People) -> None:
        self._delivery = delivery
        self._people = people
        self._busy: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, user_id: int) -> bool:
        """A page asks for one: it runs while the user has a page. False if one is running."""
        if user_id in self._busy:
            return False
        task = asyncio.get_running_loop().create_task(self._run(Order(user_id=user_id)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _run(self, order: Order) -> None:
        async for _ in self.play(order, wanted=lambda: self._delivery.hub.sockets_of(order.user_id) > 0):
            pass

    async def play(self, order: Order, *, wanted: Callable[[], bool]) -> AsyncGenerator[Step, None]:
        """Run a test call, telling each step, while it is `wanted()`."""
        user_id = order.user_id
        if user_id in self._busy:
            yield Step(step="busy")
            return
        self._busy.add(user_id)
        try:
            async with contextlib.aclosing(self._steps(order, wanted)) as steps:
                async for step in steps:
                    yield step
        finally:
            self._busy.discard(user_id)

    async def _steps(self, order: Order, wanted: Callable[[], bool]) -> AsyncGenerator[Step, None]:
        person: Person | None = None
        try:
            person = await self._people.ask(order.user_id)
        except DatabaseError:
            log.warning("a test call for user %d goes without the database: names are missing", order.user_id)
        else:
            if person is None:
                yield Step(step="unknown_user")
                return
        if not self._delivery.hub.sockets_of(order.user_id):
            yield Step(step="waiting")
            pages = self._delivery.hub.sockets_of
            if not await _until(lambda: pages(order.user_id) > 0 or not wanted(), order.wait) or not wanted():
                yield Step(step="no_page")
                return
        number = person.numbers[0] if person is not None and person.numbers else None
        line = Line(number=number.number, label=number.label) if number else Line(number="-")
        caller = await self._caller(order.number, line.number)
        log.info("a test call from %s for user %d", mask_number(caller.number), order.user_id)
        call = _ringing(order.user_id, caller, line)
        try:
            sockets = self._delivery.accept(call)
            yield Step(step="ringing", sockets=sockets, name=caller.name, kind=str(caller.kind), number=caller.number)
            if not await _until(lambda: not wanted(), order.ring):
                call = _next(call, state=State.TALKING, answered_at=wall_ms())
                yield Step(step="talking", sockets=self._delivery.accept(call))
                await _until(lambda: not wanted(), order.talk)
        finally:
            reason = Reason.MISSED if call.answered_at is None else Reason.COMPLETED
            call = _next(call, state=State.ENDED, ended_at=wall_ms(), end=End(reason=reason, cause=16))
            sockets = self._delivery.accept(call)
        yield Step(step="ended", sockets=sockets)

    async def _caller(self, number: str | None, called: str) -> Caller:
        if number is None:
            return Caller(number=TEST_NUMBER, name="Проверочный звонок")
        try:
            return await self._people.caller(number, called)
        except DatabaseError:
            return Caller(number=number)


def _ringing(user_id: int, caller: Caller, line: Line) -> Call:
    now = wall_ms()
    call_id = "test-" + secrets.token_hex(8)
    return Call(
        call_id=call_id, rev=now, first_linkedid=call_id, user_id=user_id, state=State.RINGING, caller=caller,
        line=line, ring_started_at=now, pbx=PBX, test=True,
    )  # fmt: skip


def _next(call: Call, **changes: object) -> Call:
    return msgspec.structs.replace(call, rev=next_rev(call.rev, now_ms=wall_ms()), **changes)


async def _until(over: Callable[[], bool], seconds: float) -> bool:
    """Wait until `over()`, for so long at most. Returns whether it is."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not over():
        if (left := end - loop.time()) <= 0:
            return False
        await asyncio.sleep(min(_POLL_S, left))
    return True
