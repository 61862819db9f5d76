"""The conversation with a browser, over real sockets on the loopback."""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import jwt
import pytest

from notifier.limits import Limits
from tests.notifier_server import AUTH_SECRET, Server, a_call, ended, running, token
from zvonok.call import Reason, wall_ms

QUICK = Limits(auth_timeout=0.3, expiry_grace=0.3, heartbeat=0.2, ping_every=2, silence=1.0)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running() as server:
        yield server


async def test_a_logged_in_page_is_greeted_and_gets_its_calls_whole(server: Server) -> None:
    call = a_call()
    await server.post(call)
    async with server.socket() as browser:
        await browser.send(type="auth", token=token(), tab_id="t1")
        hello = await browser.receive("hello")
        assert hello["user"] == {"id": 1, "name": None}
        assert hello["numbers"] is None
        assert hello["token_expires_at"] > wall_ms()
        snapshot = await browser.receive("snapshot")
        assert [c["call_id"] for c in snapshot["calls"]] == [call.call_id]


async def test_a_state_goes_to_every_socket_of_its_owner_and_to_nobody_else(server: Server) -> None:
    async with server.browser(1) as one, server.browser(1) as two, server.browser(2) as other:
        answer = await server.post(a_call())
        assert answer["delivered"] == {"c1": 2}
        for browser in (one, two):
            assert (await browser.receive("call"))["call"]["state"] == "ringing"
        await other.nothing_comes()


async def test_a_known_rev_is_not_sent_again_but_its_receipt_is(server: Server) -> None:
    async with server.browser() as browser:
        call = a_call()
        await server.post(call)
        await browser.receive("call")
        assert (await server.post(call))["delivered"] == {"c1": 1}
        await browser.nothing_comes()


async def test_a_dismissal_reaches_all_tabs_and_later_snapshots(server: Server) -> None:
    async with server.browser() as one, server.browser() as two:
        call = a_call()
        await server.post(call)
        await one.receive("call")
        await two.receive("call")
        await one.send(type="dismiss", call_id="c1")
        for browser in (one, two):
            assert (await browser.receive("dismissed"))["call_id"] == "c1"
        await one.send(type="dismiss", call_id="c1")
        await two.nothing_comes()
    async with server.socket() as later:
        await later.send(type="auth", token=token(), tab_id="")
        await later.receive("hello")
        snapshot = await later.receive("snapshot")
        assert snapshot["dismissed"] == ["c1"]
        assert len(snapshot["calls"]) == 1


async def test_nobody_dismisses_for_somebody_else(server: Server) -> None:
    async with server.browser(1) as owner, server.browser(2) as other:
        await server.post(a_call())
        await owner.receive("call")
        await other.send(type="dismiss", call_id="c1")
        await owner.nothing_comes()


async def test_who_does_not_authenticate_in_time_is_closed_with_4401() -> None:
    async with running(QUICK) as server, server.socket() as browser:
        assert await browser.close_code() == 4401


def _signed(**claims: object) -> str:
    base = {"sub": "1", "aud": "zvonok", "exp": wall_ms() // 1000 + 60}
    return jwt.encode({k: v for k, v in (base | claims).items() if v is not None}, AUTH_SECRET)


@pytest.mark.parametrize(
    "bad",
    [
        "garbage",
        "a.b.c",
        _signed(exp=1),
        _signed(exp=None),
        _signed(aud="other"),
        _signed(sub="x"),
        _signed(sub="-1"),
        _signed(sub=True),
        jwt.encode({"sub": "1", "aud": "zvonok", "exp": 9999999999}, "another-secret-of-32-bytes-at-least!"),
        jwt.encode({"sub": "1", "aud": "zvonok", "exp": 9999999999}, None, algorithm="none"),
        jwt.encode({"sub": "1", "aud": "zvonok", "exp": 9999999999}, AUTH_SECRET * 2, algorithm="HS512"),
    ],
)
async def test_a_bad_token_is_closed_with_4401_and_learns_nothing(server: Server, bad: str) -> None:
    await server.post(a_call())
    async with server.socket() as browser:
        await browser.send(type="auth", token=bad, tab_id="")
        message = await browser.ws.receive()
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert message.data == 4401


async def test_a_sub_may_be_an_integer(server: Server) -> None:
    async with server.socket() as browser:
        await browser.send(type="auth", token=_signed(sub=7), tab_id="")
        assert (await browser.receive("hello"))["user"]["id"] == 7


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        '{"type":"auth"}',
        '{"v":2,"type":"auth","token":"x"}',
        '{"v":1,"type":"nonsense"}',
        "[" * 5000,
    ],
)
async def test_what_is_no_message_is_closed_with_4400_before_and_after_login(server: Server, text: str) -> None:
    async with server.socket() as browser:
        if len(text) <= 4096:
            await browser.ws.send_str(text)
            assert await browser.close_code() == 4400
    async with server.browser() as browser:
        await browser.ws.send_str(text)
        assert await browser.close_code() == 4400


async def test_binary_frames_are_closed_with_4400(server: Server) -> None:
    async with server.browser() as browser:
        await browser.ws.send_bytes(b"{}")
        assert await browser.close_code() == 4400


@pytest.mark.parametrize("size", [16 * 1024 + 1, 100_000, 1_000_000])
async def test_a_big_frame_is_closed_with_1009(server: Server, size: int) -> None:
    async with server.browser() as browser:
        await browser.ws.send_str("x" * size)
        assert await browser.close_code() == 1009


