"""The FastAGI server's counters in Prometheus' format."""

import time

from prometheus_client import CollectorRegistry, generate_latest

from fastagi.fastagi_metrics import FastagiCollector
from fastagi.session_tally import SessionTally


def test_the_newest_stats_are_exposed_with_cumulative_buckets() -> None:
    collector = FastagiCollector()
    registry = CollectorRegistry()
    registry.register(collector)
    assert generate_latest(registry).decode().splitlines()[-1] == "zvonok_agi_heard_timestamp_seconds 0.0"
    tally = SessionTally(64)
    for seconds in (0.0004, 0.0015, 7.0):
        tally.count(0, "announced", seconds)
    collector.update(tally.stats(busy=2, facts_lost=4))
    heard = time.time()
    lines = generate_latest(registry).decode().splitlines()
    assert 'zvonok_agi_sessions_total{result="announced"} 3.0' in lines
    assert 'zvonok_agi_session_seconds_bucket{le="0.001"} 1.0' in lines
    assert 'zvonok_agi_session_seconds_bucket{le="0.002"} 2.0' in lines
    assert 'zvonok_agi_session_seconds_bucket{le="+Inf"} 3.0' in lines
    assert "zvonok_agi_session_seconds_count 3.0" in lines
    assert "zvonok_agi_facts_lost_total 4.0" in lines
    assert "zvonok_agi_workers_busy 2.0" in lines
    (last,) = (line.split()[1] for line in lines if line.startswith("zvonok_agi_heard_timestamp_seconds "))
    assert 0 <= heard - float(last) < 5
