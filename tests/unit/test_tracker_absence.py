"""Real Asterisk's streams while something is away: the directory for some time, the tap between any two events.

Whoever is told late is told the same, and nobody gets a second card for one ring.
"""

import random

import pytest

from fastagi.facts import AmiUp
from tests.call_desk import START, Desk
from tests.channel_lists import PbxShadow, resync
from tests.recordings import Recording, recordings
from tests.replay import desk, play, steps

UNBROKEN = [one for one in recordings() if not any(line.connection for line in one.lines)]
OUTAGES = (0.3, 0.6, 1.0, 1.5, 2.5, 4.0, 6.0, None)
"""Seconds from a recording's start until the directory answers; None: only after the call."""

Outcome = dict[int, list[tuple[object, ...]]]


def name(recording: Recording) -> str:
    return f"{recording.name} {recording.title}"


def outcome(at: Desk) -> Outcome:
    """How every card came out: line, end, who answered, queue, caller."""
    out: Outcome = {}
    for call in at.latest.values():
        by = call.end.answered_by.user_id if call.end is not None and call.end.answered_by is not None else None
        end = call.end.reason.value if call.end is not None else call.state.value
        out.setdefault(call.user_id, []).append((call.line.number, end, by, call.line.queue, call.caller.number))
    return {user: sorted(cards, key=str) for user, cards in sorted(out.items())}


def undisturbed(recording: Recording) -> Desk:
    at = play(desk(recording), steps(recording.lines))
    at.wait(10_000)
    return at


@pytest.mark.parametrize("recording", UNBROKEN, ids=name)
def test_what_the_directory_tells_late_makes_the_same_cards(recording: Recording) -> None:
    calm = undisturbed(recording)
    stream = steps(recording.lines)
    for number in (*sorted(set(calm.asked)), None):
        for until in (one for one in OUTAGES if one is None or one < stream[-1][0]):
            at = desk(recording)
            at.available, at.unanswerable = number is not None, {number or ""}
            for t, fact in stream:
                if until is not None and t >= until:
                    at.available, at.unanswerable = True, set()
                at.wait(max(0, START + int(t * 1000) - at.now - 1))
                at.feed(fact)
            at.wait(3_000)
            at.available, at.unanswerable = True, set()
            at.wait(8_000)
            assert outcome(at) == outcome(calm), f"{number or 'everything'} unknown until {until}"
            at.run_out()
            assert at.tracker.size == 0


@pytest.mark.parametrize("recording", UNBROKEN, ids=name)
def test_a_tap_killed_between_any_two_events_never_doubles_a_card(recording: Recording) -> None:
    calm = undisturbed(recording)
    stream = steps(recording.lines)
    chance = random.Random(recording.name)
    unknown: list[str | None] = [None, *sorted(set(calm.asked))]
    for kill in range(1, len(stream)):
        at, shadow = desk(recording), PbxShadow(recording)
        at.unanswerable = {chance.choice(unknown) or ""}  # the directory may be away as well
        for index, (t, fact) in enumerate(stream):
            at.wait(max(0, START + int(t * 1000) - at.now - 1))
            if index == kill:
                at.restart()
                at.feed(shadow.listed(at.now + 1))
            at.feed(fact)
            shadow.feed(fact, at.now)
        resync(at, shadow)
        at.unanswerable = set()
        at.wait(8_000)
        for user, cards in outcome(at).items():
            assert len(cards) <= len(outcome(calm).get(user, ())), f"killed before {stream[kill][1]}"
        at.run_out()
        assert at.tracker.size == 0


def test_every_recording_but_those_that_lose_the_connection_themselves_is_played() -> None:
    broken = [one for one in recordings() if one not in UNBROKEN]
    assert all(any(isinstance(fact, AmiUp) for _, fact in steps(one.lines)) for one in broken)
    assert len(UNBROKEN) > 200
