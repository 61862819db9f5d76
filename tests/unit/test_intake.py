"""The intake's contract with the tap, over real HTTP."""

import asyncio
import logging
from collections.abc import AsyncIterator

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from notifier.intake import MAX_BODY, MAX_CALLS
from tests.notifier_server import INTAKE_SECRET, Server, a_call, ended, running, token
from zvonok.call import Caller, State, wall_ms


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running() as server:
        yield server


async def test_without_the_secret_nothing_is_taken(server: Server) -> None:
    body = b"{}"
    await server.post_raw(body, status=401, secret="wrong")
    await server.post_raw(body, status=401, secret=INTAKE_SECRET + "x")
    await server.post_raw(body, status=401, secret="секрет".encode().decode("latin-1"))
    async with server.http.post(server.intake + "/intake/v1", data=body) as response:
        assert response.status == 401


async def test_the_users_listener_has_no_intake(server: Server) -> None:
    async with server.http.post(
        server.users + "/intake/v1", data=b"{}", headers={"Authorization": f"Bearer {INTAKE_SECRET}"}
    ) as response:
        assert response.status in (404, 405)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"pbx":"main"}', b"[" * 100_000])
async def test_a_body_that_is_no_batch_answers_400(server: Server, body: bytes) -> None:
    answer = await server.post_raw(body, status=400)
    assert answer["error"]
    assert "index" not in answer


async def test_a_bad_call_is_named_by_its_index_and_nothing_of_the_batch_is_taken(server: Server) -> None:
    good, bad = msgspec.to_builtins(a_call("good")), {"call_id": "bad"}
    answer = await server.post(calls=[good, bad], status=400)
    assert answer["index"] == 1
    assert len(server.notifier.delivery.inbox) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"pbx": "other"},
        {"user_id": 0},
        {"call_id": ""},
        {"call_id": "x" * 65},
        {"call_id": "1/2"},
        {"state": State.ENDED},
        {"state": State.TALKING},
        {"ended_at": 5, "end": None, "state": State.ENDED},
        {"caller": Caller(name="x" * 1025)},
        {"caller": Caller(url="javascript:alert(1)")},
        {"user_id": 2**63},
        {"rev": 2**53},
        {"rev": -1},
        {"ring_started_at": 2**53},
        {"ring_started_at": -1},
        {"state": State.TALKING, "answered_at": 10**30},
    ],
    ids=str,
)
async def test_a_call_that_makes_no_sense_is_refused_by_its_index(server: Server, changes: dict[str, object]) -> None:
    assert (await server.post(a_call("fine"), a_call(**{"call_id": "odd", **changes}), status=400))["index"] == 1


async def test_a_call_never_changes_its_user_or_pbx(server: Server) -> None:
    await server.post(a_call("c", user_id=1))
    taken_over = a_call("c", user_id=2, rev=wall_ms() + 1000)
    assert (await server.post(taken_over, status=400))["index"] == 0
    other = a_call("c", pbx="b", rev=wall_ms() + 1000)
    assert (await server.post(other, pbx="b", status=400))["index"] == 0


async def test_too_big_a_body_or_too_many_calls_answer_413(server: Server) -> None:
    await server.post_raw(b" " * (MAX_BODY + 1), status=413)
    await server.post(*[a_call(f"c{n}") for n in range(MAX_CALLS + 1)], status=413)
    await server.post(*[a_call(f"c{n}") for n in range(MAX_CALLS)])


async def test_what_is_older_than_the_last_run_and_seq_is_dropped(server: Server) -> None:
    await server.post(seq=5)
    assert (await server.post(a_call("late"), seq=4))["stale"]
    assert (await server.post(a_call("late"), run=server.run - 1, seq=99))["stale"]
    assert len(server.notifier.delivery.inbox) == 0
    assert not (await server.post(a_call("again"), seq=5))["stale"]
    assert not (await server.post(a_call("next"), run=server.run + 1, seq=0))["stale"]


