"""The AMI connection over a real socket, with a server that answers as Asterisk does, or breaks as networks do."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastagi import ami as ami_module
from fastagi import ami_connection, facts
from fastagi.ami import Ami, AmiLink
from tests.levels import within

ROW = (
    "Event: CoreShowChannel\r\nActionID: {id}\r\nChannel: PJSIP/101-0000002a\r\nChannelState: 5\r\n"
    "Uniqueid: 1700000000.42\r\nLinkedid: 1700000000.41\r\nApplication: AppDial\r\nBridgeId: \r\n\r\n"
)


class Pbx:
    """An AMI server. `secret` is what it accepts; `mute` names actions that it never answers, the others it answers
    after `delay`; `with_login` goes out in the same breath as the word that the login is accepted."""

    def __init__(self) -> None:
        self.secret = "right"
        self.banner = b"Asterisk Call Manager/11.0.0\r\n"
        self.mute: set[str] = set()
        self.denied: set[str] = set()
        self.delay = 0.0
        self.channels = 1
        self.with_login = b""
        self.actions: list[dict[str, str]] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.logins = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        writer.write(self.banner)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                text = (await reader.readuntil(b"\r\n\r\n")).decode()
                action = dict(line.split(": ", 1) for line in text.strip().split("\r\n"))
                self.actions.append(action)
                await asyncio.sleep(self.delay)
                self.answer(action, writer)

    def answer(self, action: dict[str, str], writer: asyncio.StreamWriter) -> None:
        name, action_id = action["Action"], action["ActionID"]

        def say(text: str) -> None:
            writer.write(text.replace("\n", "\r\n").encode() + b"\r\n\r\n")

        if name in self.mute:
            return
        if name in self.denied:
            say(f"Response: Error\nActionID: {action_id}\nMessage: Permission denied")
        elif name == "Login" and action["Secret"] != self.secret:
            say(f"Response: Error\nActionID: {action_id}\nMessage: Authentication failed")
            writer.close()
        elif name == "Login":
            self.logins += 1
            say(f"Response: Success\nActionID: {action_id}\nMessage: Authentication accepted")
            writer.write(self.with_login)
        elif name == "CoreStatus":
            say(
                f"Response: Success\nActionID: {action_id}\nCoreStartupDate: 2026-01-02\nCoreStartupTime: 03:04:05\n"
                "CoreReloadDate: 2026-01-02\nCoreReloadTime: 03:04:05\nCoreCurrentCalls: 1"
            )
        elif name == "CoreShowChannels":
            say(f"Response: Success\nActionID: {action_id}\nEventList: start\nMessage: Channels will follow")
            writer.write(ROW.format(id=action_id).encode() * self.channels)
            say(f"Event: CoreShowChannelsComplete\nActionID: {action_id}\nEventList: Complete\nListItems: 1")
        elif name == "Status":
            say(f"Response: Success\nActionID: {action_id}\nEventList: start\nMessage: Channel status will follow")
            say(
                f"Event: Status\nActionID: {action_id}\nChannel: PJSIP/101-0000002a\nUniqueid: 1700000000.42\n"
                "Variable: DIALEDPEERNUMBER=101/sip:101@10.0.0.7"
            )
            say(f"Event: StatusComplete\nActionID: {action_id}\nEventList: Complete\nItems: 1")
        else:
            say(f"Response: Success\nActionID: {action_id}\nPing: Pong")


class Followed:
    def __init__(self) -> None:
        self.facts: list[facts.Fact] = []

    def of(self, kind: type) -> list:
        return [fact for fact in self.facts if isinstance(fact, kind)]


@asynccontextmanager
async def following(pbx: Pbx, secret: str = "right", suspects: int = 0) -> AsyncIterator[tuple[Ami, Followed]]:
    server = await asyncio.start_server(pbx.serve, "127.0.0.1", 0)
    seen = Followed()
    ami = Ami(
        host="127.0.0.1",
        port=server.sockets[0].getsockname()[1],
        user="zvonok",
        secret=secret,
        feed=seen.facts.append,
        now=lambda: 1000,
        suspects=lambda: suspects,
    )
    task = asyncio.create_task(ami.follow())
    try:
        yield ami, seen
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        server.close()
        for writer in pbx.writers:
            writer.close()


async def until(condition) -> None:
    async with asyncio.timeout(within(8)):
        while not condition():
            await asyncio.sleep(0.01)


async def test_it_logs_in_for_call_and_agent_events_and_lists_twice_before_it_is_in_step():
    pbx = Pbx()
    async with following(pbx) as (ami, seen):
        await until(lambda: ami.in_step)
    assert pbx.actions[0]["Events"] == "call,agent"
    assert seen.facts[:2] == [facts.AmiUp(), facts.PbxStarted(started="2026-01-02 03:04:05")]
    lists = seen.of(facts.ChannelsListed)
    assert len(lists) == 2
    assert lists[0].rows[0].channel.name == "PJSIP/101-0000002a"
    assert lists[0].rows[0].dial_string == "101/sip:101@10.0.0.7"


async def test_events_become_facts_whatever_else_is_in_them():
    pbx = Pbx()
    async with following(pbx) as (ami, seen):
        await until(lambda: ami.in_step)
        pbx.writers[-1].write(
            b"Event: VarSet\r\nUniqueid: 1.1\r\n\r\n"
            b"Event: Newchannel\r\nUniqueid: 1.1\r\nChannel: PJSIP/t-1\r\nChanVariable: A=1\r\nChanVariable: B=2\r\n"
            b"CallerIDName: " + b"x" * 10_000 + b"\r\nExten: status will follow\r\n\r\n"
            b"Event: Hangup\r\nUniqueid: 1.1\r\nCallerIDName: \xd0\xff\r\nCause: 16\r\n\r\n"
        )
        await until(lambda: seen.of(facts.HungUp))
        assert len(seen.of(facts.ChannelNew)) == 1
        assert ami.in_step


async def test_a_wrong_password_is_said_with_what_to_do_and_tried_again_with_patience(caplog):
    pbx = Pbx()
    async with following(pbx, secret="wrong") as (ami, seen):
        await until(lambda: ami.link is AmiLink.REFUSED)
        assert "ZVONOK_AMI_SECRET" in caplog.text
        assert "wrong" not in caplog.text.replace("wrong password", "")
        assert seen.facts == []
        attempts = len(pbx.actions)
        pbx.secret = "wrong"
        await until(lambda: ami.in_step)
        assert len(pbx.actions) > attempts


async def test_missing_rights_are_said_with_what_to_do(caplog):
    pbx = Pbx()
    pbx.denied = {"CoreStatus"}
    async with following(pbx) as (ami, _):
        await until(lambda: ami.link is AmiLink.REFUSED)
    assert "write = reporting" in caplog.text


async def test_a_dropped_connection_is_told_to_the_tracker_and_made_again(caplog):
    pbx = Pbx()
    async with following(pbx) as (ami, seen):
        await until(lambda: ami.in_step)
        pbx.writers[-1].transport.abort()
        await until(lambda: seen.of(facts.AmiDown))
        await until(lambda: ami.in_step and pbx.logins == 2)
        assert len(seen.of(facts.AmiUp)) == 2
        assert ami.reconnects == 1
    assert "closed the AMI connection" in caplog.text


async def test_what_comes_with_the_login_is_heard_of_a_pbx_that_is_up():
    pbx = Pbx()
    pbx.with_login = b"Event: Hangup\r\nUniqueid: 1.1\r\nChannel: PJSIP/t-1\r\nCause: 16\r\n\r\n"
    async with following(pbx) as (ami, seen):
        await until(lambda: ami.in_step)
    assert [type(fact) for fact in seen.facts[:2]] == [facts.AmiUp, facts.HungUp]


async def test_a_pbx_that_says_nothing_more_counts_as_down_in_less_than_three_seconds():
    pbx = Pbx()
    async with following(pbx) as (ami, seen):
        await until(lambda: ami.in_step)
        pbx.mute = {"Ping"}
        async with asyncio.timeout(within(3)):
            while not seen.of(facts.AmiDown):
                await asyncio.sleep(0.05)
        pbx.mute = set()
        await until(lambda: ami.in_step)


async def test_a_pbx_with_too_much_to_do_stays_up_if_it_answers_late_or_tells_of_its_calls():
    pbx = Pbx()
    async with following(pbx) as (ami, seen):
        await until(lambda: ami.in_step)
        pbx.delay = 1.5
        await until(lambda: (ami.round_trip or 0) > 1.4)
        pbx.mute = {"Ping"}
        for _ in range(6):
            await asyncio.sleep(0.5)
            pbx.writers[-1].write(b"Event: Newexten\r\nUniqueid: 1.1\r\nChannel: PJSIP/t-1\r\n\r\n")
        assert ami.in_step
        assert not seen.of(facts.AmiDown)


async def test_a_pbx_that_needs_long_for_a_login_gets_in_after_some_attempts(monkeypatch):
    monkeypatch.setattr(ami_module, "LOGIN_TIMEOUT", 0.1)
    pbx = Pbx()
    pbx.delay = 0.3
    async with following(pbx) as (ami, seen):
        await until(lambda: seen.of(facts.AmiUp))
        assert len(pbx.writers) > 1
        await until(lambda: ami.in_step)


async def test_a_list_without_end_is_given_up_and_said(monkeypatch, caplog):
    monkeypatch.setattr(ami_connection, "MAX_ROWS", 50)
    pbx = Pbx()
    pbx.channels = 100
    async with following(pbx) as (ami, seen):
        await until(lambda: seen.of(facts.AmiDown))
        assert not seen.of(facts.ChannelsListed)
        assert "more than 50 rows" in caplog.text
        pbx.channels = 10
        await until(lambda: ami.in_step)


async def test_something_else_than_ami_is_named_once(caplog):
    pbx = Pbx()
    pbx.banner = b"SSH-2.0-OpenSSH_9.2\r\n"
    async with following(pbx) as (ami, seen):
        await until(lambda: ami.link is AmiLink.DOWN)
        await asyncio.sleep(0.5)
        assert seen.facts == []
    assert caplog.text.count("not Asterisk's manager interface") == 1


async def test_nothing_listening_is_said_once_and_tried_again(caplog):
    ami = Ami(host="127.0.0.1", port=9, user="u", secret="s", feed=lambda _: None, now=lambda: 0, suspects=lambda: 0)
    task = asyncio.create_task(ami.follow())
    await until(lambda: ami.link is AmiLink.DOWN)
    await asyncio.sleep(0.5)
    task.cancel()
    assert caplog.text.count("cannot be reached") == 1
