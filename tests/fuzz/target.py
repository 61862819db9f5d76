"""What a fuzz target is, how inputs are hunted for, and how those that were found are kept.

A target attacks one part with one input and raises if something does not hold. Inputs are values that msgspec can write
as JSON, so each one that was found becomes a file in tests/data/fuzz/, which `make test` replays for ever after.
"""

import contextlib
import gc
import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")

CORPUS = Path(__file__).parent.parent / "data" / "fuzz"


class Target(Generic[T]):
    """`attack` takes an input that JSON holds as a `codec`, `inputs` makes many; `make test` tries `quick` of them."""

    def __init__(
        self, name: str, inputs: SearchStrategy[T], attack: Callable[[T], None], *, codec: Any, quick: int = 50
    ) -> None:
        self.name, self.inputs, self.attack, self.codec, self.quick = name, inputs, attack, codec, quick

    def hunt(self, examples: int, *, seed_number: int) -> "Found[T] | None":
        """Try so many inputs; the smallest one that something does not hold for, if there is one."""
        tried: list[T] = []
        self.tried = 0

        def attack(value: T) -> None:
            tried[:] = [value]
            self.tried += 1
            with no_mistakes():
                self.attack(value)

        profile = settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.target, Phase.shrink],
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            print_blob=False,
        )
        try:
            seed(seed_number)(profile(given(self.inputs)(attack)))()
        except Exception as exc:  # noqa: BLE001 - that is what is hunted
            return Found(self, tried[0], exc)
        return None

    def files(self) -> list[Path]:
        """The inputs that were found once."""
        return sorted((CORPUS / self.name).glob("*.json"))

    def replay(self, path: Path) -> None:
        """Attack with the input in `path`."""
        with no_mistakes():
            self.attack(msgspec.json.decode(path.read_bytes(), type=self.codec))


class _Mistakes(logging.Handler):
    """Collects stack traces: ours (log.exception) and asyncio's, for tasks and callbacks that nobody waited for."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.found.append(logging.Formatter().format(record))


@contextlib.contextmanager
def no_mistakes() -> Iterator[None]:
    """Raises AssertionError if something logged a stack trace meanwhile. Nothing is printed."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    collecting = _Mistakes()
    root.handlers[:] = [collecting]
    root.setLevel(logging.INFO)
    try:
        yield
        gc.collect(0)  # a task that failed unheard says so when it is collected
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert not collecting.found, collecting.found[0]


class Found(Generic[T]):
    """An input that something does not hold for, and what happened."""

    def __init__(self, target: Target[T], value: T, error: Exception) -> None:
        self.target, self.value, self.error = target, value, error

    def keep(self) -> Path:
        """Write it to the corpus."""
        data = msgspec.json.format(msgspec.json.encode(self.value), indent=1) + b"\n"
        path = CORPUS / self.target.name / f"{hashlib.sha256(data).hexdigest()[:12]}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path


@contextlib.contextmanager
def in_memory() -> Iterator[Path]:
    """A directory for as long as the block runs; in memory where the system has such a place."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="zvonok-fuzz-", dir=memory) as path:
        yield Path(path)
