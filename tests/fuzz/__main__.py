"""`make fuzz MINUTES=10 [TARGET=name]`: new inputs for every target in turn, until the time is over.

What is found goes into tests/data/fuzz/, where `make test` will replay it; the exit code is then 1. Each run begins
with another seed; `--seed` repeats one.
"""

import argparse
import random
import sys
import time
import traceback

from tests.fuzz.targets import TARGETS

SLICE = 5.0  # s for each target and round


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--target", default="", help="this one alone")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    args = parser.parse_args()
    targets = [target for target in TARGETS if args.target in ("", target.name)]
    if not targets:
        parser.error(f"no such target; there are {', '.join(target.name for target in TARGETS)}")
    print(f"seed {args.seed}; {len(targets)} targets, {args.minutes:g} minutes", flush=True)
    began = time.monotonic()
    until = began + args.minutes * 60
    tried = dict.fromkeys((target.name for target in targets), 0)
    broken: dict[str, str] = {}
    seed = args.seed
    while time.monotonic() < until and len(broken) < len(targets):
        for target in targets:
            slice_ends = min(until, time.monotonic() + SLICE)
            while target.name not in broken and time.monotonic() < slice_ends:
                seed += 1
                found = target.hunt(target.quick, seed_number=seed)
                tried[target.name] += target.tried
                if found is not None:
                    broken[target.name] = str(found.keep())
                    print(f"FOUND {target.name} (seed {seed}): kept in {broken[target.name]}", flush=True)
                    traceback.print_exception(found.error, limit=-3, file=sys.stdout)
        done = ", ".join(f"{name} {count}" for name, count in tried.items())
        print(f"{time.monotonic() - began:5.0f} s: {done}", flush=True)
    total = sum(tried.values())
    print(f"fuzz: {total} inputs in {(time.monotonic() - began) / 60:.1f} minutes, {len(broken)} targets broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
