"""Targets on the PBX's side: AMI, AGI, the facts' and the control socket, the journal, the tracker."""

import asyncio
import contextlib
import itertools
import os
import socket
import tempfile
import time
import unicodedata
from collections.abc import Iterator
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
from fastagi.facts import AmiUp, Announced, ChannelsListed, Fact
from fastagi.history_follower import HistoryFollower
from fastagi.journal import Journal, Position
from fastagi.known_calls import KnownCalls
from fastagi.records import Record
from fastagi.tap_control import WhyAnswer, serve_control
from fastagi.trace import Trace
from fastagi.tracker import Tracker
from tests.agi_peer import request
from tests.call_desk import Desk, user
from tests.fuzz.inputs import TEXTS, damaged, in_pieces, of_type
from tests.fuzz.target import Target
from tests.recordings import recordings
from zvonok.call import Caller, Kind, State

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

    with _directory() as directory:
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

    with _directory() as directory:
        asyncio.run(attack(directory / "tap.sock"))


def _why(trace: Trace, wanted: str | None, last: int) -> WhyAnswer:
    return WhyAnswer(
        calls=trace.last(last, wanted=wanted), ami_up=True, ami_state="up", notifier_ok=True, notifier_state="ok"
    )


# --- the journal


class Damage(msgspec.Struct, frozen=True):
    """At `place` (a share of the file) of file number `file`, `length` bytes become `data`."""

    file: int
    place: float
    length: int
    data: bytes


class Diary(msgspec.Struct, frozen=True):
    """What was written, what then happened to the files, and what the history's cursor says."""

    payloads: list[bytes]
    damages: list[Damage]
    cursor: bytes


def attack_journal(diary: Diary) -> None:
    """Whatever happened to the files, what is restored was once written, and writing goes on."""

    def opened(*, restoring: bool) -> tuple[Journal, list[bytes]]:
        journal = Journal(directory / "journal", checkpoint=lambda: [b'"c"'], segment_bytes=200)
        found = list(journal.restore()) if restoring else []
        journal.open(kept=lambda: Position(0))
        return journal, found

    with _directory() as directory:
        journal, _ = opened(restoring=True)
        for payload in diary.payloads:
            journal.append(payload)
        journal.close()
        files = sorted((directory / "journal").glob("*.log"))
        for damage in diary.damages:
            path = files[damage.file % len(files)]
            data = bytearray(path.read_bytes())
            start = int(damage.place * len(data))
            data[start : start + damage.length] = damage.data
            path.write_bytes(data)
        journal, found = opened(restoring=True)
        assert set(found) <= {*diary.payloads, b'"c"'}
        journal.append(b'"new"')
        (directory / "history.cursor").write_bytes(diary.cursor)
        follower = HistoryFollower(journal, _Nobody(), directory)
        read, position = journal.read(follower.position)
        assert set(read) <= {*diary.payloads, b'"c"', b'"new"'}
        assert position >= follower.position
        journal.close()
        journal, found = opened(restoring=True)
        assert b'"new"' in found
        journal.close()


class _Nobody:
    async def write(self, calls: object) -> list[Any]:
        return []


PAYLOADS = st.one_of(
    st.sampled_from([b'"a"', b"checkpoint 1", b"{}", b'{"x":1}', b"0" * 300]),
    st.binary(max_size=30).filter(lambda data: b"\n" not in data),
)
DIARIES = st.builds(
    Diary,
    st.lists(PAYLOADS.filter(lambda data: not data.startswith(b"checkpoint ")), max_size=12),
    st.lists(
        st.builds(
            Damage, st.integers(0, 9), st.floats(0, 1, exclude_max=True), st.integers(0, 40),
            st.one_of(st.binary(max_size=30), st.sampled_from([b"\n", b"00000000 {}\n", b"checkpoint 0"])),
        ),
        max_size=4,
    ),
    st.one_of(
        st.sampled_from([b"", b"{}", b'{"segment":-1,"offset":-1}', b'{"segment":99999999999999999999}', b"[" * 3000,
                         b'{"segment":1,"offset":9999999}', b'{"segment":1,"offset":7}']),
        st.binary(max_size=20),
    ),
)  # fmt: skip


# --- the tracker


class Wait(msgspec.Struct, frozen=True, tag="wait"):
    """Time passes."""

    ms: int


class Restart(msgspec.Struct, frozen=True, tag="restart"):
    """The tap is killed, and restored from what it wrote."""


class Silence(msgspec.Struct, frozen=True, tag="silence"):
    """The directory stops answering, or begins to."""


