"""The intake: the PBXs' taps bring states here over HTTP, on a listener of its own.

`POST /intake/v1`, one request at a time and PBX, `Authorization: Bearer <ZVONOK_INTAKE_SECRET>`. A batch is taken whole
or not at all: a bad call answers 400 with its index, so that the tap can set it aside. The only file that knows how
states come.
"""

import logging
import secrets
import time
from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from aiohttp import web

from notifier.auth import MAX_USER_ID
from notifier.delivery import Delivery
from notifier.metrics import Metrics
from zvonok.call import Call, State
from zvonok.watchers import same_secret

log = logging.getLogger(__name__)

MAX_BODY: Final = 2 * 1024 * 1024
MAX_CALLS: Final = 500
MAX_TEXT: Final = 1024
_TWO_RUNS_LOG_S: Final = 60.0

PBXName = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
# JavaScript's numbers are exact up to here; a time or a revision beyond it is a mistake.
Whole = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """The body. `live` names every live call of this PBX, null if that is not known; `now`: the PBX's clock, ms."""

    pbx: PBXName
    run: Whole
    seq: Whole
    now: Whole
    calls: list[Call]
    live: list[str] | None = None


class _RawBatch(msgspec.Struct, frozen=True, kw_only=True):
    calls: list[msgspec.Raw] = []


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. `boot` names our start; `delivered`: how many sockets each call went to.

    `stale`: the batch was older than one already taken, and dropped.
    """

    boot: str
    delivered: dict[str, int]
    stale: bool = False


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A 4xx answer: what is wrong; `index` is the offending call's place in `calls`."""

    error: str
    index: int | None = None


class _Run:
    """How far a PBX's tap has come: the start and count of its last batch."""

    __slots__ = ("complained_at", "run", "seq", "stale")

    def __init__(self) -> None:
        self.run = -1
        self.seq = -1
        self.stale = 0
        self.complained_at: float | None = None


_decoder: Final = msgspec.json.Decoder(Batch)


