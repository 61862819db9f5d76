"""Follows the journal and brings each call's state into the table `calls`, however long the database was away."""

import asyncio
import logging
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from fastagi.journal import Journal, Position
from fastagi.records import Changed, Record
from zvonok.call import Call, newer
from zvonok.errors import DatabaseError
from zvonok.service import mask_text

log = logging.getLogger(__name__)

_BATCH: Final = 200
_GATHER: Final = 0.2
"""Seconds in which states gather: a statement and a kept cursor for each would cost the tap a third of its time."""
_MAX_PAUSE: Final = 1.0
_decoder: Final = msgspec.json.Decoder(Record)


class RefusedState(Protocol):
    """A state that the database refuses for good, and why."""

    @property
    def call(self) -> Call: ...
    @property
    def reason(self) -> str: ...


class Writer(Protocol):
    """What writes states: `fastagi.history.History`. Raises `DatabaseError` if it should be tried again."""

    async def write(self, calls: Sequence[Call]) -> Sequence[RefusedState]: ...


class HistoryFollower:
    """Reads `journal` from the kept cursor on and writes to `writer`. A state may be written twice, never not at all.

    The cursor is `directory/history.cursor`; what the database refuses goes to `directory/refused.jsonl`.
    """

    def __init__(self, journal: Journal, writer: Writer, directory: Path) -> None:
        self._journal = journal
        self._writer = writer
        self._cursor = directory / "history.cursor"
        self._refused = directory / "refused.jsonl"
        self.position = self._load()
        self.written = 0
        self.refused = 0
        self.behind = False

    async def follow(self) -> None:
        """Follow until cancelled."""
        full = False
        while True:
            await self._journal.wait_beyond(self.position)
            if not full:  # after an outage there is enough at once
                await asyncio.sleep(_GATHER)
            payloads, position = self._journal.read(self.position, limit=_BATCH)
            full = len(payloads) >= _BATCH
            calls = newest_states(payloads)
            if calls:
                await self._write(calls)
            self.position = position
            self._save()

    async def _write(self, calls: list[Call]) -> None:
        failures = 0
        while True:
            try:
                refused = await self._writer.write(calls)
                break
            except DatabaseError as exc:
                if not self.behind:
                    log.warning("history: %s; calls are kept in the journal and written later", exc)
                self.behind = True
                failures += 1
                limit = min(_MAX_PAUSE, 0.1 * 2 ** min(failures, 6))
                await asyncio.sleep(random.uniform(0.05, limit))  # noqa: S311 - not a secret
        if self.behind:
            log.info("history: the database is back")
        self.behind = False
        self.written += len(calls)
        for state in refused:
            self._set_aside(state)

    def _set_aside(self, state: RefusedState) -> None:
        self.refused += 1
        log.error(
            "call %s: the database refuses its row (%s); it is kept in %s",
            state.call.call_id,
            mask_text(state.reason),
            self._refused,
        )
        try:
            with open(self._refused, "ab", opener=_private) as file:
                file.write(msgspec.json.encode({"reason": state.reason, "call": state.call}) + b"\n")
        except OSError as exc:
            log.error("history: cannot write %s (%s)", self._refused, exc)

    def _load(self) -> Position:
        try:
            return msgspec.json.decode(self._cursor.read_bytes(), type=Position)
        except (OSError, msgspec.DecodeError):
            return Position()  # everything is read once more: rows are written by rev, so that costs time only

    def _save(self) -> None:
        temporary = self._cursor.with_suffix(".new")
        try:
            with open(temporary, "wb", opener=_private) as file:
                file.write(msgspec.json.encode(self.position))
            temporary.replace(self._cursor)
        except OSError as exc:
            log.error("history: cannot write %s (%s)", self._cursor, exc)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def newest_states(payloads: list[bytes]) -> list[Call]:
    """The newest state of each call in these journal records, test calls left out."""
    states: dict[str, Call] = {}
    for payload in payloads:
        try:
            record = _decoder.decode(payload)
        except (msgspec.DecodeError, RecursionError):
            continue  # of a later version, or damaged in a way that the checksum survived; restore has counted it
        if isinstance(record, Changed) and not record.call.test and newer(states.get(record.call.call_id), record.call):
            states[record.call.call_id] = record.call
    return list(states.values())
