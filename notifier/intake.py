"""The intake: the PBXs' taps bring states here over HTTP, on a listener of its own.

`POST /intake/v1`, one request at a time and PBX, `Authorization: Bearer <ZVONOK_INTAKE_SECRET>`. A batch is taken whole
or not at all: a bad call answers 400 with its index, so that the tap can set it aside. This file and intake_nats.py
(a cluster's) are all that knows how states come.
"""

import logging
import secrets
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from aiohttp import web

from notifier.call_rules import FOREIGN, problem_of
from notifier.delivery import Delivery
from notifier.metrics import Metrics
from notifier.runs import Runs, Turn
from zvonok.call import Call
from zvonok.settings import Settings
from zvonok.watchers import same_secret

if TYPE_CHECKING:
    from notifier.intake_nats import ClusterIntake

log = logging.getLogger(__name__)

MAX_BODY: Final = 2 * 1024 * 1024
MAX_CALLS: Final = 500

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


_decoder: Final = msgspec.json.Decoder(Batch)


class Intake:
    """Takes batches for `delivery`."""

    def __init__(self, delivery: Delivery, *, secret: str, metrics: Metrics) -> None:
        self.boot = secrets.token_hex(8)
        self._delivery = delivery
        self._secret = secret
        self._metrics = metrics
        self._runs = Runs(delivery)

    def authorized(self, request: web.Request) -> bool:
        """Whether the request bears the intake secret; takes the same time however much of it is right."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and same_secret(token, self._secret)

    def stale(self, pbx: str) -> int:
        """How many batches of an older run of this PBX were dropped since its newest run began."""
        return self._runs.stale(pbx)

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
        # The same batch again (its answer was lost) is harmless.
        if self._runs.turn(batch.pbx, batch.run, batch.seq) not in (Turn.NEWER, Turn.AGAIN):
            return Receipt(boot=self.boot, delivered={}, stale=True)
        delivery = self._delivery
        delivery.heard(batch.pbx, there=batch.now)
        delivered = {call.call_id: delivery.accept(call) for call in batch.calls}
        if batch.live is not None:
            delivery.held_in_full(batch.pbx, set(batch.live))
        return Receipt(boot=self.boot, delivered=delivered)

    def _problem(self, call: Call, pbx: str) -> str | None:
        return problem_of(call, pbx) or (FOREIGN if self._delivery.foreign(call) else None)

    def _refuse(self, status: HTTPStatus, error: str, *, index: int | None = None) -> web.Response:
        self._metrics.intake.labels(str(status.value)).inc()
        if status is not HTTPStatus.UNAUTHORIZED:
            log.warning("a batch was refused: %s%s", error, "" if index is None else f" (call {index})")
        return web.Response(
            status=status,
            body=msgspec.json.encode(Refusal(error=error, index=index)),
            content_type="application/json",
        )


def cluster_intake(settings: Settings, delivery: Delivery, metrics: Metrics) -> "ClusterIntake | None":
    """What brings states over the cluster, if the settings name one. Raises UsageError where its client is missing."""
    if settings.nats_url is None:
        return None
    from notifier.intake_nats import ClusterIntake

    return ClusterIntake(settings, delivery, metrics)


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
