"""Frames, against aiohttp's own parser on the other side (and RFC 6455, section 5.7, by hand)."""

import pytest

from notifier import frames


@pytest.mark.parametrize(
    ("size", "header"),
    [(0, "8100"), (5, "8105"), (125, "817d"), (126, "817e007e"), (65535, "817effff"), (65536, "817f0000000000010000")],
)
def test_a_text_frame_has_the_shortest_header_for_its_size(size: int, header: str) -> None:
    assert frames.text(b"x" * size) == bytes.fromhex(header) + b"x" * size


def test_a_close_frame_has_its_code_and_a_reason_that_fits_and_stays_utf8() -> None:
    assert frames.close(4401, "no") == bytes.fromhex("88041131") + b"no"
    long = frames.close(4400, "я" * 100)
    assert long[1] == len(long) - 2 <= 125
    assert long[4:].decode() == "я" * 61


def test_a_pong_repeats_the_ping_within_the_limit_of_control_frames() -> None:
    assert frames.pong(b"abc") == b"\x8a\x03abc"
    assert len(frames.pong(b"x" * 200)) == 127
