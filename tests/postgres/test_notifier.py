"""The notifier on a real database: users, their numbers and history, test calls, and the database's faults."""

import asyncio
import contextlib
import json
import os
import signal
import time
from pathlib import Path

import aiohttp
import msgspec
import psycopg
import pytest

from demo.postgres import Postgres
from demo.seed import load_seed
from notifier.limits import Limits
from notifier.roll_call import RollCall
from tests.levels import within
from tests.notifier_server import INTAKE_SECRET, Server, a_call, ended, running, token
from zvonok.call import Call, Reason, State, wall_ms


@pytest.fixture
def crm(database_url: str) -> str:
    load_seed(database_url)
    return database_url


def processes(server: Postgres) -> list[int]:
    """The server's processes: the first, and all that it started."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
    return [server.pid, *map(int, children.split())]


def save(url: str, *calls: Call) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for call in calls:
            connection.execute("SELECT zvonok.save_call(%s)", (msgspec.json.encode(call).decode(),))


async def history(server: Server, user_id: int = 1, *, status: int = 200, **query: object) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {token(user_id)}"}
    params = {name: str(value) for name, value in query.items()}
    async with server.http.get(server.users + "/api/calls", params=params, headers=headers) as response:
        assert response.status == status, await response.text()
        answer: dict[str, object] = await response.json()
        return answer


async def test_hello_tells_the_user_and_his_numbers(crm: str) -> None:
    async with running(database_url=crm) as server, server.socket() as browser:
        await browser.send(type="auth", token=token(1), tab_id="")
        hello = await browser.receive("hello")
        assert hello["user"] == {"id": 1, "name": "Иванов Иван Петрович"}
        assert {"number": "+79271390907", "label": "мобильный"} in hello["numbers"]
        assert {"number": "101", "label": "внутренний"} in hello["numbers"]


async def test_a_user_that_the_crm_does_not_have_is_closed_with_4403(crm: str) -> None:
    async with running(database_url=crm) as server, server.socket() as browser:
        await browser.send(type="auth", token=token(999_999), tab_id="")
        assert await browser.close_code() == 4403
        assert server.notifier.hub.count == 0
    limits = Limits(failures_per_address=2, failures_refill=0.001)
    async with running(limits, database_url=crm) as server:
        for _ in range(2):
            async with server.socket() as browser:
                await browser.send(type="auth", token=token(999_999), tab_id="")
                assert await browser.close_code() == 4403
        with pytest.raises(aiohttp.WSServerHandshakeError, match="429"):
            async with server.socket():
                pass


def delete_user(url: str, user_id: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DELETE FROM user_phones WHERE user_id = %s", (user_id,))
        connection.execute("DELETE FROM users WHERE id = %s", (user_id,))


async def test_a_user_who_is_deleted_loses_his_sockets_and_his_history_and_nobody_else_does(crm: str) -> None:
    async with (
        running(Limits(roll_call=0.3), database_url=crm) as server,
        server.browser(1) as deleted,
        server.browser(1) as his_other_page,
        server.browser(2) as colleague,
    ):
        delete_user(crm, 1)
        assert await deleted.close_code(seconds=5) == 4403
        assert await his_other_page.close_code() == 4403
        assert "no such user" in str((await history(server, 1, status=403))["error"])
        await asyncio.sleep(1)
        await server.post(a_call(user_id=2))
        await colleague.receive("call")


async def test_only_a_user_who_is_missing_twice_running_is_closed_and_nobody_while_the_database_is_down(
    own_postgres: Postgres,
) -> None:
    url = own_postgres.url()
    load_seed(url)
    async with running(Limits(roll_call=3600), database_url=url) as server, server.browser(1) as browser:
        notifier = server.notifier
        roll_call = RollCall(notifier.hub, notifier.people, metrics=notifier.metrics, every_s=3600)
        delete_user(url, 1)
        await roll_call.call()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("INSERT INTO users (id, name) VALUES (1, 'loaded anew')")
        await roll_call.call()
        delete_user(url, 1)
        await roll_call.call()
        own_postgres.stop()
        await roll_call.call()
        await roll_call.call()
        await server.post(a_call())
        await browser.receive("call")
        own_postgres.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within(10)):
                while notifier.hub.count:
                    await roll_call.call()
                    await asyncio.sleep(0.1)
        assert await browser.close_code() == 4403


async def test_with_the_database_down_a_token_is_enough_and_hello_comes_again_later(own_postgres: Postgres) -> None:
    load_seed(own_postgres.url())
    own_postgres.stop()
    async with running(database_url=own_postgres.url()) as server, server.socket() as browser:
        await browser.send(type="auth", token=token(1), tab_id="")
        assert (await browser.receive("hello"))["numbers"] is None
        await browser.receive("snapshot")
        await server.post(a_call())
        await browser.receive("call")
        await history(server, status=503)
        async with server.socket() as stranger:
            await stranger.send(type="auth", token=token(999_999), tab_id="")
            await stranger.receive("hello")
            own_postgres.start()
            hello = await browser.receive("hello", seconds=20)
            assert hello["user"]["name"] == "Иванов Иван Петрович"
            assert hello["numbers"]
            assert await stranger.close_code(seconds=20) == 4403


async def test_a_frozen_database_keeps_nobody_from_his_calls(own_postgres: Postgres) -> None:
    load_seed(own_postgres.url())
    async with running(database_url=own_postgres.url()) as server:
        async with server.browser(2):
            pass
        stopped = processes(own_postgres)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            async with server.browser(1) as browser:
                assert time.monotonic() - started < within(1.5)
                await server.post(a_call())
                await browser.receive("call")
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)


async def test_a_thousand_users_at_once_are_asked_for_in_a_few_statements(crm: str) -> None:
    with psycopg.connect(crm, autocommit=True) as connection:
        connection.execute("INSERT INTO users (id, name) SELECT n, 'u' || n FROM generate_series(1000, 1199) n")
    async with running(database_url=crm) as server:
        people = server.notifier.people
        found = await asyncio.gather(*[people.ask(user_id) for user_id in range(1000, 1200)])
        assert {person.id for person in found if person} == set(range(1000, 1200))
        assert 1 <= server.notifier.metrics.lookups.labels("people", "ok")._value.get() <= 2


def a_past_call(number: int, **changes: object) -> Call:
    start = wall_ms() - 3_600_000 + number * 1000
    call = a_call(f"h{number:03}", ring_started_at=start, **changes)
    return msgspec.structs.replace(ended(call, Reason.MISSED if number % 2 else Reason.COMPLETED), ended_at=start + 500)


async def test_the_history_is_the_users_own_newest_first_page_by_page(crm: str) -> None:
    save(crm, *[a_past_call(n) for n in range(25)], *[a_past_call(100 + n, user_id=2) for n in range(5)])
    async with running(database_url=crm) as server:
        seen: list[str] = []
        page = await history(server, limit=10)
        while True:
            seen += [call["call_id"] for call in page["calls"]]  # type: ignore[attr-defined]
            if page["next"] is None:
                break
            page = await history(server, limit=10, before=page["next"])
        assert seen == [f"h{n:03}" for n in reversed(range(25))]


async def test_the_history_can_be_narrowed(crm: str) -> None:
    calls = [a_past_call(n) for n in range(6)]
    save(crm, *calls)
    async with running(database_url=crm) as server:

        async def ids(**query: object) -> list[str]:
            return [call["call_id"] for call in (await history(server, **query))["calls"]]  # type: ignore[attr-defined]

        assert await ids(reason="missed") == ["h005", "h003", "h001"]
        assert await ids(since=calls[4].ring_started_at) == ["h005", "h004"]
        assert len(await ids(number="8 (927) 139-09-07")) == 6
        assert await ids(number="+79990000000") == []


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"before": "1"}, {"before": "x~y"}, {"since": "-1"},
        {"reason": "nonsense"}, {"number": ""}, {"number": "1" * 65}, {"user": "2"}, {"before": "9" * 30 + "~a"},
        {"number": "\x00"}, {"before": "1~\x00"}, {"limit": "٣"},
    ],
    ids=str,
)  # fmt: skip
async def test_a_wrong_parameter_answers_400(crm: str, query: dict[str, str]) -> None:
    async with running(database_url=crm) as server:
        assert (await history(server, status=400, **query))["error"]


async def test_the_history_needs_a_good_token_in_the_header(crm: str) -> None:
    async with running(database_url=crm) as server:
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {token()}"}):
            async with server.http.get(server.users + "/api/calls", headers=headers) as response:
                assert response.status == 401
        async with server.http.get(server.users + "/api/calls", params={"token": token()}) as response:
            assert response.status == 401


async def order(server: Server, **body: object) -> list[dict[str, object]]:
    headers = {"Authorization": f"Bearer {INTAKE_SECRET}"}
    url = server.intake + "/intake/v1/test-call"
    async with server.http.post(url, json={"ring": 0.3, "talk": 0.3, **body}, headers=headers) as response:
        assert response.status == 200, await response.text()
        return [json.loads(line) async for line in response.content if line.strip()]


async def test_a_test_call_shows_the_caller_as_a_real_call_would_and_leaves_no_row(crm: str) -> None:
    async with running(database_url=crm, crm_card_url="https://crm.example.ru/{kind}/{id}") as server:
        async with server.browser(1) as browser, server.browser(2) as other:
            steps = await order(server, user_id=1, number="89050003101")
            assert [step["step"] for step in steps] == ["ringing", "talking", "ended"]
            calls = [(await browser.receive("call"))["call"] for _ in range(3)]
            assert [call["state"] for call in calls] == ["ringing", "talking", "ended"]
            caller = calls[0]["caller"]
            assert (caller["number"], caller["kind"], caller["name"], caller["company"]) == (
                "+79050003101", "dealer", "Петров Пётр Алексеевич", "ООО «Ромашка»",
            )  # fmt: skip
            assert caller["url"] == "https://crm.example.ru/dealer/1"
            assert all(call["test"] for call in calls)
            await other.nothing_comes()
        assert (await history(server))["calls"] == []


async def test_a_test_call_for_nobody_says_so(crm: str) -> None:
    async with running(database_url=crm) as server:
        assert [s["step"] for s in await order(server, user_id=999_999)] == ["unknown_user"]
        assert [s["step"] for s in await order(server, user_id=1)] == ["waiting", "no_page"]


async def test_a_killed_test_call_ends_by_itself(crm: str) -> None:
    async with running(database_url=crm) as server, server.browser(1) as browser:
        async with aiohttp.ClientSession() as http:
            headers = {"Authorization": f"Bearer {INTAKE_SECRET}"}
            body = {"user_id": 1, "ring": 60, "talk": 60}
            response = await http.post(server.intake + "/intake/v1/test-call", json=body, headers=headers)
            await response.content.readline()
            assert (await browser.receive("call"))["call"]["state"] == "ringing"
        end = (await browser.receive("call", seconds=3))["call"]
        assert (end["state"], end["end"]["reason"]) == (State.ENDED, "missed")
