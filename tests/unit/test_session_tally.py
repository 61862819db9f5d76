"""Counting sessions."""

import threading

from fastagi.facts import SESSION_BUCKETS
from fastagi.session_tally import SessionTally


def test_sessions_are_summed_over_the_workers() -> None:
    tally = SessionTally(2)
    tally.count(0, "ok", 0.0004)
    tally.count(1, "ok", 0.0005)
    tally.count(1, "late", 0.25)
    tally.count(1, "timeout", 5.0)
    stats = tally.stats(busy=1, facts_lost=3)
    assert stats.sessions == {"ok": 2, "late": 1, "timeout": 1}
    assert stats.durations == [2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1]
    assert len(stats.durations) == len(SESSION_BUCKETS) + 1
    assert round(stats.seconds, 4) == 5.2509
    assert (stats.workers, stats.busy, stats.facts_lost) == (2, 1, 3)


def test_no_session_is_missed_while_many_count() -> None:
    tally = SessionTally(8)

    def count(worker: int) -> None:
        for number in range(1_000):
            tally.count(worker, f"result {number % 50}", 0.001)

    threads = [threading.Thread(target=count, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        tally.stats(busy=0, facts_lost=0)
    assert sum(tally.stats(busy=0, facts_lost=0).sessions.values()) == 8_000