Step = Fact | Wait | Restart | Silence
UNIQUEIDS = st.sampled_from(["1.1", "1.2", "1.3", "1.4"])
NAMES = st.sampled_from(
    ["PJSIP/101-1", "PJSIP/102-2", "PJSIP/trunk-3", "Local/101@x-1;1", "Local/101@x-1;2", "", "\u202e/-"]
)
PEOPLE = {"101": [user(1, "101"), user(2, "101")], "102": [user(2, "102")], "5551": [user(3, "5551")]}
OWNERS = st.lists(st.sampled_from([owner for owners in PEOPLE.values() for owner in owners]), max_size=3).map(tuple)
FIELDS: dict[str, Any] = {
    "uniqueid": UNIQUEIDS,
    "linkedid": st.one_of(UNIQUEIDS, st.none()),
    "swap": st.one_of(UNIQUEIDS, st.none()),
    "channel_name": NAMES,
    "name": st.one_of(NAMES, st.none()),
    "number": st.sampled_from(["101", "102", "5551", "", "\x00", "7" * 300]),
    "exten": st.sampled_from(["101", "102", "s", None]),
    "extension": st.sampled_from(["101", "102", None]),
    "bridge_id": st.sampled_from(["b1", "b2"]),
    "from_bridge_id": st.sampled_from(["b1", "b2"]),
    "to_bridge_id": st.sampled_from(["b1", "b2"]),
    "ask_id": st.sampled_from([f"id-{n}" for n in range(1, 9)] + ["warm-owners-1"]),
    "owners": OWNERS,
    "status": st.sampled_from(["ANSWER", "BUSY", "NOANSWER", "CANCEL", "CHANUNAVAIL", "", "?"]),
    "dial_string": st.sampled_from(["101", "PJSIP/101", "102@trunk", "trunk/5551", None, "@", "/"]),
    "state": st.sampled_from([0, 4, 5, 6, None, 99]),
    "dest_type": st.sampled_from(["Bridge", "App", "Link", "Threeway", "Fail", ""]),
    "started": st.sampled_from(["2026-01-01 00:00:00", "2026-01-01 00:00:01"]),
    "asked_at": st.integers(1_699_999_990_000, 1_700_000_100_000),
    "parker_dial_string": st.sampled_from(["PJSIP/101", "", None]),
    "duration_ms": st.integers(-1, 10_000_000_000),
}  # fmt: skip
# A fact's own `name` (Renamed) must be text.
FACTS = of_type(Fact, FIELDS | {"name": NAMES, "linkedid": UNIQUEIDS})


def attack_tracker(steps: list[Step]) -> None:
    """Nothing raises, `Desk`'s invariants hold at each step, and when all is over nothing is left."""
    desk = Desk(PEOPLE)
    for step in steps:
        match step:
            case Wait(ms=ms):
                desk.wait(ms)
            case Restart():
                desk.restart()
            case Silence():
                desk.available = not desk.available
            case ChannelsListed():  # it was asked for before now
                desk.feed(msgspec.structs.replace(step, asked_at=min(step.asked_at, desk.now)))
            case _:
                desk.feed(step)
    desk.available = True
    desk.feed(AmiUp())
    for _ in range(3):
        desk.feed(ChannelsListed(rows=(), asked_at=desk.now))
        desk.wait(700)
    desk.run_out()
    assert desk.tracker.live == []
    assert all(call.state is State.ENDED for call in desk.latest.values())
    assert desk.tracker.size == 0


STEPS = st.lists(
    st.one_of(FACTS, FACTS, FACTS, st.builds(Wait, st.integers(0, 3_000)), st.builds(Restart), st.builds(Silence)),
    max_size=25,
)


def attack_restore(records: list[Record]) -> None:
    """Whatever records a journal holds, the tracker starts from them, goes on, and everything ends."""
    known = KnownCalls(600_000)
    for record in records:
        known.add(msgspec.json.decode(msgspec.json.encode(record), type=Record))
    ids = itertools.count(1)
    tracker = Tracker(pbx="test", new_id=lambda: f"new-{next(ids)}")
    now = 1_700_000_000_000
    known.forget_old(now)
    tracker.restore(known.records())
    tracker.feed(AmiUp(), now=now)
    for _ in range(3):
        now += 700
        tracker.feed(ChannelsListed(rows=(), asked_at=now), now=now)
        tracker.tick(now=now)
    checkpoint = tracker.records()
    assert [msgspec.json.decode(msgspec.json.encode(record), type=Record) for record in checkpoint] == checkpoint


RECORD_FIELDS = {
    **{name: FIELDS[name] for name in ("uniqueid", "number", "state")},
    "call_id": st.sampled_from(["c1", "c2"]),
    "unresolved_id": st.sampled_from(["u1", "u2", "c1"]),
    "first_linkedid": UNIQUEIDS,
    "source": st.one_of(UNIQUEIDS, st.none()),
    "channel": NAMES,
    "user_id": st.integers(1, 3),
    "rev": st.integers(0, 2**53),
    "began_at": st.integers(0, 1_700_000_000_000),
    "state": st.sampled_from(list(State)),
}


@contextlib.contextmanager
def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(
        prefix="zvonok-fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None
    ) as path:
        yield Path(path)


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
    Target("journal", DIARIES, attack_journal, codec=Diary, quick=40),
    Target("tracker", STEPS, attack_tracker, codec=list[Step], quick=40),
    Target("restore", st.lists(of_type(Record, RECORD_FIELDS), max_size=6), attack_restore, codec=list[Record],
           quick=60),
]  # fmt: skip