async def test_two_taps_under_one_name_are_an_error_in_the_log(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        for seq in range(4):
            await server.post(run=10, seq=seq)
            await server.post(run=20, seq=seq)
    assert [r.getMessage() for r in caplog.records if "two taps" in r.getMessage()] != []
    assert len(caplog.records) == 1


async def test_a_tap_restarted_with_an_earlier_clock_is_heard_once_the_first_is_silent(server: Server) -> None:
    await server.post(run=1000, seq=9)
    assert (await server.post(run=500, seq=1))["stale"]
    server.notifier.delivery.sources.silent(now=wall_ms() + 11_000)
    assert not (await server.post(a_call(), run=500, seq=2))["stale"]
    assert not (await server.post(run=500, seq=3))["stale"]


async def test_live_calls_that_the_pbx_no_longer_names_end_as_unknown(server: Server) -> None:
    async with server.browser() as browser:
        first, second = a_call("a"), a_call("b")
        await server.post(first, second)
        await browser.receive("call")
        await browser.receive("call")
        await server.post(live=["b"])
        end = (await browser.receive("call"))["call"]
        assert (end["call_id"], end["state"], end["end"]["reason"]) == ("a", "ended", "unknown")
        assert (await browser.receive("snapshot"))["pbxs"] == ["main"]
        await server.post(live=["b"])
        await browser.nothing_comes()
        await server.post(msgspec.structs.replace(first, rev=first.rev + 5))
        assert (await browser.receive("call"))["call"]["state"] == "ringing"


async def test_a_new_notifier_that_lacks_a_live_call_does_not_let_pages_end_it(server: Server) -> None:
    # The tap knew the notifier before: its first batch has its news only, and names all that is live.
    await server.post(a_call("news"), live=["news", "older"])
    assert server.notifier.delivery.sources.complete() == []
    await server.post(a_call("older"), live=["news", "older"])
    assert server.notifier.delivery.sources.complete() == ["main"]


async def test_after_a_new_run_the_state_is_not_complete_until_live_is_said_again(server: Server) -> None:
    await server.post(live=[])
    assert server.notifier.delivery.sources.complete() == ["main"]
    await server.post(run=server.run + 1)
    assert server.notifier.delivery.sources.complete() == []


async def test_times_come_out_in_our_clock(server: Server) -> None:
    async with server.browser() as browser:
        now = wall_ms()
        await server.post(a_call(ring_started_at=now - 3_600_000), now=now - 3_600_000)
        shown = (await browser.receive("call"))["call"]
        assert abs(shown["ring_started_at"] - now) < 1000


async def test_a_silent_pbx_is_told_to_pages_old_and_new_and_so_is_its_return(server: Server) -> None:
    async with server.browser() as browser:
        await server.post()
        server.notifier.delivery.sources._pbxs["main"].heard_at -= 11_000
        server.notifier.delivery.tick()
        assert (await browser.receive("source"))["up"] is False
        async with server.socket() as late:
            await late.send(type="auth", token=token(), tab_id="")
            await late.receive("hello")
            await late.receive("snapshot")
            assert (await late.receive("source"))["pbx"] == "main"
            await server.post()
            assert (await late.receive("source"))["up"] is True


async def test_each_start_of_the_notifier_has_its_own_boot(server: Server) -> None:
    async with running() as other:
        assert (await server.post())["boot"] == (await server.post())["boot"] != (await other.post())["boot"]


async def test_an_ended_call_in_a_batch_is_delivered_once(server: Server) -> None:
    call = a_call()
    async with server.browser() as browser:
        await server.post(ended(call))
        assert (await browser.receive("call"))["call"]["state"] == "ended"
        await server.post(call)
        await browser.nothing_comes()


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_get_an_answer_and_never_a_500(data: bytes) -> None:
    async def post() -> None:
        async with running() as server:
            assert (await server.post_raw(data, status=400))["error"]

    asyncio.run(post())
