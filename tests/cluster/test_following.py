"""Notifiers that follow one bucket, on a real server of the engine: who is told what, when, and what is kept."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable

import nats
import pytest
from nats.aio.client import Client

from fastagi.publisher import Link
from fastagi.publisher_nats import ClusterPublisher
from tests.cluster.engine import Engine, engine
from tests.levels import within
from tests.notifier_server import Browser, Server, a_call, ended, running, settings, token
from tests.systemd.test_monitoring import documented_metrics
from zvonok.call import Call, State, wall_ms
from zvonok.cluster import jetstream
from zvonok.cluster.keys import CALLS, DISMISSALS, call_subject
from zvonok.cluster.values import CallPut, Pulse, encode


class Pbx:
    """A PBX's tap as far as its publisher goes: `calls` is what it knows."""

    def __init__(self, engine: Engine, name: str = "main", **changes: object) -> None:
        self.calls: dict[str, Call] = {}
        self.in_step = True
        self.publisher = ClusterPublisher(
            settings(nats_url=engine.url, pbx_name=name, **changes),
            known=lambda: list(self.calls.values()),
            live=lambda: (
                [c.call_id for c in self.calls.values() if c.state is not State.ENDED] if self.in_step else None
            ),
        )

    def change(self, call: Call) -> Call:
        """The PBX has this state now."""
        self.calls[call.call_id] = call
        self.publisher.offer(call)
        return call

    async def stored(self) -> None:
        """Wait until the bucket has everything."""
        await until(lambda: self.publisher.link is Link.OK and not self.publisher.waiting, "stored")

    @contextlib.asynccontextmanager
    async def publishing(self) -> "AsyncIterator[Pbx]":
        """It publishes for as long as the block runs, then dies."""
        task = asyncio.create_task(self.publisher.publish())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], object], what: str, seconds: float = 5) -> None:
    """Wait for it."""
    try:
        async with asyncio.timeout(within(seconds)):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not {what} within {seconds} s") from None


@contextlib.asynccontextmanager
async def following(engine: Engine, **changes: object) -> AsyncIterator[Server]:
    """A notifier that is ready."""
    async with running(nats_url=engine.url, **changes) as server:
        await until(lambda: _cluster(server).ready, "ready", 15)
        yield server


def _cluster(server: Server):  # type: ignore[no-untyped-def]
    assert server.notifier.cluster is not None
    return server.notifier.cluster


async def told(browser: Browser, call_id: str, state: str) -> dict[str, object]:
    """Read until this call has this state; other types of messages may come between."""
    while True:
        message = await browser.receive(seconds=5)
        for call in [message["call"]] if message["type"] == "call" else message.get("calls", []):
            if call["call_id"] == call_id and call["state"] == state:
                return dict(call)


@pytest.fixture(autouse=True)
async def _empty(one_node: Engine) -> AsyncIterator[None]:
    """Each test makes its own buckets."""
    yield
    client = await nats.connect(one_node.url)
    for bucket in (CALLS, DISMISSALS):
        await client.request(f"$JS.API.STREAM.DELETE.{jetstream.stream(bucket)}", b"")
    await client.close()


@pytest.fixture
async def raw(one_node: Engine) -> AsyncIterator[Client]:
    """A client that may put anything anywhere."""
    client = await nats.connect(one_node.url)
    yield client
    await client.close()


async def test_every_notifier_tells_the_owner_and_nobody_else(one_node: Engine) -> None:
    async with following(one_node) as one, following(one_node) as two, Pbx(one_node).publishing() as pbx:
        await until(lambda: all(s.notifier.delivery.sources.complete() == ["main"] for s in (one, two)), "complete")
        async with (
            one.browser(1) as mine,
            two.browser(1) as mine_too,
            one.browser(2) as other,
            two.browser(2) as other_too,
        ):
            call = pbx.change(a_call("a"))
            for browser in (mine, mine_too):
                assert (await browser.receive("call"))["call"]["call_id"] == "a"
            pbx.change(ended(call))
            for browser in (mine, mine_too):
                assert (await browser.receive("call"))["call"]["state"] == "ended"
            for browser in (other, other_too):
                await browser.nothing_comes(0.3)


async def test_a_notifier_is_not_ready_before_it_has_every_live_call(one_node: Engine) -> None:
    async with following(one_node), Pbx(one_node).publishing() as pbx:
        for number in range(600):  # two batches
            pbx.change(a_call(f"c{number}", user_id=number + 1))
        await pbx.stored()
        async with running(nats_url=one_node.url) as late:
            async with late.http.get(late.users + "/readyz") as answer:
                assert answer.status == 503
            await until(lambda: _cluster(late).ready, "ready")
            assert len(late.notifier.delivery.inbox) == 600
            async with late.http.get(late.users + "/readyz") as answer:
                assert answer.status == 200


