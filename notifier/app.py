"""`zvonok notifier`: serves the users' browsers on one listener and takes states from the taps on another."""

import argparse
import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from aiohttp import web

from notifier import addresses, frames, process
from notifier.auth import Verifier
from notifier.client_files import ClientFiles
from notifier.delivery import Delivery
from notifier.door import Door, add_headers
from notifier.history import History
from notifier.hub import Hub, Socket
from notifier.intake import MAX_BODY, Intake, cluster_intake
from notifier.limits import Limits
from notifier.listener import Crowd, Listener
from notifier.messages import MAX_MESSAGE_BYTES, Close, Heartbeat, encode
from notifier.metrics import Metrics
from notifier.people import People
from notifier.roll_call import RollCall
from notifier.session import Desk, Session
from notifier.status import PBXStatus, Status
from notifier.testcalls import Order, TestCalls
from zvonok.address import Address
from zvonok.call import wall_ms
from zvonok.cli import package_version
from zvonok.database import async_pool
from zvonok.http_server import ServerLog, hide_versions
from zvonok.service import run_until_signalled, sd_notify, setup_logging
from zvonok.settings import Settings, load

log = logging.getLogger(__name__)

_CONNECTIONS: Final = 4
_COUNT_CROWD_EVERY: Final = 5  # ticks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no arguments; everything is a setting."""


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop."""
    settings = load(needs=["INTAKE_SECRET", "AUTH_SECRET|AUTH_PUBLIC_KEY"])
    setup_logging(settings.log_level, hidden=settings.secret_texts())
    process.tune()

    async def serve(stop: asyncio.Event) -> None:
        notifier = Notifier(settings)
        async with notifier.serving():
            sd_notify("READY=1")
            await notifier.until(stop)

    asyncio.run(run_until_signalled(serve))
    return 0


class Notifier:
    """The whole process but for signals: everything wired together."""

    def __init__(self, settings: Settings, *, limits: Limits | None = None) -> None:
        """Raises SettingsError where a key is unfit."""
        assert settings.intake_secret is not None
        self._settings = settings
        self.limits = limits or Limits()
        self.metrics = Metrics()
        self.verifier = Verifier(settings)
        self.hub = Hub(heartbeat_s=self.limits.heartbeat)
        self.delivery = Delivery(self.hub, recent_ttl=settings.recent_ttl, metrics=self.metrics)
        self.metrics.observe(self.delivery)
        self._database = (
            async_pool(settings.database_url, name="notifier", size=_CONNECTIONS) if settings.database_url else None
        )
        self._stopping = False
        self._sessions: set[Session] = set()
        self._most_sockets = process.most_sockets()
        is_trusted = addresses.trust(settings.trusted_proxies)
        self._crowd = Crowd(
            most=self._most_sockets,
            most_of_one=self.limits.connections_per_address,
            exempt=is_trusted,
            refused=lambda limit: self.metrics.refused.labels(limit).inc(),
        )
        self.intake = Intake(self.delivery, secret=settings.intake_secret, metrics=self.metrics)
        self.cluster = cluster_intake(settings, self.delivery, self.metrics)
        self.door = Door(
            allowed_origins=settings.allowed_origins,
            is_trusted=is_trusted,
            metrics_token=settings.metrics_token,
            limits=self.limits,
            metrics=self.metrics,
        )
        self.addresses: dict[str, Address] = {}

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Both listeners accept from when this is entered until it is left. Raises ZvonokError for a taken port."""
        settings = self._settings
        self.people = People(
            self._database,
            cache_ttl=settings.cache_ttl,
            metrics=self.metrics,
            card_url=settings.crm_card_url,
            clock=asyncio.get_running_loop().time,
        )
        self.test_calls = TestCalls(self.delivery, self.people)
        self._desk = Desk(
            delivery=self.delivery,
            people=self.people,
            verifier=self.verifier,
            limits=self.limits,
            metrics=self.metrics,
            start_test_call=self.test_calls.start,
        )
        hide_versions()
        async with contextlib.AsyncExitStack() as stack:
            if self._database is not None:
                await self._database.open(wait=False)
                stack.push_async_callback(self._database.close, timeout=0.5)
            intake = await self._listen(stack, self._intake_app(), settings.intake_listen, "INTAKE_LISTEN")
            users = await self._listen(stack, self._users_app(), settings.http_listen, "HTTP_LISTEN")
            self.addresses = {"intake": intake.address, "users": users.address}
            log.info("users come in at %s, states at %s", users.address, intake.address)
            housekeeping = process.Housekeeping(opened=lambda: self.hub.opened, held=lambda: self.hub.count)
            roll_call = RollCall(self.hub, self.people, metrics=self.metrics, every_s=self.limits.roll_call)
            background = self._background = asyncio.gather(
                self.hub.turn_wheel(self._heartbeat, self.metrics.lag),
                self._tick(),
                housekeeping.keep(),
                *([] if self.cluster is None else [self.cluster.run()]),
                roll_call.keep(),
            )
            try:
                yield
            finally:
                self._stopping = True
                users.stop()
                await self._close_all()
                background.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await background

    async def until(self, stop: asyncio.Event) -> None:
        """Wait for `stop`. Raises what ended a part that should never end, so that the service is started again."""
        stopped = asyncio.ensure_future(stop.wait())
        both: set[asyncio.Future[Any]] = {stopped, self._background}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if self._background.done():
            self._background.result()

    # -- listeners

    async def _listen(
        self, stack: contextlib.AsyncExitStack, app: web.Application, address: Address, name: str
    ) -> Listener:
        runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=self.limits.silent_connection,
            shutdown_timeout=1.0,
            handle_signals=False,
            logger=ServerLog(self.metrics.refused.labels("malformed").inc),
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        listener = Listener(runner, address, name=name, crowd=self._crowd)
        stack.callback(listener.stop)
        return listener

    def _users_app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_MESSAGE_BYTES)
        app.on_response_prepare.append(add_headers)
        files = ClientFiles()
        history = History(self.people, self.verifier, self.door)
        app.router.add_get("/ws", self._socket)
        app.router.add_get("/", files.page)
        app.router.add_get("/client/{name:.+}", files.file)
        app.router.add_get("/api/calls", history.get)
        app.router.add_route("OPTIONS", "/api/calls", history.preflight)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        return app

    def _intake_app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY)
        if self.cluster is None:  # else a tap that posts here would reach the users of one notifier only
            app.router.add_post("/intake/v1", self.intake.post)
        app.router.add_get("/intake/v1", self._status)
        app.router.add_post("/intake/v1/test-call", self._test_call)
        app.router.add_get("/healthz", self._healthz)
        return app

    # -- handlers

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if self._stopping or len(self._sessions) >= self._most_sockets or not self._has_states:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"}, text="no room; come back later")
        knock = self.door.enter(request)
        ws = web.WebSocketResponse(
            compress=False, autoping=False, autoclose=False, timeout=2.0, max_msg_size=MAX_MESSAGE_BYTES
        )
        try:
            await ws.prepare(request)
        except ConnectionError:  # gone already: nobody to answer, and no reason for aiohttp's stack trace
            knock.authenticated()
            return web.Response()
        except ValueError:  # aiohttp wants to quote, or to decode, a header that is no text
            knock.authenticated()
            raise web.HTTPBadRequest(text="this is no WebSocket handshake") from None
        except BaseException:
            knock.authenticated()
            raise
        transport = request.transport
        if transport is None:
            knock.authenticated()
            return ws
        session = Session(ws, transport, desk=self._desk, gate=knock)
        self._sessions.add(session)
        try:
            if not self.door.origin_allowed(request):
                self.metrics.auth_failures.labels("origin").inc()
                session.close(Close.NOT_ALLOWED, "this page's origin is not in ZVONOK_ALLOWED_ORIGINS")
            await session.run()
        finally:
            self._sessions.discard(session)
        return ws

    async def _test_call(self, request: web.Request) -> web.StreamResponse:
        if not self.intake.authorized(request):
            return web.Response(status=401, text="the bearer token is not ZVONOK_INTAKE_SECRET")
        try:
            order = msgspec.json.decode(await request.read(), type=Order)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
            return web.Response(status=400, text=str(exc))
        answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        try:
            await answer.prepare(request)
        except ConnectionError:
            return web.Response()

        def wanted() -> bool:
            return not self._stopping and request.transport is not None and not request.transport.is_closing()

        async with contextlib.aclosing(self.test_calls.play(order, wanted=wanted)) as steps:
            async for step in steps:
                with contextlib.suppress(ConnectionError):
                    await answer.write(msgspec.json.encode(step) + b"\n")
        return answer

    async def _status(self, request: web.Request) -> web.Response:
        if not self.intake.authorized(request):
            return web.Response(status=401, text="the bearer token is not ZVONOK_INTAKE_SECRET")
        pbxs = [
            PBXStatus(
                name=pbx.name,
                up=pbx.up,
                complete=pbx.complete,
                clock_offset_ms=pbx.clock.offset_ms,
                two_taps=(self.cluster or self.intake).stale(pbx.name),
            )
            for pbx in self.delivery.sources.all()
        ]
        status = Status(version=package_version(), database=self.people.state, sockets=self.hub.count, pbxs=pbxs)
        return web.Response(body=msgspec.json.encode(status), content_type="application/json")

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def _readyz(self, request: web.Request) -> web.Response:
        ready = not self._stopping and self._has_states and (self.cluster is None or self.cluster.up)
        answer: dict[str, object] = {"ready": ready}
        if self.door.may_see_metrics(request):
            answer["version"] = package_version()
            answer["database"] = self.people.state
            answer["pbxs"] = {pbx.name: "up" if pbx.up else "down" for pbx in self.delivery.sources.all()}
        return web.json_response(answer, status=200 if ready else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        if not self.door.may_see_metrics(request):
            raise web.HTTPForbidden(text="from this host only, or with ZVONOK_METRICS_TOKEN as a bearer token")
        return web.Response(
            body=self.metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    @property
    def _has_states(self) -> bool:
        """Whether all that a cluster knows is here. Without one there is nothing to wait for: the taps bring it."""
        return self.cluster is None or self.cluster.ready

    # -- in the background

    def _heartbeat(self) -> bytes:
        return frames.text(encode(Heartbeat(server_time=wall_ms())))

    async def _tick(self) -> None:
        tick = 0
        while True:
            await asyncio.sleep(1.0)
            self.delivery.tick()
            tick += 1
            if tick % _COUNT_CROWD_EVERY == 0:
                self._crowd.forget_closed(now=asyncio.get_running_loop().time())

    async def _close_all(self) -> None:
        """Tell every client that we restart, spread, so that they don't all come back in the same moment."""
        count = self.hub.count

        def visit(socket: Socket) -> None:
            assert isinstance(socket, Session)
            socket.close(Close.RESTARTING, "restarting")

        await self.hub.each(visit, pause_s=250 / self.limits.drain_per_second)
        for session in list(self._sessions):
            session.close(Close.RESTARTING, "restarting")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                while self._sessions:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        for session in list(self._sessions):
            session.hang_up()
        if count:
            log.info("%d sockets were told to come back later", count)
