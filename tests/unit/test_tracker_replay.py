"""Real Asterisk's streams through the tracker: whole, and damaged in every way that a tap may come to see.

`Desk` checks on each step what must always hold (revisions rise, ended is final, nothing goes back, only owners are
addressed); each test adds what its damage must not change.
"""

import random
from collections import Counter

import msgspec
import pytest

from fastagi.ami_facts import translate
from fastagi.ami_wire import AmiParser, Message
from fastagi.endpoints import local_pair
from fastagi.facts import AmiDown, Announced, ChannelNew, DialBegan, HungUp, Renamed
from tests.call_desk import Desk
from tests.recordings import Episode, Recording, recordings
from tests.replay import Step, as_text, desk, message, play, seen, steps
from zvonok.call import State

RECORDINGS = list(recordings())
# Damaging a stream at each of its events costs the square of its length: of each scenario one stream is damaged at
# every event, the others (the same events from version 16, or without the announcement) at some.
WHOLLY = [one for one in RECORDINGS if one.version == "22" and one.mode == "announced"]
SOME = 8
ANNOUNCED = [one for one in RECORDINGS if one.mode == "announced"]


def places(recording: Recording, count: int) -> list[int]:
    """At which of `count` events to damage its stream: numbers from 1 on."""
    every = range(1, count)
    if recording in WHOLLY or len(every) <= SOME:
        return list(every)
    return random.Random(recording.name).sample(every, SOME)


def name(recording: Recording) -> str:
    return f"{recording.name} {recording.title}"


def expected(recording: Recording, at: Desk) -> tuple[dict[int, list[Episode]], dict[int, list[Episode]]]:
    """What was seen, and what had to be. A ring group's number (issue: its name is the card's line) is the tracker's
    own rule, told in test_tracker.py: where the recording expects no queue, none is compared."""
    got = seen(at)
    want = {user: list(episodes) for user, episodes in recording.expected.items()}
    for user, episodes in got.items():
        for index, episode in enumerate(episodes):
            if index < len(want.get(user, [])) and want[user][index].queue is None:
                episodes[index] = msgspec.structs.replace(episode, queue=None)
    return got, want


def comes_to_an_end(at: Desk) -> None:
    """Nothing may ring beyond the watchdog."""
    at.run_out()
    assert all(call.state is not State.RINGING for call in at.latest.values())


@pytest.mark.parametrize("recording", RECORDINGS, ids=name)
def test_a_recorded_call_gives_every_owner_exactly_his_cards(recording: Recording) -> None:
    at = play(desk(recording), steps(recording.lines))
    got, want = expected(recording, at)
    assert as_text(got) == as_text(want)
    at.run_out()
    assert at.tracker.size == 0


@pytest.mark.parametrize("recording", ANNOUNCED, ids=name)
@pytest.mark.parametrize("place", ["with its channel", "before AMI's word", "a while later"])
def test_where_an_announcement_comes_in_the_stream_makes_no_difference(recording: Recording, place: str) -> None:
    moved = steps(recording.lines)
    firsts = {fact.uniqueid: fact for _, fact in reversed(moved) if isinstance(fact, Announced)}
    for uniqueid, fact in firsts.items():  # a channel's second announcement (after a transfer) stays where it is
        moved.pop(next(index for index, step in enumerate(moved) if step[1] is fact))
        born = next(i for i, (_, o) in enumerate(moved) if isinstance(o, ChannelNew) and o.channel.uniqueid == uniqueid)
        dials = [i for i, (_, o) in enumerate(moved) if isinstance(o, DialBegan) and o.source is not None]
        dial = next((i for i in dials if moved[i][1].source.uniqueid == uniqueid), born)  # type: ignore[union-attr]
        at = {"with its channel": born + 1, "before AMI's word": born, "a while later": dial + 1}[place]
        moved.insert(at, (moved[min(at, len(moved) - 1)][0], fact))
    got, want = expected(recording, play(desk(recording), moved))
    assert as_text(got) == as_text(want)


@pytest.mark.parametrize("recording", RECORDINGS, ids=name)
def test_events_that_come_twice_change_nothing(recording: Recording) -> None:
    doubled = [step for step in steps(recording.lines) for _ in range(2)]
    at = play(desk(recording), doubled)
    got, want = expected(recording, at)
    assert as_text(got) == as_text(want)


@pytest.mark.parametrize("recording", RECORDINGS, ids=name)
def test_channels_that_are_renamed_in_mid_call_change_nothing(recording: Recording) -> None:
    chance = random.Random(recording.name)
    stream: list[Step] = []
    alive: list[str] = []
    for t, fact in steps(recording.lines):
        stream.append((t, fact))
        if isinstance(fact, ChannelNew) and local_pair(fact.channel.name or "") is None:
            alive.append(fact.channel.uniqueid)  # a Local channel that takes a phone's name is a phone from then on
        elif isinstance(fact, AmiDown):
            alive.clear()
        elif isinstance(fact, HungUp) and fact.channel.uniqueid in alive:
            alive.remove(fact.channel.uniqueid)
        if alive and chance.random() < 0.3:
            stream.append((t, Renamed(uniqueid=chance.choice(alive), name=f"Other/{chance.randrange(999)}-0000")))
    got, want = expected(recording, play(desk(recording), stream))
    assert as_text(got) == as_text(want)