async def test_pages_are_sent_to_another_notifier_until_the_states_are_here(one_node: Engine) -> None:
    with engine(1) as dead:
        dead.kill()
        async with running(nats_url=dead.url) as server:
            async with server.http.get(server.users + "/ws") as answer:
                assert answer.status == 503
            async with server.http.get(server.users + "/readyz") as answer:
                assert answer.status == 503


async def test_a_dismissal_is_known_to_every_notifier_and_to_the_next_one(one_node: Engine) -> None:
    async with following(one_node) as one, following(one_node) as two, Pbx(one_node).publishing() as pbx:
        async with one.browser() as here, two.browser() as there:
            pbx.change(a_call("a.b>*"))
            await told(here, "a.b>*", "ringing")
            await told(there, "a.b>*", "ringing")
            await here.send(type="dismiss", call_id="a.b>*")
            while (message := await there.receive())["type"] != "dismissed":
                pass
            assert message["call_id"] == "a.b>*"
        await until(lambda: not len(_cluster(one)._putter.outbox), "stored")
        async with following(one_node) as new, new.socket() as browser:
            await browser.send(type="auth", token=token(), tab_id="t")
            await browser.receive("hello")
            assert (await browser.receive("snapshot"))["dismissed"] == ["a.b>*"]


async def test_what_a_page_makes_up_is_not_shared(one_node: Engine) -> None:
    async with following(one_node) as server, server.browser() as browser:
        await browser.send(type="dismiss", call_id="no such call")
        await browser.receive("dismissed")
        assert len(_cluster(server)._putter.outbox) == 0


async def test_a_test_call_reaches_the_sockets_of_its_own_notifier_only(one_node: Engine) -> None:
    async with (
        following(one_node) as one,
        following(one_node) as two,
        one.browser() as here,
        two.browser() as there,
    ):
        await here.send(type="test_call")
        assert (await here.receive("call"))["call"]["test"] is True
        await there.nothing_comes(0.5)


@pytest.mark.parametrize("way", ["heard", "read"])
async def test_whatever_is_no_call_of_that_key_is_refused_and_the_rest_goes_on(
    one_node: Engine, raw: Client, way: str
) -> None:
    def put(call: Call) -> bytes:
        return encode(CallPut(run=1, seq=1, now=wall_ms(), call=call))

    good = a_call("good")
    bad = {
        "$KV.zvonok.main.1.empty": b"",
        "$KV.zvonok.main.1.json": b"{}",
        "$KV.zvonok.main.1.deep": b"[" * 10_000,
        "$KV.zvonok.other.1.elsewhere": put(a_call("elsewhere")),  # says that it is of "main"
        "$KV.zvonok.main.2.whose": put(a_call("whose")),  # user 1's
        "$KV.zvonok.main.1.id": put(a_call("another")),
        "$KV.zvonok.main.1.long.x": put(a_call("long")),
    }
    async with following(one_node) as first:
        for subject, data in bad.items():
            await raw.request(subject, data)
        await raw.request(call_subject("main", 1, "good"), put(good))
        if way == "heard":
            await until(lambda: first.notifier.delivery.inbox.get("good"), "heard")
            assert len(first.notifier.delivery.inbox) == 1
        else:
            async with following(one_node) as second:
                assert len(second.notifier.delivery.inbox) == 1


async def test_an_older_pulse_ends_no_call_that_came_after_it(one_node: Engine, raw: Client) -> None:
    def pulse(seq: int, *live: str) -> bytes:
        return encode(Pulse(run=1, seq=seq, now=wall_ms(), live=list(live)))

    async with following(one_node) as server:
        inbox = server.notifier.delivery.inbox
        put = CallPut(run=1, seq=5, now=wall_ms(), call=a_call("a"))
        await raw.publish(call_subject("main", 1, "a"), encode(put))
        await raw.publish("$KV.zvonok.main", pulse(4))
        await raw.publish("$KV.zvonok.main", pulse(5))
        await raw.publish(call_subject("main", 1, "b"), encode(CallPut(run=1, seq=6, now=wall_ms(), call=a_call("b"))))
        await until(lambda: inbox.get("b"), "heard")
        entry = inbox.get("a")
        assert entry is not None
        assert entry.call.state is State.RINGING
        await raw.publish("$KV.zvonok.main", pulse(7, "b"))
        await until(lambda: entry.call.state is State.ENDED, "ended by the newest word")


