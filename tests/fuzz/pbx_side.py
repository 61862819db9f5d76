"""Targets on the PBX's side: AMI, AGI, the facts' and the control socket."""

import asyncio
import contextlib
import socket
import time
import unicodedata
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from fastagi.agi_session import MAX_COMMAND, AGIException, AGISession
from fastagi.ami import Ami, AmiLink
from fastagi.ami_facts import WANTED, listed, pbx_started, translate
from fastagi.ami_wire import MAX_BLOCK, AmiParser, Banner, Message, NotAmi
from fastagi.announce import Announcer
from fastagi.directory import LookupUnavailable
from fastagi.fact_link import FactReceiver, serve_facts
from fastagi.facts import Announced, ChannelsListed, Fact
from fastagi.tap_control import WhyAnswer, serve_control
from fastagi.trace import Trace
from tests.agi_peer import request
from tests.call_desk import Desk, user
from tests.fuzz.inputs import TEXTS, damaged, in_pieces
from tests.fuzz.target import Target, in_memory
from tests.recordings import recordings
from zvonok.call import Caller, Kind

BANNER = b"Asterisk Call Manager/11.0.0\r\n"


def _events() -> list[bytes]:
    """One event of each kind that the recordings have, from either Asterisk."""
    found: dict[bytes, bytes] = {}
    for recording in recordings("*-0.announced"):
        for line in recording.lines:
            if line.ami is not None:
                found.setdefault(line.raw.split(b"\r\n")[0], line.raw)
    return list(found.values())


EVENTS = _events()
OLD_EVENTS = [
    b"Event: Dial\r\nSubEvent: Begin\r\nChannel: SIP/t-1\r\nDestination: SIP/101-2\r\nUniqueID: 1.1\r\n"
    b"DestUniqueID: 1.2\r\n\r\n",
    b"Event: Bridge\r\nBridgestate: Link\r\nUniqueid1: 1.1\r\nUniqueid2: 1.2\r\n\r\n",
    b"Event: Hangup\r\nUniqueid: 1.2\r\nCause: 16\r\n\r\n",
    b"Event: Newstate\r\nState: Up\r\nUniqueid: 1.2\r\nChannel: SIP/101-2\r\n\r\n",
    b"Event: Transfer\r\nTransferType: Blind\r\nUniqueid: 1.2\r\nTargetUniqueid: 1.1\r\nTransferExten: 102\r\n\r\n",
]
ROWS = [
    b"Event: CoreShowChannel\r\nUniqueid: 1.2\r\nChannel: PJSIP/101-2\r\nDuration: 00:00:0x\r\n\r\n",
    b"Response: Success\r\nCoreStartupDate: 2026-01-01\r\nCoreStartupTime: 1\r\n\r\n",
]


# --- AMI


def attack_ami(pieces: list[bytes]) -> None:
    """However the bytes are cut, the same messages come out, and only a peer that is no AMI raises."""
    cut, whole = AmiParser(WANTED), AmiParser(WANTED)
    messages: list[Banner | Message] = []
    with contextlib.suppress(NotAmi):
        for piece in pieces:
            messages += cut.receive(piece)
            assert len(cut._buffer) <= MAX_BLOCK + len(piece)
    with contextlib.suppress(NotAmi):
        assert list(whole.receive(b"".join(pieces))) == messages
    desk = Desk({"101": [user(1, "101")], "20101": [user(1, "20101")], "20102": [user(2, "20102")]})
    rows = [message for message in messages if isinstance(message, Message)]
    for message in rows:
        for fact in translate(message):
            assert msgspec.json.decode(msgspec.json.encode(fact), type=Fact) == fact
            desk.feed(fact)
        if (started := pbx_started(message)) is not None:
            desk.feed(started)
    desk.feed(ChannelsListed(rows=listed(rows, rows), asked_at=desk.now))


def attack_ami_connection(pieces: list[bytes]) -> None:
    """The tap's connection outlives a peer that says anything: it is lost with a sentence, and made again."""

    async def attack() -> None:
        served = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    writer.write(piece)
                writer.write_eof()
                await reader.read()
            writer.close()
            served.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        facts: list[Fact] = []
        ami = Ami(
            host="127.0.0.1", port=port, user="zvonok", secret="s" * 16, feed=facts.append,
            now=lambda: time.time_ns() // 1_000_000, suspects=lambda: 0,
        )  # fmt: skip
        following = asyncio.ensure_future(ami.follow())
        async with asyncio.timeout(10):
            await served.wait()
            while ami.link in (AmiLink.CONNECTING, AmiLink.RESYNCING) and not following.done():
                await asyncio.sleep(0.001)
        assert not following.done(), following.exception()
        server.close()
        following.cancel()
        await asyncio.wait({following})

    asyncio.run(attack())


# --- AGI


class Plan(msgspec.Struct, frozen=True):
    """What a peer sends, and what the directory says: a name, nobody (None), or that it cannot be asked ("down")."""

    sent: list[bytes]
    name: str | None


def attack_agi(plan: Plan) -> None:
    """A session ends in time, with an answer or one of AGI's own exceptions; it writes whole commands only."""

    def who_calls(number: str) -> Caller:
        if plan.name == "down":
            raise LookupUnavailable("no database", late=False)
        return Caller(number=number, name=plan.name, company=plan.name, kind=Kind.DEALER if plan.name else Kind.UNKNOWN)

    facts: list[Announced] = []
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"".join(plan.sent)[:100_000])
        theirs.shutdown(socket.SHUT_WR)
        began = time.monotonic()
        try:
            session = AGISession(ours)
            said = Announcer(who_calls=who_calls, remembered=lambda _: None, send_fact=facts.append)(session)
            assert said in {"announced", "ok", "unknown", "late", "error", "bad_request"}
        except AGIException:
            pass
        assert time.monotonic() - began < 5
        ours.close()
        theirs.settimeout(1)
        written = b"".join(iter(lambda: theirs.recv(65_536), b""))
    *commands, rest = written.split(b"\n")
    assert rest == b""
    for command in commands:
        assert command.startswith((b"SET VARIABLE ", b"VERBOSE "))
        assert len(command) < MAX_COMMAND
        assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs") for char in command.decode())
    for fact in facts:
        assert fact.number
        assert fact.uniqueid
        (read,) = FactReceiver().feed(msgspec.json.encode(fact) + b"\n")
        assert read == fact