def is_local(fact: DialBegan) -> bool:
    """Whether the second half of a Local channel dials."""
    return fact.source is not None and (fact.source.name or "").endswith(";2")


THROUGH_LOCAL = [
    one for one in RECORDINGS if any(isinstance(fact, DialBegan) and is_local(fact) for _, fact in steps(one.lines))
]


@pytest.mark.parametrize("recording", THROUGH_LOCAL, ids=name)
def test_what_a_local_channel_dials_may_be_told_before_the_dial_that_called_it(recording: Recording) -> None:
    # Two threads of Asterisk tell these; on a busy 16.28 the inner one was seen to come first.
    moved = steps(recording.lines)
    for step in [step for step in moved if isinstance(step[1], DialBegan) and is_local(step[1])]:
        first_half = (step[1].source.name or "")[:-1] + "1"  # type: ignore[union-attr]
        outer = [i for i, (_, fact) in enumerate(moved) if isinstance(fact, DialBegan) and fact.dest.name == first_half]
        inner = moved.index(step)
        if outer and outer[0] < inner:
            moved.pop(inner)
            moved.insert(outer[0], (moved[outer[0]][0], step[1]))
    got, want = expected(recording, play(desk(recording), moved))
    assert as_text(got) == as_text(want)


@pytest.mark.parametrize("recording", RECORDINGS, ids=name)
def test_a_tap_that_attaches_in_mid_call_never_breaks_a_rule(recording: Recording) -> None:
    stream = steps(recording.lines)
    for start in places(recording, len(stream)):
        at = play(desk(recording), stream[start:])
        comes_to_an_end(at)


@pytest.mark.parametrize("recording", RECORDINGS, ids=name)
def test_a_stream_that_breaks_off_ends_every_ringing_card_by_the_watchdog(recording: Recording) -> None:
    stream = steps(recording.lines)
    for end in places(recording, len(stream)):
        at = play(desk(recording), stream[:end])
        comes_to_an_end(at)
        many = Counter(call.user_id for call in at.latest.values())
        assert all(count <= len(recording.expected.get(user, ())) for user, count in many.items())


@pytest.mark.parametrize("recording", RECORDINGS, ids=name)
def test_neighbouring_events_that_change_places_never_break_a_rule(recording: Recording) -> None:
    stream = steps(recording.lines)
    for second in places(recording, len(stream)):
        first = second - 1
        swapped = [*stream[:first], stream[second], stream[first], *stream[second + 1 :]]
        at = play(desk(recording), swapped)
        assert set(seen(at)) <= set(recording.expected), f"{stream[first]} after {stream[second]}"
        comes_to_an_end(at)


def test_two_calls_at_once_are_told_apart() -> None:
    pairs = zip(RECORDINGS, RECORDINGS[7:] + RECORDINGS[:7], strict=True)
    for one, two in pairs:
        if one.people.keys() & two.people.keys() or one.version != two.version:
            continue
        if any(line.connection or line.channels is not None for line in (*one.lines, *two.lines)):
            continue
        both = desk(one)
        both.owners.update(desk(two).owners)
        stream = sorted(steps(one.lines) + steps(two.lines), key=lambda step: step[0])
        if len(_uniqueids(one) & _uniqueids(two)):
            continue
        play(both, stream)
        got = as_text(seen(both))
        apart = seen(play(desk(one), steps(one.lines))) | seen(play(desk(two), steps(two.lines)))
        assert got == as_text(apart), f"{one.name} with {two.name}"


def _uniqueids(recording: Recording) -> set[str]:
    return {fact.channel.uniqueid for _, fact in steps(recording.lines) if isinstance(fact, ChannelNew)}


@pytest.mark.parametrize("recording", RECORDINGS, ids=name)
def test_the_wire_parser_gives_the_same_events_however_the_bytes_are_cut(recording: Recording) -> None:
    whole = b"Asterisk Call Manager/11.0.0\r\n" + b"".join(line.raw for line in recording.lines if line.ami)
    names = {line.ami[0].removeprefix("Event: ") for line in recording.lines if line.ami}
    together = list(AmiParser(names).receive(whole))
    chance = random.Random(recording.name)
    parser, apart, rest = AmiParser(names), [], whole
    while rest:
        size = chance.choice((1, 2, 3, 50, 1000))
        apart += list(parser.receive(rest[:size]))
        rest = rest[size:]
    assert apart == together
    assert len(together) == 1 + sum(line.ami is not None for line in recording.lines)


@pytest.mark.parametrize("recording", RECORDINGS, ids=name)
def test_a_channels_snapshot_says_the_same_read_at_once_or_header_by_header(recording: Recording) -> None:
    for line in recording.lines:
        if line.ami is not None:
            at_once = message(line.ami)
            assert translate(at_once) == translate(Message(at_once.event, dict(at_once.headers)))
