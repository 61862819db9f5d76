"""Calls written to a real table and read back by their owner."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import psycopg
import pytest

from demo.seed import load_seed
from fastagi.history import History
from zvonok.call import AnsweredBy, Call, Caller, End, Kind, Line, Reason, State
from zvonok.errors import DatabaseError

T0 = 1_760_000_000_123


def call(call_id: str = "a", *, rev: int = 1, at: int = T0, user_id: int = 1, **more: Any) -> Call:
    more.setdefault("state", State.RINGING)
    more.setdefault("caller", Caller(number="+79050003101", name="Петров", kind=Kind.DEALER, id=1, company="Ромашка"))
    return Call(
        call_id=call_id,
        rev=rev,
        first_linkedid="1700.1",
        user_id=user_id,
        line=Line(number="101", label="внутренний", queue="sales"),
        ring_started_at=at,
        pbx="msk",
        **more,
    )


@pytest.fixture
async def history(database_url: str) -> AsyncIterator[History]:
    load_seed(database_url)
    history = History(database_url)
    await history.open()
    yield history
    await history.close()


def rows(url: str, statement: str = "SELECT zvonok.history(1)::text", *arguments: Any) -> list[Call]:
    with psycopg.connect(url) as connection:
        return [msgspec.json.decode(text, type=Call) for (text,) in connection.execute(statement, arguments)]


async def test_a_call_comes_back_as_it_was_to_the_millisecond(history: History, database_url: str) -> None:
    ended = call(
        rev=7,
        state=State.ENDED,
        answered_at=T0 + 4_001,
        ended_at=T0 + 60_999,
        end=End(reason=Reason.ANSWERED_ELSEWHERE, cause=26, answered_by=AnsweredBy(user_id=2, name="x")),
    )
    assert await history.write([ended]) == []
    found = rows(database_url)
    name = AnsweredBy(user_id=2, name="Смирнова Ольга Викторовна")
    assert found == [
        msgspec.structs.replace(ended, end=End(reason=Reason.ANSWERED_ELSEWHERE, cause=26, answered_by=name))
    ]


async def test_the_newest_revision_wins_whatever_the_order_and_however_often(
    history: History, database_url: str
) -> None:
    states = [
        call(rev=3, state=State.ENDED, ended_at=T0 + 9, end=End(reason=Reason.MISSED)),
        call(rev=1),
        call(rev=2, state=State.TALKING, answered_at=T0 + 5),
    ]
    for batch in (states, states[1:], states[:1]):
        assert await history.write(batch) == []
    assert [(row.rev, row.state) for row in rows(database_url)] == [(3, State.ENDED)]


async def test_a_refused_call_does_not_keep_the_others_out(history: History, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as crm:
        crm.execute("ALTER TABLE calls ADD CHECK (user_id <> 13), ALTER COLUMN pbx TYPE varchar(5)")
    refused = await history.write(
        [call("a"), call("b", user_id=13), msgspec.structs.replace(call("c"), pbx="samara"), call("d")]
    )
    assert [item.call.call_id for item in refused] == ["b", "c"]
    assert "check" in refused[0].reason
    assert "too long" in refused[1].reason
    assert [row.call_id for row in rows(database_url)] == ["d", "a"]


async def test_a_fault_that_is_not_the_calls_own_is_raised_and_saves_nothing(
    history: History, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as crm:
        crm.execute("ALTER TABLE calls RENAME COLUMN rev TO revision")
    with pytest.raises(DatabaseError, match="rev"):
        await history.write([call("a"), call("b")])
    with psycopg.connect(database_url, autocommit=True) as crm:
        crm.execute("ALTER TABLE calls RENAME COLUMN revision TO rev")
    assert await history.write([call("a"), call("b")]) == []


async def test_hostile_names_are_kept_as_text(history: History, database_url: str) -> None:
    names = ["Robert'); DROP TABLE calls;--", "a\x00b", "\\u0000", "\ud800", "<script>", "\u202eабв", "x" * 5_000]
    calls = [call(f"c{n}", at=T0 + n, caller=Caller(number="1", name=name)) for n, name in enumerate(names)]
    assert await history.write(calls) == []
    found = [row.caller.name for row in reversed(rows(database_url))]
    assert found == ["Robert'); DROP TABLE calls;--", "a\ufffdb", "\\u0000", "?", "<script>", "\u202eабв", "x" * 5_000]


async def test_a_test_call_is_never_kept(history: History, database_url: str) -> None:
    assert await history.write([call(test=True)]) == []
    assert rows(database_url) == []


async def test_a_user_pages_through_his_own_calls_only(history: History, database_url: str) -> None:
    await history.write([call(f"m{n:02}", at=T0 + n // 2) for n in range(9)] + [call("other", user_id=2)])
    seen: list[str] = []
    before, before_id = None, None
    while page := rows(database_url, "SELECT zvonok.history(1, %s, 2, NULL, NULL, NULL, %s)::text", before, before_id):
        seen += [row.call_id for row in page]
        before, before_id = page[-1].ring_started_at, page[-1].call_id
    assert seen == [f"m{n:02}" for n in reversed(range(9))], "each once, although two share a millisecond"


async def test_the_history_is_filtered_by_number_in_any_spelling_reason_and_time(
    history: History, database_url: str
) -> None:
    await history.write(
        [
            call("a", at=T0, state=State.ENDED, end=End(reason=Reason.MISSED)),
            call("b", at=T0 + 1, caller=Caller(number="+79000000000")),
            call("c", at=T0 + 2, caller=Caller(restricted=True)),
        ]
    )
    assert [
        row.call_id for row in rows(database_url, "SELECT zvonok.history(1, number => '8 905 000 31 01')::text")
    ] == ["a"]
    assert [row.call_id for row in rows(database_url, "SELECT zvonok.history(1, reason => 'missed')::text")] == ["a"]
    late = rows(database_url, "SELECT zvonok.history(1, since => %s)::text", T0 + 2)
    assert [(row.call_id, row.caller.restricted) for row in late] == [("c", True)]


async def test_without_a_database_writing_says_so() -> None:
    history = History(None)
    await history.open()
    with pytest.raises(DatabaseError, match="ZVONOK_DATABASE_URL"):
        await history.write([call()])
    await history.close()
