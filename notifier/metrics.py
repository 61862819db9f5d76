"""The notifier's metrics: what an operator needs to see, in a registry of its own (Prometheus text format)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from notifier.delivery import Delivery

_FAST: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)


class Metrics:
    """Counters that the parts count with. `observe(delivery)` adds what is read from the state itself."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        states = self._counter("states", "States of calls that came in, by what they were", ["news"])
        self.states_new = states.labels("new")
        self.states_known = states.labels("known")
        self.states_unseen = self._counter("states_unseen", "States of live calls whose owner had no page open")
        self.frames = self._counter("call_frames", "Call frames written to sockets")
        self.opened = self._counter("sockets_opened", "Sockets that authenticated")
        self.closed = self._counter("sockets_closed", "Sockets that the server closed, by close code", ["code"])
        self.auth_failures = self._counter("auth_failures", "Tokens and origins refused, by reason", ["reason"])
        self.refused = self._counter("requests_refused", "Requests refused by a limit, by limit", ["limit"])
        self.intake = self._counter("intake_requests", "Intake requests, by HTTP status", ["status"])
        self.intake_seconds = Histogram(
            "zvonok_notifier_intake_seconds",
            "From a batch of states read to all of its frames written",
            buckets=_FAST,
            registry=self.registry,
        )
        self.lookups = self._counter("lookups", "Questions to the database, by question and result", ["what", "result"])
        self.loop_lag = Gauge(
            "zvonok_notifier_loop_lag_seconds",
            "The worst delay of the event loop since the metrics were last read",
            registry=self.registry,
        )
        self._worst_lag = 0.0

    def _counter(self, name: str, documentation: str, labels: tuple[str, ...] | list[str] = ()) -> Counter:
        return Counter(f"zvonok_notifier_{name}", documentation, labels, registry=self.registry)

    def lag(self, seconds: float) -> None:
        """The event loop ran this late."""
        self._worst_lag = max(self._worst_lag, seconds)

    def observe(self, delivery: "Delivery") -> None:
        """Show the state of `delivery` whenever the metrics are read."""
        self.registry.register(_State(delivery))

    def text(self) -> bytes:
        """The metrics in Prometheus's text format."""
        self.loop_lag.set(self._worst_lag)
        self._worst_lag = 0.0
        return generate_latest(self.registry)


class _State(Collector):
    def __init__(self, delivery: "Delivery") -> None:
        self._delivery = delivery

    def collect(self) -> Iterator[Metric]:
        hub, sources = self._delivery.hub, self._delivery.sources
        yield GaugeMetricFamily("zvonok_notifier_sockets", "Sockets that are authenticated now", value=hub.count)
        yield GaugeMetricFamily("zvonok_notifier_users", "Users with an open page", value=hub.users)
        yield GaugeMetricFamily("zvonok_notifier_calls", "Calls in the inbox", value=len(self._delivery.inbox))
        sound: dict[str, int] = {}
        for socket in hub.all():
            key = socket.sound or "unknown"
            sound[key] = sound.get(key, 0) + 1
        pages = GaugeMetricFamily("zvonok_notifier_pages", "Open pages, by what their sound can do", labels=["sound"])
        for key, count in sound.items():
            pages.add_metric([key], count)
        yield pages
        up = GaugeMetricFamily("zvonok_notifier_source_up", "Whether a PBX is heard from", labels=["pbx"])
        skew = GaugeMetricFamily(
            "zvonok_notifier_clock_offset_seconds", "How far a PBX's clock is behind ours", labels=["pbx"]
        )
        for pbx in sources.all():
            up.add_metric([pbx.name], pbx.up)
            skew.add_metric([pbx.name], pbx.clock.offset_ms / 1000)
        yield up
        yield skew