@st.composite
def plans(draw: DrawFn) -> Plan:
    options = draw(st.lists(st.sampled_from(["vars", "name", "now", "", "x" * 300, "vars,now", "\u202e"]), max_size=3))
    sample = request("79161234567", "1760000000.1", *options, calleridname=draw(TEXTS), callerid=draw(TEXTS))
    head = [b"".join(sample)] if draw(st.booleans()) else [draw(damaged([b"".join(sample), *sample], most=2))]
    replies = draw(st.lists(st.sampled_from(REPLIES), max_size=8))
    name = draw(st.one_of(st.none(), st.just("down"), TEXTS))
    return Plan([*head, *replies, draw(damaged(REPLIES))], name)


REPLIES = [
    b"200 result=1\n", b"200 result=1 (x)\n", b"HANGUP\n", b"510 Invalid\n", b"520-Usage\n520 End\n", b"511 x\n",
    b"100 Trying\n", b"200 result=-1\n", b"200 result=0 (hangup)\n",
]  # fmt: skip


# --- the two unix sockets


def attack_fact_link(pieces: list[bytes]) -> None:
    """The tap's receiver outlives any bytes, wherever they are cut, and takes the next good fact."""
    cut, whole = FactReceiver(), FactReceiver()
    found = [message for piece in pieces for message in cut.feed(piece)]
    assert found == whole.feed(b"".join(pieces))
    good = Announced(uniqueid="good", linkedid="good", channel="PJSIP/t-1", number="101")

    async def attack(path: Path) -> None:
        facts: list[Announced] = []
        listening = asyncio.Event()
        serving = asyncio.ensure_future(serve_facts(path, facts.append, lambda stats: None, listening=listening))
        await listening.wait()
        for lines in (pieces, [msgspec.json.encode(good) + b"\n"]):
            _, writer = await asyncio.open_unix_connection(str(path))
            with contextlib.suppress(ConnectionError):
                for piece in lines:
                    writer.write(piece)
                await writer.drain()
            writer.close()
        async with asyncio.timeout(10):
            while good not in facts and not serving.done():
                await asyncio.sleep(0.001)
        assert not serving.done(), serving.exception()
        serving.cancel()
        await asyncio.wait({serving})

    with in_memory() as directory:
        asyncio.run(attack(directory / "facts.sock"))


FACT_LINES = [
    b'{"type":"announced","uniqueid":"1.1","linkedid":"1.1","channel":"PJSIP/t-1","number":"101"}\n',
    b'{"type":"announced","uniqueid":"1.1","linkedid":"1.1","channel":"x","number":"1","caller":{"name":"\\u0000"}}\n',
    b'{"type":"fastagi_stats","started_at":1,"sessions":{"ok":1},"durations":[1],"seconds":0.5,"workers":64,"busy":0,'
    b'"facts_lost":0}\n',
    b'{"type":"announced","x":' + b"[" * 3000 + b"\n",
    b"[" * 3000 + b"\n",
]


def attack_control(question: bytes) -> None:
    """The control socket answers or hangs up, and answers the next question."""

    async def ask(path: Path, line: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(line)
        writer.write_eof()
        try:
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def attack(path: Path) -> None:
        trace = Trace()
        serving = asyncio.ensure_future(serve_control(path, lambda q: _why(trace, q.wanted, q.last)))
        async with asyncio.timeout(10):
            while not path.is_socket():
                await asyncio.sleep(0.001)
            said = await ask(path, question)
            assert said == b"" or msgspec.json.decode(said, type=WhyAnswer)
            assert msgspec.json.decode(await ask(path, b"{}\n"), type=WhyAnswer)
        serving.cancel()
        await asyncio.wait({serving})

    with in_memory() as directory:
        asyncio.run(attack(directory / "tap.sock"))


def _why(trace: Trace, wanted: str | None, last: int) -> WhyAnswer:
    return WhyAnswer(
        calls=trace.last(last, wanted=wanted), ami_up=True, ami_state="up", notifier_ok=True, notifier_state="ok"
    )


TARGETS: list[Target[Any]] = [
    Target("ami", in_pieces(damaged([*EVENTS, *OLD_EVENTS, *ROWS]).map(lambda data: BANNER + data)), attack_ami,
           codec=list[bytes], quick=60),
    Target("ami-greeting", in_pieces(damaged([BANNER, *ROWS], most=3)), attack_ami, codec=list[bytes], quick=30),
    Target("ami-connection", in_pieces(damaged([BANNER, *EVENTS[:5], *ROWS], most=4)), attack_ami_connection,
           codec=list[bytes], quick=8),
    Target("agi", plans(), attack_agi, codec=Plan, quick=60),
    Target("fact-link", in_pieces(damaged(FACT_LINES)), attack_fact_link, codec=list[bytes], quick=25),
    Target("control", st.one_of(damaged([b'{"wanted":"101","last":5}\n', b"[" * 3000, b'{"x":' + b"[" * 3000]),
                                st.binary(max_size=40)), attack_control, codec=bytes, quick=15),
]  # fmt: skip