async def test_a_state_that_was_not_heard_is_read_within_two_seconds(
    one_node: Engine, raw: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with following(one_node) as server, Pbx(one_node).publishing() as pbx:
        cluster, inbox = _cluster(server), server.notifier.delivery.inbox
        await until(lambda: server.notifier.delivery.sources.complete(), "complete")
        await asyncio.sleep(2.5)  # nothing is read any more
        hears, take = [False], cluster._take

        def take_what_is_heard(subject: str, data: bytes, at: int | None) -> None:
            if hears[0] or at is not None:
                take(subject, data, at)

        monkeypatch.setattr(cluster, "_take", take_what_is_heard)
        pbx.change(a_call("a"))
        await pbx.stored()
        assert inbox.get("a") is None
        hears[0] = True  # the next pulse tells that there was something
        await until(lambda: inbox.get("a"), "read", 2)


async def test_what_a_silent_pbx_said_is_read_from_the_nearest_copy(
    one_node: Engine, raw: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with following(one_node) as server, Pbx(one_node).publishing() as pbx:
        cluster, inbox = _cluster(server), server.notifier.delivery.inbox
        await until(lambda: server.notifier.delivery.sources.complete(), "complete")
        take = cluster._take
        monkeypatch.setattr(cluster, "_take", lambda subject, data, at: at is not None and take(subject, data, at))
        pbx.change(a_call("a"))
        await until(lambda: inbox.get("a"), "read", 4)
        assert server.notifier.delivery.sources.is_up("main")


async def test_while_ami_is_down_nothing_is_taken_for_over(one_node: Engine) -> None:
    async with following(one_node) as server, Pbx(one_node).publishing() as pbx:
        pbx.change(a_call("a"))
        await until(lambda: server.notifier.delivery.inbox.get("a"), "heard")
        pbx.in_step = False
        del pbx.calls["a"]
        await asyncio.sleep(within(2.2))
        entry = server.notifier.delivery.inbox.get("a")
        assert entry is not None
        assert entry.call.state is State.RINGING


async def test_a_bucket_that_was_lost_is_made_and_filled_again(
    one_node: Engine, raw: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifier.intake_nats._MISSING_S", 1.0)
    monkeypatch.setattr("notifier.intake_nats.READ_ANYWAY_S", 0.5)
    async with following(one_node) as server, Pbx(one_node).publishing() as pbx:
        pbx.change(a_call("a"))
        await pbx.stored()
        await asyncio.sleep(1.2)  # some pulses, so that the new bucket's count is behind the old one's
        await raw.request(f"$JS.API.STREAM.DELETE.{jetstream.stream(CALLS)}", b"")
        await until(lambda: not _cluster(server).up, "noticed")
        await until(lambda: _cluster(server).up, "made again", 10)
        async with following(one_node) as other:
            await until(lambda: other.notifier.delivery.inbox.get("a"), "there again", 10)


async def test_the_bucket_keeps_one_value_of_each_key_for_as_long_as_a_recent_call(
    one_node: Engine, raw: Client
) -> None:
    async with following(one_node, recent_ttl=60.0), Pbx(one_node).publishing() as pbx:
        call = pbx.change(a_call("a"))
        await pbx.stored()
        pbx.change(ended(call))
        await pbx.stored()
        answer = json.loads((await raw.request(jetstream.info(CALLS), b'{"subjects_filter":"$KV.zvonok.main.>"}')).data)
        assert answer["config"]["max_age"] == 60_000_000_000
        assert answer["config"]["max_msgs_per_subject"] == 1
        assert answer["state"]["subjects"] == {"$KV.zvonok.main.1.a": 1}


async def test_a_live_call_is_put_again_before_the_bucket_forgets_it(one_node: Engine, raw: Client) -> None:
    seen: list[bytes] = []

    async def heard(msg: nats.aio.msg.Msg) -> None:
        seen.append(msg.data)

    async with following(one_node), Pbx(one_node, recent_ttl=1.5).publishing() as pbx:
        await raw.subscribe("$KV.zvonok.main.>", cb=heard)
        pbx.change(a_call("live"))
        pbx.change(ended(a_call("over")))
        await until(lambda: sum(b'"live"' in data for data in seen) >= 3, "put three times")
        assert sum(b'"over"' in data for data in seen) == 1


async def test_the_cluster_s_metrics_are_those_that_the_docs_name(one_node: Engine) -> None:
    async with following(one_node) as server, Pbx(one_node).publishing() as pbx, server.browser() as browser:
        pbx.change(a_call("a"))
        await told(browser, "a", "ringing")
        text = server.notifier.metrics.text().decode()
    names = set(re.findall(r"^# TYPE (zvonok_notifier_cluster_\w+)", text, re.MULTILINE))
    assert {name for name in names if not name.endswith("_created")} == {
        name for name in documented_metrics() if "_cluster_" in name
    }
    assert "zvonok_notifier_cluster_up 1.0" in text
    assert 'zvonok_notifier_cluster_states_total{way="heard"} 1.0' in text
