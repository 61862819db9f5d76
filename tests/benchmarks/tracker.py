"""The tracker alone: what a step costs, and that memory stays flat.

Calls are recordings of a real Asterisk with fresh ids, one after another. Only steps are timed, not their parsing.
"""

import gc
import time
from itertools import islice
from pathlib import Path

from fastagi.ami_facts import WANTED, translate
from fastagi.ami_wire import AmiParser, Message
from tests.benchmarks.pbx_stream import Follower, calls
from tests.benchmarks.size import Size
from tests.benchmarks.targets import Target

BATCH = 500


def measure(size: Size) -> list[Target]:
    """Follow calls, print what was seen on the way, and return the tracker's targets."""
    return follow(size.of(100, 20_000, 1_000_000, medium=200_000))


def follow(size: int) -> list[Target]:
    """Follow `size` calls."""
    parser, follower = AmiParser(WANTED), Follower()
    list(parser.receive(b"Asterisk Call Manager/11.0.0\r\n"))
    words, spent, seen, early = calls(), 0.0, 0, 0.0
    print(f"\nTracker\n{'calls':>9} {'us/step':>8} {'held':>6} {'RSS, MiB':>9}")
    while seen < size:
        batch = islice(words, min(BATCH, size - seen))
        facts = [
            fact
            for call in batch
            for message in parser.receive(call)
            if isinstance(message, Message)
            for fact in translate(message)
        ]
        began = time.process_time()
        for fact in facts:
            follower.feed(fact)
        spent += time.process_time() - began
        seen = min(size, seen + BATCH)
        if not early and seen >= size / 10:
            early = _resident_mib()
        if seen % max(BATCH, size // 10 // BATCH * BATCH) == 0 or seen == size:
            us = spent / follower.facts * 1e6
            print(f"{seen:9} {us:8.1f} {follower.tracker.size:6} {_resident_mib():9.1f}", flush=True)
    print(f"{follower.facts} steps, {follower.states} states for owners\n")
    return [
        Target("tracker: a step", spent / follower.facts * 1e6, 30, "us"),
        Target(f"tracker: memory after {size} calls, against after a tenth", _resident_mib() / early, 1.05),
    ]


def _resident_mib() -> float:
    """This process's memory, after a collection."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024
