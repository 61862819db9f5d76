"""The journal: every change of a call, on disk before anything else sees it. One writer, any number of readers.

A directory of segments `NNNNNNNN.log`; a record is one line, `crc32 payload`, the payload a JSON text. Each segment
opens with a checkpoint (all that a restart needs), so that older segments are kept for slow readers only.

Durability: a record is handed to the kernel before `append` returns, so it survives the death of this process; it is
fsynced at most FSYNC_INTERVAL later, so a power cut loses that much at most. Appending never blocks on the disk's
flush. A write that fails (disk full) is counted and raises an alarm, and the calls go on from memory.
"""

import asyncio
import logging
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

log = logging.getLogger(__name__)

FSYNC_INTERVAL: Final = 0.2
_NAME: Final = re.compile(r"(\d{8})\.log")
MAX_BYTES: Final = 512 << 20
_CHECKPOINT: Final = b"checkpoint "
_MAX_LINE: Final = 1 << 20


class Position(msgspec.Struct, frozen=True, order=True):
    """Where a reader stands: the segment's number and a byte offset in it."""

    segment: int = 0
    offset: int = 0


class Journal:
    """The journal in `directory`. Not thread-safe: it belongs to the tap's event loop.

    `checkpoint` gives the payloads that a restart needs; it is asked each time a segment is begun, which is when
    `segment_bytes` were written, or as much as the checkpoint itself takes if that is more. All segments together stay
    under `max_bytes`: when a reader is so far behind that more would be needed, the oldest segment is given up, with an
    error in the log and in `lost_segments`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        checkpoint: Callable[[], Iterable[bytes]],
        segment_bytes: int = 8 << 20,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._directory = directory
        self._checkpoint = checkpoint
        self._segment_bytes = segment_bytes
        self._max_bytes = max_bytes
        self._file = -1
        self._number = 0
        self._size = 0
        self._full_at = 0
        self._torn = False
        self._unsynced = False
        self._unwritten = False
        self._repeats: dict[int, int] = {}
        """How many bytes at the start of a segment say again what the segments before it say."""
        self._kept: Callable[[], Position] = lambda: Position(1 << 62)
        self._appended = asyncio.Event()
        self.damaged = 0
        self.lost_segments = 0
        self.failed_writes = 0

    def restore(self) -> Iterator[bytes]:
        """The payloads since the newest whole checkpoint, that checkpoint first; damaged lines are counted, skipped.

        To be exhausted before `open`.
        """
        numbers = self._numbers()
        start = next((n for n in reversed(numbers) if self._has_checkpoint(n)), None)
        for number in [n for n in numbers if start is None or n >= start]:
            for payload, _ in self._lines(Position(number)):
                if payload is None:
                    self.damaged += 1
                elif not payload.startswith(_CHECKPOINT):
                    yield payload
        if self.damaged:
            log.warning("journal: %d damaged records were skipped", self.damaged)

    def open(self, *, kept: Callable[[], Position]) -> None:
        """Begin a new segment. `kept` is the position of the slowest reader: what lies before it may go.

        Raises OSError with the path if the directory cannot be written.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._kept = kept
        self._number = max(self._numbers(), default=0)
        self._begin_segment()

    def append(self, payload: bytes) -> None:
        """Write one record. Never raises: a failed write is counted, and the alarm is on until one succeeds."""
        if self._size >= self._full_at:
            try:
                self._begin_segment()
            except OSError as exc:
                self._alarm(exc)
        self._write(_line(payload))
        self._appended.set()

    @property
    def end(self) -> Position:
        """Where the next record will stand."""
        return Position(self._number, self._size)

    @property
    def alarm(self) -> bool:
        """Whether the last write failed."""
        return self._torn

    def size(self) -> int:
        """The bytes of all segments."""
        return sum(path.stat().st_size for path in self._paths())

    def read(self, start: Position, *, limit: int = 500) -> tuple[list[bytes], Position]:
        """Up to `limit` payloads from `start` on, and where to go on.

        Who comes from the end of one segment is spared the next one's checkpoint if this run of ours wrote it, and it
        says nothing else. Others read checkpoints again: be idempotent.
        """
        payloads: list[bytes] = []
        position = start
        numbers = [n for n in self._numbers() if n >= start.segment]
        for number in numbers:
            spared = self._repeats.get(number, 0) if number - 1 in numbers else 0
            begin = start if number == start.segment else Position(number, spared)
            position = max(position, begin)
            for payload, after in self._lines(begin):
                position = after
                if payload is not None and not payload.startswith(_CHECKPOINT):
                    payloads.append(payload)
                if len(payloads) >= limit:
                    return payloads, position
        return payloads, position

    async def wait_beyond(self, position: Position) -> None:
        """Return when there is a record at or after `position`."""
        while self.end <= position:
            self._appended.clear()
            await self._appended.wait()

    async def keep_synced(self) -> None:
        """Fsync what was appended, every FSYNC_INTERVAL, in a thread. Never returns."""
        while True:
            await asyncio.sleep(FSYNC_INTERVAL)
            if self._unsynced and self._file >= 0:
                self._unsynced = False
                descriptor = os.dup(self._file)
                try:
                    await asyncio.to_thread(os.fsync, descriptor)
                except OSError as exc:
                    self._alarm(exc)
                finally:
                    os.close(descriptor)

    def close(self) -> None:
        """Fsync and close."""
        if self._file >= 0:
            try:
                os.fsync(self._file)
            finally:
                os.close(self._file)
                self._file = -1

    def _begin_segment(self) -> None:
        number = self._number + 1
        path = self._directory / f"{number:08}.log"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.close()
        self._file, self._number, self._size, self._torn = file, number, 0, False
        payloads = list(self._checkpoint())
        self._write(b"".join([_line(b"%s%d" % (_CHECKPOINT, len(payloads))), *map(_line, payloads)]))
        if not self._unwritten:
            self._repeats[number] = self._size
        self._unwritten = self._torn
        # With a checkpoint as big as a segment, each record would begin the next segment, and write all of it again.
        self._full_at = self._size + max(self._segment_bytes, self._size)
        self._remove_old()

    def _remove_old(self) -> None:
        total = self.size()
        for path in self._paths():
            number = int(path.stem)
            read = number < self._kept().segment and number < self._number
            full = total > self._max_bytes and number < self._number
            if not (read or full):
                break
            if full and not read:
                self.lost_segments += 1
                log.error(
                    "journal: full (%d MB); the oldest segment was given up before the history had it. "
                    "Is the database reachable? See: zvonok check",
                    total >> 20,
                )
            total -= path.stat().st_size
            path.unlink()
            self._repeats.pop(number, None)

    def _write(self, data: bytes) -> None:
        # After a torn write the next record starts on a line of its own, so that only the torn one is lost.
        data = b"\n" + data if self._torn else data
        try:
            written = os.write(self._file, data)
        except OSError as exc:
            self._alarm(exc)
            return
        self._size += written
        if written < len(data):
            self._alarm(OSError("short write; is the disk full?"))
            return
        if self._torn:
            log.warning("journal: writing works again")
        self._torn = False
        self._unsynced = True

    def _alarm(self, exc: OSError) -> None:
        self.failed_writes += 1
        self._unwritten = True
        if not self._torn:
            log.error("journal: cannot write to %s (%s); calls go on, but a restart would forget", self._directory, exc)
        self._torn = True

    def _paths(self) -> list[Path]:
        if not self._directory.is_dir():
            return []
        return sorted(path for path in self._directory.iterdir() if _NAME.fullmatch(path.name))

    def _numbers(self) -> list[int]:
        return [int(path.stem) for path in self._paths()]

    def _has_checkpoint(self, number: int) -> bool:
        payloads = (payload for payload, _ in self._lines(Position(number)))
        first = next(payloads, None)
        if first is None or not first.startswith(_CHECKPOINT):
            return False
        wanted = int(first.removeprefix(_CHECKPOINT))
        found = list(islice(payloads, wanted))
        return len(found) == wanted and None not in found

    def _lines(self, start: Position) -> Iterator[tuple[bytes | None, Position]]:
        """Each record from `start` on with the position after it; None for a damaged line."""
        try:
            file = (self._directory / f"{start.segment:08}.log").open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(start.offset)
            while line := file.readline(_MAX_LINE):
                if line != b"\n":
                    yield _payload(line), Position(start.segment, file.tell())


def _line(payload: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(payload), payload)


def _payload(line: bytes) -> bytes | None:
    checksum, _, payload = line.removesuffix(b"\n").partition(b" ")
    # Nothing has the checksum 0, so a line of zeros would be a record of nothing.
    return payload if payload and line.endswith(b"\n") and checksum == b"%08x" % zlib.crc32(payload) else None
