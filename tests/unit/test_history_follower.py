"""The history follows the journal: every state reaches the table, whatever fails when, and nothing blocks the next."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import msgspec

from fastagi.history_follower import HistoryFollower
from fastagi.journal import Journal, Position
from fastagi.records import Changed
from tests.levels import within
from tests.notifier_server import a_call
from zvonok.call import Call
from zvonok.errors import DatabaseError


class Table:
    """What stands for the database: `down` while it cannot be asked, `refuses` some calls for good."""

    def __init__(self) -> None:
        self.down = False
        self.refuses: set[str] = set()
        self.written: list[Call] = []
        self.batches: list[int] = []
        self.tried = 0

    async def write(self, calls: Sequence[Call]) -> list[SimpleNamespace]:
        self.tried += 1
        await asyncio.sleep(0)
        if self.down:
            raise DatabaseError("down")
        self.batches.append(len(calls))
        self.written += [call for call in calls if call.call_id not in self.refuses]
        return [SimpleNamespace(call=call, reason="too long") for call in calls if call.call_id in self.refuses]


def journal(directory: Path, **options: int) -> Journal:
    made = Journal(directory / "journal", checkpoint=list, **options)
    list(made.restore())
    made.open(kept=lambda: Position())
    return made


def append(to: Journal, *calls: Call) -> None:
    for call in calls:
        to.append(msgspec.json.encode(Changed(call=call)))


@contextlib.asynccontextmanager
async def following(source: Journal, table: Table, directory: Path) -> AsyncIterator[HistoryFollower]:
    follower = HistoryFollower(source, table, directory)
    task = asyncio.create_task(follower.follow())
    yield follower
    task.cancel()
    await asyncio.wait([task])


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(within(5)):
        while not condition():
            await asyncio.sleep(0.005)


async def test_states_are_written_in_bounded_batches_the_newest_of_each_call_only(tmp_path: Path) -> None:
    table, source = Table(), journal(tmp_path)
    append(source, *(a_call("busy", rev=rev) for rev in range(100)), *(a_call(f"c{n}") for n in range(500)))
    async with following(source, table, tmp_path) as follower:
        await until(lambda: follower.position == source.end)
    assert max(table.batches) <= 200
    assert [call.rev for call in table.written if call.call_id == "busy"] == [99]
    assert len(table.written) == follower.written == 501


async def test_while_the_database_is_away_nothing_is_lost_and_afterwards_all_is_written(tmp_path: Path) -> None:
    table, source = Table(), journal(tmp_path)
    table.down = True
    append(source, a_call("a"))
    async with following(source, table, tmp_path) as follower:
        await until(lambda: table.tried >= 2)
        assert follower.behind
        append(source, a_call("b"))
        table.down = False
        await until(lambda: len(table.written) == 2)
        await until(lambda: not follower.behind)


async def test_a_tap_killed_with_the_database_away_goes_on_where_the_table_stopped(tmp_path: Path) -> None:
    table, source = Table(), journal(tmp_path)
    append(source, a_call("a"))
    async with following(source, table, tmp_path) as follower:
        await until(lambda: follower.position == source.end)
        table.down = True
        append(source, a_call("b"))
        await until(lambda: follower.behind)
    table.down = False
    again = journal(tmp_path)
    async with following(again, table, tmp_path):
        await until(lambda: len(table.written) == 2)
    assert [call.call_id for call in table.written] == ["a", "b"]


async def test_a_lost_cursor_costs_time_only(tmp_path: Path) -> None:
    table, source = Table(), journal(tmp_path)
    append(source, a_call("a"), a_call("b"))
    async with following(source, table, tmp_path) as follower:
        await until(lambda: follower.position == source.end)
    (tmp_path / "history.cursor").write_bytes(b"half of")
    async with following(source, table, tmp_path):
        await until(lambda: len(table.written) == 4)  # written by rev: a second time changes nothing


async def test_what_the_table_refuses_is_set_aside_and_the_next_is_written(tmp_path: Path) -> None:
    table, source = Table(), journal(tmp_path)
    table.refuses = {"bad"}
    append(source, a_call("bad"), a_call("good"))
    async with following(source, table, tmp_path) as follower:
        await until(lambda: follower.position == source.end)
    assert [call.call_id for call in table.written] == ["good"]
    assert follower.refused == 1
    kept = json.loads((tmp_path / "refused.jsonl").read_text())
    assert (kept["reason"], kept["call"]["call_id"]) == ("too long", "bad")


async def test_what_is_no_record_of_ours_and_test_calls_are_passed_over(tmp_path: Path) -> None:
    table, source = Table(), journal(tmp_path)
    source.append(b'{"type": "from a later version"}')
    append(source, a_call("test", test=True), a_call("real"))
    async with following(source, table, tmp_path) as follower:
        await until(lambda: follower.position == source.end)
    assert [call.call_id for call in table.written] == ["real"]
