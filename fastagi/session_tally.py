"""Counting sessions without a lock: each worker has a tally of its own, and the sum is taken when somebody asks."""

from bisect import bisect_left
from collections import Counter

from fastagi.facts import SESSION_BUCKETS, FastagiStats
from zvonok.call import wall_ms


class SessionTally:
    """Sessions by result and by duration, for a fixed number of workers."""

    def __init__(self, workers: int) -> None:
        self._started_at = wall_ms()
        self._workers = workers
        self._results: list[Counter[str]] = [Counter() for _ in range(workers)]
        self._durations = [[0] * (len(SESSION_BUCKETS) + 1) for _ in range(workers)]
        self._seconds = [0.0] * workers

    def count(self, worker: int, result: str, seconds: float) -> None:
        """Worker number `worker` ended a session; to be called by that worker only."""
        self._results[worker][result] += 1
        self._durations[worker][bisect_left(SESSION_BUCKETS, seconds)] += 1
        self._seconds[worker] += seconds

    def stats(self, *, busy: int, facts_lost: int) -> FastagiStats:
        """The sums since the start."""
        sessions: Counter[str] = Counter()
        for results in self._results:
            sessions.update(results.copy())
        return FastagiStats(
            started_at=self._started_at,
            sessions=dict(sessions),
            durations=[sum(counts) for counts in zip(*self._durations, strict=True)],
            seconds=sum(self._seconds),
            workers=self._workers,
            busy=busy,
            facts_lost=facts_lost,
        )
