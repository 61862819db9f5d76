"""The tap's metrics, in a registry of its own, and the small HTTP listener that shows them (TAP_METRICS_LISTEN)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from zvonok.address import Address
from zvonok.call import Call
from zvonok.errors import ZvonokError
from zvonok.http_server import ServerLog, hide_versions
from zvonok.watchers import may_watch

_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Reading = tuple[str, str, float]
"""A gauge's or (where the name ends in `_total`) a counter's name without prefix, its help text, its value now."""


class TapMetrics:
    """Counts states as they are told, and reads the rest from the tap's parts when asked."""

    def __init__(
        self,
        readings: Callable[[], Iterator[Reading]],
        counters: Callable[[], Mapping[str, int]],
        lookups: Callable[[], Mapping[str, int]],
    ) -> None:
        self.registry = CollectorRegistry()
        self._states = Counter(
            "zvonok_tap_states", "States of calls, by state and reason", ["state", "reason"], registry=self.registry
        )
        self.registry.register(_Read(readings, counters, lookups))

    def changed(self, call: Call) -> None:
        """A call has a new state."""
        self._states.labels(call.state, call.end.reason if call.end else "").inc()

    def text(self) -> bytes:
        """The metrics in Prometheus's text format."""
        return generate_latest(self.registry)


class _Read(Collector):
    def __init__(
        self,
        readings: Callable[[], Iterator[Reading]],
        counters: Callable[[], Mapping[str, int]],
        lookups: Callable[[], Mapping[str, int]],
    ) -> None:
        self._readings, self._counters, self._lookups = readings, counters, lookups

    def collect(self) -> Iterator[Metric]:
        for name, text, value in self._readings():
            if name.endswith("_total"):
                yield CounterMetricFamily(f"zvonok_tap_{name.removesuffix('_total')}", text, value)
            else:
                yield GaugeMetricFamily(f"zvonok_tap_{name}", text, value)
        family = CounterMetricFamily("zvonok_tap_tracker", "What the tracker counted", labels=["what"])
        for name, count in sorted(self._counters().items()):
            family.add_metric([name], count)
        yield family
        family = CounterMetricFamily("zvonok_tap_lookups", "Questions to the directory, by source", labels=["source"])
        for name, count in self._lookups().items():
            family.add_metric([name], count)
        yield family


async def serve_metrics(
    listen: Address, metrics: TapMetrics, *, problems: Callable[[], list[str]], token: str | None
) -> web.AppRunner:
    """Serve /metrics, /healthz and /readyz (503 with the `problems`, a line each) until the runner is cleaned up.

    Only this host sees metrics and problems, and who shows `token`. Raises ZvonokError where it cannot listen.
    """

    def allowed(request: web.Request) -> bool:
        return may_watch(request.remote, request.headers, token=token, over_unix=True)

    async def show(request: web.Request) -> web.Response:
        if not allowed(request):
            raise web.HTTPForbidden(text="from this host only, or with ZVONOK_METRICS_TOKEN as a bearer token")
        return web.Response(body=metrics.text(), headers={"Content-Type": _CONTENT_TYPE})

    async def healthz(request: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def readyz(request: web.Request) -> web.Response:
        found = problems()
        said = {"ready": not found} | ({"problems": found} if allowed(request) else {})
        return web.json_response(said, status=503 if found else 200)

    app = web.Application()
    app.router.add_get("/metrics", show)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    hide_versions()
    log = ServerLog(lambda: None)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handle_signals=False, logger=log)
    await runner.setup()
    site: web.BaseSite
    if listen.path is not None:
        site = web.UnixSite(runner, listen.path)
    else:
        site = web.TCPSite(runner, listen.host, listen.port)
    try:
        await site.start()
    except OSError as exc:
        await runner.cleanup()
        raise ZvonokError(f"ZVONOK_TAP_METRICS_LISTEN: cannot listen on {listen} ({exc.strerror or exc})") from exc
    return runner
