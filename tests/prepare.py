"""Builds what test levels share, once and at the same time, before any test's deadline runs: `python -m tests.prepare`.

What cannot be built here is said; the level that needs it then skips, or fails where nothing may be skipped.
"""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

from tests.asterisk.roots import RELEASES as ASTERISKS
from tests.asterisk.roots import NoRoot, asterisk_root
from tests.systemd.container import RELEASES as HOSTS
from tests.systemd.container import host_root

ROOTS: dict[str, Callable[[], Path]] = {
    **{f"Asterisk {version}": partial(asterisk_root, version) for version in ASTERISKS},
    **{f"a PBX host of Debian {release}": partial(host_root, release) for release in HOSTS},
}


def main() -> int:
    """Build them all; 0 if all are there."""
    missing = 0
    with ThreadPoolExecutor() as pool:
        building = {name: pool.submit(build) for name, build in ROOTS.items()}
        wait(building.values(), timeout=1)
        for name, root in building.items():
            if not root.done():
                print(f"building {name} (once, a minute or so)...", flush=True)
            try:
                root.result()
            except NoRoot as exc:
                missing += 1
                print(f"no {name}: {exc}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