async def test_before_login_4_kib_are_the_most(server: Server) -> None:
    async with server.socket() as browser:
        await browser.send(type="auth", token="x" * 5000, tab_id="")
        assert await browser.close_code() == 1009


async def test_anything_before_auth_is_closed_with_4401(server: Server) -> None:
    async with server.socket() as browser:
        await browser.send(type="dismiss", call_id="c1")
        assert await browser.close_code() == 4401


@pytest.mark.parametrize(("origin", "welcome"), [
    ("http://evil.example", False),
    ("null", False),
    ("http://127.0.0.1:1", False),
    ("https://crm.example.ru", True),
])  # fmt: skip
async def test_a_foreign_page_is_closed_with_4403(origin: str, welcome: bool) -> None:
    async with running(allowed_origins=("https://crm.example.ru",)) as server, server.socket(origin=origin) as browser:
        if welcome:
            await browser.send(type="auth", token=token(), tab_id="")
            await browser.receive("hello")
        else:
            assert await browser.close_code() == 4403


async def test_our_own_page_is_no_foreign_one(server: Server) -> None:
    async with server.browser(origin=server.users):
        pass


async def test_one_socket_too_many_of_a_user_is_closed_with_4409_and_the_others_stay() -> None:
    async with (
        running(Limits(sockets_per_user=3)) as server,
        server.browser() as one,
        server.browser(),
        server.browser(),
    ):
        async with server.socket() as fourth:
            await fourth.send(type="auth", token=token(), tab_id="")
            assert await fourth.close_code() == 4409
        async with server.browser(2):
            pass
        await server.post(a_call())
        await one.receive("call")


async def test_an_expired_token_closes_with_4401_after_the_grace_unless_renewed() -> None:
    async with running(Limits(expiry_grace=2)) as server, server.socket() as lazy, server.socket() as diligent:
        for browser in (lazy, diligent):
            await browser.send(type="auth", token=token(lifetime_s=2), tab_id="")
            await browser.receive("hello")
            await browser.receive("snapshot")
        await diligent.send(type="auth", token=token(lifetime_s=600), tab_id="")
        renewed = await diligent.receive("hello")
        assert renewed["token_expires_at"] > wall_ms() + 500_000
        assert await lazy.close_code(seconds=10) == 4401
        await server.post(a_call())
        await diligent.receive("call")


async def test_a_renewal_for_another_user_is_closed_with_4401(server: Server) -> None:
    async with server.browser(1) as browser:
        await browser.send(type="auth", token=token(2), tab_id="")
        assert await browser.close_code() == 4401


async def test_heartbeats_come_and_a_peer_that_answers_no_ping_is_cut_off() -> None:
    async with running(QUICK) as server:
        async with server.browser() as browser, asyncio.timeout(3):
            assert json.loads((await browser.ws.receive()).data)["type"] == "heartbeat"
        async with server.browser(autoping=False) as mute:
            async with asyncio.timeout(5):
                while (await mute.ws.receive()).type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.PING):
                    pass
            assert mute.ws.closed
            assert server.notifier.hub.count == 0


async def test_too_many_messages_are_closed_with_4400() -> None:
    async with running(Limits(messages=5, messages_refill=0.1)) as server, server.browser() as browser:
        for _ in range(6):
            await browser.send(type="heartbeat")
        assert await browser.close_code() == 4400


async def test_a_slow_reader_is_closed_with_4408_and_others_get_their_calls_meanwhile() -> None:
    limits = Limits(buffer_bytes=32 * 1024, send_buffer_bytes=4096)
    async with running(limits) as server, server.browser(1) as slow, server.browser(2) as other:
        transport = slow.ws._response.connection.transport  # type: ignore[union-attr]
        transport.pause_reading()  # type: ignore[attr-defined]
        # A frame of 16 KiB at most each: the kernel's buffers fill first, then ours.
        text = "x" * 1000
        for number in range(20_000):
            caller = a_call().caller.__class__(number="1", name=text, display=text, company=text)
            answer = await server.post(a_call(f"s{number}", caller=caller))
            if answer["delivered"][f"s{number}"] == 0:
                break
        else:
            pytest.fail("never too slow")
        await server.post(a_call("o", user_id=2))
        assert (await other.receive("call"))["call"]["call_id"] == "o"
        transport.resume_reading()  # type: ignore[attr-defined]
        assert await slow.close_code() == 4408


async def test_a_stop_closes_with_1012() -> None:
    async with running() as server, server.browser() as browser:
        stopping = asyncio.create_task(server.notifier._close_all())
        assert await browser.close_code() == 1012
        await stopping


async def test_a_page_can_ask_for_a_test_call_and_sees_all_of_it(server: Server) -> None:
    async with server.browser() as browser, server.browser(2) as other:
        await browser.send(type="test_call")
        first = (await browser.receive("call"))["call"]
        assert (first["state"], first["test"], first["user_id"]) == ("ringing", True, 1)
        await browser.send(type="test_call")
        assert (await browser.receive("error"))["code"] == "test_call_running"
        assert (await browser.receive("call", seconds=8))["call"]["state"] == "talking"
        assert (await browser.receive("call", seconds=10))["call"]["end"]["reason"] == "completed"
        await other.nothing_comes()


async def test_the_end_stays_in_the_snapshot(server: Server) -> None:
    call = a_call()
    await server.post(call)
    await server.post(ended(call, Reason.MISSED))
    async with server.socket() as browser:
        await browser.send(type="auth", token=token(), tab_id="")
        await browser.receive("hello")
        assert (await browser.receive("snapshot"))["calls"][0]["end"]["reason"] == "missed"
