"""The demonstration's calls are real recordings, with other people in them and nothing else changed."""

import msgspec
import pytest

from demo.calls import DIRECTORY, RecordedCall, recorded_calls
from tests.recordings import DATA

CALLS = recorded_calls()


def ids(call: RecordedCall) -> str:
    return call.head.recording


def test_there_are_calls_of_several_kinds():
    assert len(CALLS) == len(list(DIRECTORY.iterdir())) >= 5


@pytest.mark.parametrize("call", CALLS, ids=ids)
def test_each_is_a_recording_of_a_real_asterisk_to_the_letter(call):
    original = (DATA / f"{call.head.recording}.jsonl").read_text().splitlines()
    sidecar = msgspec.json.decode((DATA / f"{call.head.recording}.json").read_bytes())
    assert list(call.text) == original
    assert call.head.asterisk == sidecar["asterisk"]
    assert list(call.head.people) == [number for numbers in sidecar["people"].values() for number in numbers]


@pytest.mark.parametrize("call", CALLS, ids=ids)
def test_a_replay_has_the_given_numbers_and_ids_of_its_own(call):
    first, second = list(call.replay("79990001122", ["101", "202"])), list(call.replay("79990001122", ["101", "202"]))
    text, again = str(first), str(second)
    assert call.head.caller not in text
    assert call.head.people[0] not in text
    assert "PJSIP/101-" in text

    def channels(lines):
        return {line.headers["Uniqueid"] for line in lines if "Uniqueid" in line.headers}

    assert len(channels(first)) > 1
    assert not channels(first) & channels(second)
    assert len(text) == pytest.approx(len(again), rel=0.01)


def test_the_linkedid_stays_that_of_the_calling_channel():
    [answered] = [call for call in CALLS if call.head.recording.startswith("asterisk-22/01-0")]
    lines = list(answered.replay("79990001122", ["101"]))
    announced = next(line.announced for line in lines if line.announced)
    dial = next(line.headers for line in lines if line.headers.get("Event") == "DialBegin")
    assert announced["uniqueid"] == announced["linkedid"] == dial["Uniqueid"] == dial["DestLinkedid"]
