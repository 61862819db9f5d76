"""Targets within the tap: its journal, its tracker, and the one restored from the other."""

import itertools
from typing import Any

import msgspec
from hypothesis import strategies as st

from fastagi.facts import AmiUp, ChannelsListed, Fact
from fastagi.history_follower import HistoryFollower
from fastagi.journal import Journal, Position
from fastagi.known_calls import KnownCalls
from fastagi.records import Record
from fastagi.tracker import Tracker
from tests.call_desk import Desk, user
from tests.fuzz.inputs import of_type
from tests.fuzz.target import Target, in_memory
from zvonok.call import State

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

    with in_memory() as directory:
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
        payload = msgspec.json.encode(record)
        known.add(msgspec.json.decode(payload, type=Record), payload)
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


TARGETS: list[Target[Any]] = [
    Target("journal", DIARIES, attack_journal, codec=Diary, quick=40),
    Target("tracker", STEPS, attack_tracker, codec=list[Step], quick=40),
    Target("restore", st.lists(of_type(Record, RECORD_FIELDS), max_size=6), attack_restore, codec=list[Record],
           quick=60),
]  # fmt: skip
