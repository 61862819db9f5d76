"""The FastAGI server's counters as Prometheus metrics, exposed by the tap: the server itself stays lean."""

import time
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from fastagi.facts import SESSION_BUCKETS, FastagiStats


class FastagiCollector(Collector):
    """`registry.register(collector)`, and `collector.update` as `serve_facts`'s `on_stats`."""

    def __init__(self) -> None:
        self._stats: FastagiStats | None = None
        self.heard_at = 0.0

    def update(self, stats: FastagiStats) -> None:
        """The newest counters; they stay until the next come, and start again from 0 with the server."""
        self._stats = stats
        self.heard_at = time.time()

    def collect(self) -> Iterator[Metric]:
        """Called by the registry."""
        yield GaugeMetricFamily(
            "zvonok_agi_heard_timestamp_seconds",
            "When the FastAGI server was heard last (Unix); 0: never",
            self.heard_at,
        )
        stats = self._stats
        if stats is None:
            return
        sessions = CounterMetricFamily("zvonok_agi_sessions", "AGI sessions by result", labels=["result"])
        for result, count in sorted(stats.sessions.items()):
            sessions.add_metric([result], count)
        yield sessions
        buckets, below = [], 0
        for bound, count in zip([*map(str, SESSION_BUCKETS), "+Inf"], stats.durations, strict=False):
            below += count
            buckets.append((bound, float(below)))
        durations = HistogramMetricFamily("zvonok_agi_session_seconds", "AGI sessions: accept to release")
        durations.add_metric([], buckets, stats.seconds)
        yield durations
        yield CounterMetricFamily("zvonok_agi_facts_lost", "Facts the tap did not take in time", stats.facts_lost)
        yield GaugeMetricFamily("zvonok_agi_workers", "Threads that serve AGI", stats.workers)
        yield GaugeMetricFamily("zvonok_agi_workers_busy", "Threads in a session now", stats.busy)
        yield GaugeMetricFamily(
            "zvonok_agi_start_time_seconds", "When the FastAGI server started (Unix)", stats.started_at / 1000
        )
