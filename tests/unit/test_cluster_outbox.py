"""The outbox against a bucket that loses, delays, repeats and reorders what is put into it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zvonok.cluster.outbox import MAX_RETRY_S, RETRY_S, WINDOW, Outbox, Sending


def test_only_the_latest_of_a_key_is_sent() -> None:
    box = Outbox[str]()
    box.offer("a", "old")
    box.offer("a", "new")
    assert [put.item for put in box.due(0)] == ["new"]
    assert box.due(0.1) == []


def test_what_is_not_answered_is_sent_again_and_what_was_replaced_is_not() -> None:
    box = Outbox[str]()
    box.offer("a", "ringing")
    box.offer("b", "ringing")
    box.due(0)
    box.offer("a", "talking")
    assert [put.item for put in box.due(0.1)] == ["talking"]
    assert [(put.subject, put.item) for put in box.due(RETRY_S)] == [("b", "ringing")]
    assert box.next_due(RETRY_S) == pytest.approx(0.1)


def test_it_is_patient_with_a_slow_bucket_and_believes_every_answer_to_what_it_sent() -> None:
    box = Outbox[str]()
    box.offer("a", "ringing")
    (first,) = box.due(0)
    assert [put.item for put in box.due(1)] == ["ringing"]
    assert box.due(2.9) == []
    assert [put.item for put in box.due(3)] == ["ringing"]
    assert box.stored(first.token, 1)
    assert len(box) == 0
    assert box.due(100) == []


def test_what_is_later_waits_for_what_is_not() -> None:
    box = Outbox[str]()
    box.offer("past", "ended", later=True)
    box.offer("now", "ringing")
    assert [put.subject for put in box.due(0)] == ["now", "past"]


def test_a_window_is_sent_at_once_and_the_rest_after_it() -> None:
    box = Outbox[int]()
    for number in range(WINDOW + 1):
        box.offer(str(number), number)
    assert len(box.due(0)) == WINDOW
    assert box.unsent
    assert box.next_due(0) == 0
    assert len(box.due(0)) == 1


def test_a_bucket_that_counts_from_the_start_again_is_a_new_one() -> None:
    box = Outbox[str]()
    for sequence in (1_000, 1_001):
        box.offer("a", str(sequence))
        (put,) = box.due(0)
        assert box.stored(put.token, sequence)
    assert not box.stored(box.ticket(), 1)
    box.offer("a", "again")
    assert box.due(0)[0].expected == 0


def test_an_answer_that_comes_late_is_no_new_bucket() -> None:
    box = Outbox[str]()
    first, second = box.ticket(), box.ticket()
    assert box.stored(second, 8)
    assert box.stored(first, 7)


def test_what_the_bucket_will_never_take_is_dropped_unless_something_newer_waits() -> None:
    box = Outbox[str]()
    box.offer("a", "too big")
    (put,) = box.due(0)
    box.offer("a", "small")
    assert box.refused(put.token) is None
    (put,) = box.due(0)
    assert box.refused(put.token) == "small"
    assert len(box) == 0


class Bucket:
    """A key-value bucket that keeps to expected sequences, and a network that may do anything but invent."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[int, int]] = {}
        self.sequence = 0

    def put(self, put: Sending[int]) -> int | None:
        """Its sequence, or None: the key stands elsewhere."""
        if self.values.get(put.subject, (0, 0))[0] != put.expected:
            return None
        self.sequence += 1
        self.values[put.subject] = (self.sequence, put.item)
        return self.sequence


@given(st.integers(0, 2**32), st.integers(1, 80))
def test_whatever_the_network_does_the_bucket_ends_with_the_newest_of_each_key(seed: int, steps: int) -> None:
    chance = random.Random(seed)
    box, bucket = Outbox[int](), Bucket()
    newest: dict[str, int] = {}
    on_the_way: list[Sending[int]] = []
    now = 0.0
    for step in range(steps):
        match chance.randrange(5):
            case 0 | 1:
                key = chance.choice("abc")
                newest[key] = step
                box.offer(key, step, later=chance.random() < 0.3)
            case 2:
                now += chance.choice([0.1, RETRY_S])
                on_the_way += box.due(now)
            case 3 if on_the_way:  # anything arrives, in any order; the answer may be lost
                put = on_the_way.pop(chance.randrange(len(on_the_way)))
                _arrives(box, bucket, put, answered=chance.random() < 0.7)
            case 4:
                box.disconnected()
    while len(box):
        now += MAX_RETRY_S
        for put in box.due(now):
            _arrives(box, bucket, put, answered=True)
    for put in on_the_way:  # long after: what a dead connection still held
        _arrives(box, bucket, put, answered=False)
    assert {key: item for key, (_, item) in bucket.values.items()} == newest


def _arrives(box: Outbox[int], bucket: Bucket, put: Sending[int], *, answered: bool) -> None:
    sequence = bucket.put(put)
    if not answered:
        return
    if sequence is None:
        box.outdated(put.token, bucket.values.get(put.subject, (0, 0))[0])
    else:
        box.stored(put.token, sequence)
