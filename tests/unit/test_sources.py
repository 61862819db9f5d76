"""PBXs: up or silent, complete or not, and their clocks."""

import logging

import pytest

from notifier.sources import SILENCE_MS, Clock, Sources
from tests.notifier_server import a_call

NOW = 1_800_000_000_000


def test_the_fastest_message_tells_the_clocks_difference() -> None:
    clock = Clock()
    for delay in (30, 5, 200):
        clock.sample(NOW - 5000 - delay, now=NOW)
    assert clock.offset_ms == 5005


def test_a_clock_that_was_set_is_believed_at_once_or_within_a_minute() -> None:
    clock = Clock()
    clock.sample(NOW, now=NOW)
    clock.sample(NOW + 7000, now=NOW)
    assert clock.offset_ms == -7000
    for second in range(61):
        clock.sample(NOW + second * 1000, now=NOW + second * 1000)
    assert clock.offset_ms == 0


def test_times_are_shifted_to_our_clock_and_back() -> None:
    sources = Sources()
    sources.heard("main", there=NOW - 3000, now=NOW)
    call = sources.to_our_clock(a_call(ring_started_at=NOW - 3000, answered_at=NOW - 2000))
    assert (call.ring_started_at, call.answered_at, call.ended_at) == (NOW, NOW + 1000, None)
    assert sources.to_their_clock("main", NOW) == NOW - 3000
    unknown = a_call(pbx="unheard", ring_started_at=5)
    assert sources.to_our_clock(unknown) is unknown


def test_a_skewed_clock_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    sources = Sources()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            sources.heard("main", there=NOW - 1500, now=NOW)
    assert [record.getMessage() for record in caplog.records] == [
        "the clock of PBX main is 1500 ms behind ours; cards are corrected, but run NTP on both hosts"
    ]


def test_silence_is_told_once_and_so_is_the_return() -> None:
    sources = Sources()
    assert not sources.heard("main", there=NOW, now=NOW)
    assert sources.silent(now=NOW + SILENCE_MS) == []
    assert sources.silent(now=NOW + SILENCE_MS + 1) == ["main"]
    assert sources.silent(now=NOW + SILENCE_MS + 2) == []
    assert sources.down() == ["main"]
    assert sources.heard("main", there=NOW, now=NOW + 20_000)
    assert not sources.heard("main", there=NOW, now=NOW + 20_001)
    assert sources.down() == []


def test_only_a_pbx_that_is_heard_and_said_so_is_complete() -> None:
    sources = Sources()
    assert not sources.set_complete("unheard", True)
    sources.heard("main", there=NOW, now=NOW)
    assert sources.complete() == []
    assert sources.set_complete("main", True)
    assert not sources.set_complete("main", True)
    assert sources.complete() == ["main"]
    sources.silent(now=NOW + SILENCE_MS + 1)
    assert sources.complete() == []
    assert sources.lost(600_000, now=NOW + 600_000) == []
    assert sources.lost(600_000, now=NOW + 600_001) == ["main"]
    assert sources.lost(600_000, now=NOW + 600_002) == []
