"""Housekeeping: a frozen heap must not keep what ended."""

import gc
import weakref

from notifier.process import Housekeeping


class Cycle:
    """Garbage that only the collector frees."""

    def __init__(self) -> None:
        self.me = self


def test_what_was_frozen_and_ended_is_freed_after_enough_ends() -> None:
    opened, held = 0, 0
    housekeeping = Housekeeping(opened=lambda: opened, held=lambda: held)
    try:
        cycle: Cycle | None = Cycle()
        assert cycle
        gone = weakref.ref(cycle)
        opened = held = 500
        housekeeping.look()
        assert gc.get_freeze_count() > 0
        cycle = None
        gc.collect()
        assert gone() is not None  # frozen: out of the collector's sight
        opened, held = 2_499, 500
        housekeeping.look()
        assert gone() is not None
        opened = 2_500
        housekeeping.look()
        assert gone() is None
    finally:
        gc.unfreeze()


def test_few_connections_freeze_nothing() -> None:
    before = gc.get_freeze_count()
    Housekeeping(opened=lambda: 499, held=lambda: 10).look()
    assert gc.get_freeze_count() == before
