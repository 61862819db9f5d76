"""The journal on a real disk: what a restart reads, what damage costs, how it stays bounded."""

import asyncio
import os
from pathlib import Path

import pytest

from fastagi.journal import Journal, Position


def journal(path: Path, *, checkpoint=list, **limits) -> Journal:
    return Journal(path, checkpoint=checkpoint, **limits)


def opened(path: Path, *, kept=lambda: Position(1 << 62), **kwargs) -> Journal:
    made = journal(path, **kwargs)
    list(made.restore())
    made.open(kept=kept)
    return made


def test_what_was_appended_is_restored_in_order(tmp_path):
    writer = opened(tmp_path / "j")
    for n in range(3):
        writer.append(b'{"n":%d}' % n)
    assert list(journal(tmp_path / "j").restore()) == [b'{"n":0}', b'{"n":1}', b'{"n":2}']


def test_a_missing_directory_restores_nothing_and_is_made_private(tmp_path):
    made = opened(tmp_path / "a" / "j")
    assert made.size() > 0
    assert (tmp_path / "a" / "j").stat().st_mode & 0o777 == 0o700


def test_a_restart_reads_from_the_newest_whole_checkpoint(tmp_path):
    first = opened(tmp_path)
    first.append(b'"old"')
    second = opened(tmp_path, checkpoint=lambda: [b'"live"'], kept=lambda: Position(0))
    second.append(b'"new"')
    assert list(journal(tmp_path).restore()) == [b'"live"', b'"new"']


def test_a_torn_checkpoint_falls_back_to_the_segment_before(tmp_path):
    first = opened(tmp_path)
    first.append(b'"old"')
    opened(tmp_path, checkpoint=lambda: [b'"live"', b'"live2"'], kept=lambda: Position(0))
    newest = max(tmp_path.iterdir())
    os.truncate(newest, newest.stat().st_size - 4)
    again = journal(tmp_path)
    assert list(again.restore()) == [b'"old"', b'"live"']
    assert again.damaged == 1


@pytest.mark.parametrize("damage", [b"garbage\n", b"\x00" * 50 + b"\n", b'00000000 {"n":9}\n', b"torn"])
def test_a_damaged_record_costs_itself_only_and_is_counted(tmp_path, damage):
    writer = opened(tmp_path)
    writer.append(b'"a"')
    path = max(tmp_path.iterdir())
    with path.open("ab") as file:
        file.write(damage if damage != b"torn" else b"12345678 {")
    later = opened(tmp_path, kept=lambda: Position(0))
    later.append(b'"b"')
    assert later.damaged == 1
    payloads, end = later.read(Position(0))
    assert payloads == [b'"a"', b'"b"']
    assert end == later.end


def test_a_reader_goes_on_where_it_stopped_across_segments(tmp_path):
    writer = opened(tmp_path, segment_bytes=64, kept=lambda: Position(0))
    for n in range(20):
        writer.append(b'{"n":%d}' % n)
    seen, position = [], Position(0)
    while position < writer.end:
        payloads, position = writer.read(position, limit=3)
        seen += payloads
    assert seen == [b'{"n":%d}' % n for n in range(20)]


def test_who_read_a_segment_to_its_end_is_spared_the_checkpoint_of_the_next_one(tmp_path):
    first = opened(tmp_path, kept=lambda: Position(0))
    first.append(b'"a"')
    _, position = first.read(Position(0))
    first.append(b'"b"')
    second = opened(tmp_path, checkpoint=lambda: [b'"a"', b'"b"'], kept=lambda: Position(0))
    second.append(b'"c"')
    assert second.read(position) == ([b'"b"', b'"c"'], second.end)
    assert second.read(position, limit=1)[0] == [b'"b"']
    (tmp_path / "00000001.log").unlink()  # given up before it was read
    assert second.read(position) == ([b'"a"', b'"b"', b'"c"'], second.end)


def test_a_checkpoint_that_has_what_could_not_be_written_is_read(tmp_path, monkeypatch):
    memory: list[bytes] = []
    writer = opened(tmp_path, checkpoint=lambda: memory, segment_bytes=40, kept=lambda: Position(0))
    position = writer.end

    def disk_full(_file: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    memory.append(b'"while the disk was full"')
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", disk_full)
        writer.append(memory[0])
    seen: list[bytes] = []
    for number in range(8):
        writer.append(b'"%d"' % number)
        payloads, position = writer.read(position)
        seen += payloads
    assert seen.count(memory[0]) == 1
    assert [payload for payload in seen if payload not in memory] == [b'"%d"' % number for number in range(8)]


async def test_a_waiting_reader_wakes_on_the_next_record(tmp_path):
    writer = opened(tmp_path)
    waiting = asyncio.create_task(writer.wait_beyond(writer.end))
    await asyncio.sleep(0)
    assert not waiting.done()
    writer.append(b'"x"')
    await asyncio.wait_for(waiting, 1)


def test_read_segments_are_removed_and_unread_ones_kept(tmp_path):
    reading = False
    writer = opened(tmp_path, segment_bytes=64, kept=lambda: writer.end if reading else Position(0))
    for n in range(50):
        writer.append(b'{"n":%d}' % n)
    assert len(list(tmp_path.iterdir())) > 5
    reading = True
    for n in range(5):
        writer.append(b'{"n":%d}' % n)
    assert len(list(tmp_path.iterdir())) <= 2
    assert writer.lost_segments == 0


def test_a_full_journal_gives_up_its_oldest_segment_loudly(tmp_path, caplog):
    writer = opened(tmp_path, segment_bytes=100, max_bytes=500, kept=lambda: Position(0))
    for n in range(200):
        writer.append(b'{"n":%d}' % n)
    assert writer.size() <= 700
    assert writer.lost_segments > 0
    assert "the oldest segment was given up" in caplog.text


def test_a_checkpoint_bigger_than_a_segment_is_not_written_again_with_each_record(tmp_path):
    asked = 0

    def checkpoint():
        nonlocal asked
        asked += 1
        return [b'"%d"' % n for n in range(1_000)]

    writer = opened(tmp_path, segment_bytes=1_000, checkpoint=checkpoint)
    for n in range(1_000):
        writer.append(b'"%d"' % n)
    assert asked <= 2


def test_a_failed_write_raises_the_alarm_and_the_next_record_is_whole(tmp_path, caplog):
    writer = opened(tmp_path)
    good, writer._file = writer._file, os.open("/dev/full", os.O_WRONLY)
    writer.append(b'"lost"')
    assert writer.alarm
    assert "calls go on" in caplog.text
    os.close(writer._file)
    writer._file = good
    writer.append(b'"kept"')
    assert not writer.alarm
    assert list(journal(tmp_path).restore()) == [b'"kept"']