class Intake:
    """Takes batches for `delivery`."""

    def __init__(self, delivery: Delivery, *, secret: str, metrics: Metrics) -> None:
        self.boot = secrets.token_hex(8)
        self._delivery = delivery
        self._secret = secret
        self._metrics = metrics
        self._runs: dict[str, _Run] = {}

    def authorized(self, request: web.Request) -> bool:
        """Whether the request bears the intake secret; takes the same time however much of it is right."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and same_secret(token, self._secret)

    def stale(self, pbx: str) -> int:
        """How many batches of an older run of this PBX were dropped since its newest run began."""
        run = self._runs.get(pbx)
        return 0 if run is None else run.stale

    async def post(self, request: web.Request) -> web.Response:
        """`POST /intake/v1`."""
        if not self.authorized(request):
            return self._refuse(HTTPStatus.UNAUTHORIZED, "the bearer token is not ZVONOK_INTAKE_SECRET")
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a batch may have {MAX_BODY} bytes")
        started = time.perf_counter()
        try:
            batch = _decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
            return self._refuse(HTTPStatus.BAD_REQUEST, str(exc), index=_offender(body))
        if len(batch.calls) > MAX_CALLS:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a batch may have {MAX_CALLS} calls")
        for index, call in enumerate(batch.calls):
            if (problem := self._problem(call, batch.pbx)) is not None:
                return self._refuse(HTTPStatus.BAD_REQUEST, problem, index=index)
        receipt = self._take(batch)
        self._metrics.intake_seconds.observe(time.perf_counter() - started)
        self._metrics.intake.labels("200").inc()
        return web.Response(body=msgspec.json.encode(receipt), content_type="application/json")

    def _take(self, batch: Batch) -> Receipt:
        if not self._in_turn(batch):
            return Receipt(boot=self.boot, delivered={}, stale=True)
        delivery = self._delivery
        delivery.heard(batch.pbx, there=batch.now)
        delivered = {call.call_id: delivery.accept(call) for call in batch.calls}
        if batch.live is not None:
            delivery.held_in_full(batch.pbx, set(batch.live))
        return Receipt(boot=self.boot, delivered=delivered)

    def _in_turn(self, batch: Batch) -> bool:
        """Whether the batch is no older than the last. The same again (its answer was lost) is harmless."""
        last = self._runs.setdefault(batch.pbx, _Run())
        if (batch.run, batch.seq) >= (last.run, last.seq):
            if batch.run != last.run:
                if last.run >= 0:
                    log.info("the tap of PBX %s was restarted", batch.pbx)
                self._delivery.new_run(batch.pbx)
                last.stale = 0
        elif batch.run < last.run and not self._delivery.sources.is_up(batch.pbx):
            log.warning("PBX %s: its tap restarted with an earlier clock; is NTP running there?", batch.pbx)
            self._delivery.new_run(batch.pbx)
        else:
            if batch.run < last.run:
                self._two_runs(batch.pbx, last)
            return False
        last.run, last.seq = batch.run, batch.seq
        return True

    def _two_runs(self, pbx: str, last: _Run) -> None:
        last.stale += 1
        now = time.monotonic()
        # One late request of the tap that was just replaced is no second tap.
        if last.stale > 2 and (last.complained_at is None or now - last.complained_at > _TWO_RUNS_LOG_S):
            last.complained_at = now
            log.error(
                "two taps send as PBX %s: the older one's states are dropped; stop one, or give it its own "
                "ZVONOK_PBX_NAME",
                pbx,
            )

    def _problem(self, call: Call, pbx: str) -> str | None:
        """What is wrong with a call that has the right shape, or None."""
        caller, line = call.caller, call.line
        answered_by = None if call.end is None else call.end.answered_by
        texts = (
            call.first_linkedid, caller.number, caller.display, caller.name, caller.company,
            line.number, line.label, line.queue, None if answered_by is None else answered_by.name,
        )  # fmt: skip
        if call.pbx != pbx:
            return f"the call's pbx is not {pbx!r}"
        if not 0 < len(call.call_id) <= 64 or "/" in call.call_id:
            return "call_id must have 1 to 64 characters and no slash"
        if not 0 < call.user_id <= MAX_USER_ID:
            return "user_id must be a positive 64-bit number"
        if not all(0 <= number < 2**53 for number in _numbers(call)):
            return "rev and times must be milliseconds from 0 to 2^53"
        if any(text is not None and len(text) > MAX_TEXT for text in texts):
            return f"a text is longer than {MAX_TEXT} characters"
        if caller.url is not None and (
            len(caller.url) > 2 * MAX_TEXT or not caller.url.startswith(("http://", "https://"))
        ):
            return "caller.url must be a short http(s) URL"
        if (call.state is State.ENDED) != (call.end is not None and call.ended_at is not None):
            return "an ended call, and no other, has ended_at and end"
        if call.state is State.TALKING and call.answered_at is None:
            return "a talking call has answered_at"
        if self._delivery.foreign(call):
            return "this call_id is another user's or another PBX's call"
        return None

    def _refuse(self, status: HTTPStatus, error: str, *, index: int | None = None) -> web.Response:
        self._metrics.intake.labels(str(status.value)).inc()
        if status is not HTTPStatus.UNAUTHORIZED:
            log.warning("a batch was refused: %s%s", error, "" if index is None else f" (call {index})")
        return web.Response(
            status=status,
            body=msgspec.json.encode(Refusal(error=error, index=index)),
            content_type="application/json",
        )


def _numbers(call: Call) -> tuple[int, ...]:
    """The numbers of a call that are calculated with."""
    return (call.rev, call.ring_started_at, call.answered_at or 0, call.ended_at or 0)


def _offender(body: bytes) -> int | None:
    """Which of the calls does not decode, if that is all that is wrong."""
    try:
        calls = msgspec.json.decode(body, type=_RawBatch).calls
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    for index, raw in enumerate(calls):
        try:
            msgspec.json.decode(raw, type=Call)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return index
    return None
