"""From DialBegin to the owner's socket: the tap, the notifier and PostgreSQL as they are, thousands of users connected.

The C program crowd.c with pbx.c is Asterisk's AMI and the browsers; measured is from when a call's events were due to
the frame that says `ringing`. Most callers and owners are asked for the first time, so the database is in it.
"""

import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import psycopg

from demo.postgres import temporary_postgres
from sql.runner import migrate
from tests.benchmarks.programs import compiled, step, undisturbed
from tests.benchmarks.size import Size
from tests.benchmarks.targets import Target
from tests.benchmarks.ws.users import HERE, SECRET, Figures, run_crowd, write_tokens
from tests.installation import Zvonok, free_port

RATE = 100
_PEOPLE = """
INSERT INTO users (id, name) SELECT n, 'Иванов Иван ' || n FROM generate_series(1, %(users)s::bigint) n;
INSERT INTO user_phones (user_id, phone_number, phone_type)
SELECT n, (10000 + n)::text, 'внутренний' FROM generate_series(1, %(users)s::bigint) n;
INSERT INTO companies (id, name) VALUES (1, 'ООО «Ромашка»');
INSERT INTO dealers (id, name, company_id) SELECT n, 'Петров Пётр ' || n, 1 FROM generate_series(0, 4999) n;
INSERT INTO dealer_phone_numbers (dealer_id, phone_number)
SELECT n, '+7 (927) 000-' || to_char(n / 100, 'FM00') || '-' || to_char(n %% 100, 'FM00')
FROM generate_series(0, 4999) n
"""


def measure(size: Size) -> list[Target]:
    """Measure, print the table, and return the target of the whole way."""
    users, seconds, rounds = size.of(20, 10_000, 10_000), size.of(0.3, 8.0, 15.0), size.of(1, 1, 3, medium=3)
    growing = size.of((), (25,), (25, 50, 200, 400), medium=(25, 200, 400))
    table: list[tuple[int, int, Figures]] = []
    with stage(users) as run:
        whole = []
        for number in range(rounds):
            step(f"{users:,} users, {RATE} calls/s, round {number + 1} of {rounds}")
            whole.append(undisturbed(partial(run, users, RATE, seconds)))
        for rate in growing:
            step(f"1,000 users, {rate} calls/s")
            table.append((1_000, rate, undisturbed(partial(run, 1_000, rate, seconds))))
    median = {name: statistics.median(one[name] for one in whole) for name in whole[0]}
    table.append((users, RATE, median))
    _table(table)
    lost = max(found["sent"] - found["delivered"] for _, _, found in table)
    return [
        Target(f"DialBegin to frame, {users:,} users connected, {RATE} calls/s: p99", median["p99_ms"], 10, "ms"),
        Target("DialBegin to frame: calls that were not shown", lost, 0, "lost"),
    ]


@contextmanager
def stage(users: int) -> Iterator[Callable[..., Figures]]:
    """A database of `users` people and 5,000 callers; what it gives runs a crowd against a fresh tap and notifier."""
    with tempfile.TemporaryDirectory(prefix="zvonok-bench-") as name, temporary_postgres() as server:
        folder = Path(name)
        crowd = compiled(folder, HERE / "crowd.c", HERE / "pbx.c")
        migrate(server.url())
        with psycopg.connect(server.url(), autocommit=True) as connection:
            for statement in _PEOPLE.split(";"):
                connection.execute(statement, {"users": users})
        yield partial(_run, server.url(), crowd, write_tokens(folder / "tokens", users, SECRET))


def _table(table: list[tuple[int, int, Figures]]) -> None:
    print("\nDialBegin to the owner's socket (tap and notifier share one core)")
    print(
        f"{'users':>7} {'calls/s':>8} {'calls':>7} {'p50 ms':>7} {'p99':>7} {'p99.9':>7} {'max':>7}"
        f" {'tap CPU us/call':>16} {'notifier CPU us/call':>21}"
    )
    for users, rate, found in table:
        tap, notifier = (found[name] / 100 * found["seconds"] / found["sent"] * 1e6 for name in ("cpu_1", "cpu"))
        print(
            f"{users:>7,} {rate:>8} {found['sent']:>7.0f} {found['p50_ms']:>7.2f} {found['p99_ms']:>7.2f}"
            f" {found['p999_ms']:>7.2f} {found['max_ms']:>7.2f} {tap:>16.0f} {notifier:>21.0f}"
        )
    print()


def _run(
    database: str,
    crowd: Path,
    tokens: Path,
    users: int,
    rate: int,
    seconds: float,
    watch: Callable[[int, int], AbstractContextManager[None]] = lambda _notifier, _tap: nullcontext(),
) -> Figures:
    """One crowd against a fresh notifier and tap, whose pids `watch` is told."""
    ami = free_port()
    cores = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="zvonok-bench-") as directory:
        zvonok = Zvonok(
            Path(directory),
            ZVONOK_DATABASE_URL=database,
            ZVONOK_AMI_HOST="127.0.0.1",
            ZVONOK_AMI_PORT=str(ami),
            ZVONOK_AMI_SECRET=SECRET,
            ZVONOK_AUTH_SECRET=SECRET,
            ZVONOK_INTAKE_SECRET=SECRET,
            ZVONOK_LOG_LEVEL="WARNING",
        )
        try:
            os.sched_setaffinity(0, {min(cores)})  # what is started now stays on this core
            zvonok.start("notifier", "tap")
        finally:
            os.sched_setaffinity(0, cores)
        try:
            pids = [zvonok.pid("notifier"), zvonok.pid("tap")]
            url = zvonok.url.removeprefix("http://")
            with watch(*pids):
                return run_crowd(crowd, url, ami, tokens, pids, users=users, at_once=64, rate=rate, seconds=seconds)
        finally:
            zvonok.stop("tap", "notifier")
