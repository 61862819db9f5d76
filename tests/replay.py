"""A recording of a real Asterisk as the tracker's facts, and its run through a `Desk`."""

from collections.abc import Iterable, Sequence

import msgspec

from fastagi.ami_facts import listed, pbx_started, translate
from fastagi.ami_wire import Headers, Message
from fastagi.facts import AmiDown, AmiUp, Announced, ChannelsListed, Fact
from tests.call_desk import START, Desk, user
from tests.recordings import Episode, Line, Recording
from zvonok.call import Call

Step = tuple[float, Fact]
"""A fact and its time, in seconds since the recording's start."""


def message(lines: Sequence[str]) -> Message:
    """An event's lines, parsed."""
    headers = Headers("\r\n".join(lines))
    return Message(headers.get("Event", ""), headers)


def steps(lines: Iterable[Line]) -> list[Step]:
    """The facts of a recording's lines."""
    out: list[Step] = []
    asked = 0.0
    for line in lines:
        if line.ami is not None:
            out += [(line.t, fact) for fact in translate(message(line.ami))]
        elif line.announced is not None:
            out.append((line.t, line.announced))
        elif line.connection is not None:
            out.append((line.t, AmiUp() if line.connection == "up" else AmiDown()))
        elif line.core_status is not None:
            started = pbx_started(message(line.core_status))
            if started is not None:
                out.append((line.t, started))
        elif line.channels_asked:
            asked = line.t
        elif line.channels is not None:
            rows = listed([message(row) for row in line.channels])
            out.append((line.t, ChannelsListed(rows=rows, asked_at=START + int(asked * 1000))))
    return out


def desk(recording: Recording, **options: object) -> Desk:
    """A desk with the recording's people."""
    owners: dict[str, list[object]] = {}
    for user_id, numbers in recording.people.items():
        for number in numbers:
            owners.setdefault(number, []).append(user(user_id, number))
    return Desk(owners, **options)  # type: ignore[arg-type]


def play(at: Desk, stream: Iterable[Step]) -> Desk:
    """Feed the steps at their times, with ticks between, then a little quiet."""
    for t, fact in stream:
        due = START + int(t * 1000)
        if due - at.now > 1:
            at.wait(due - at.now - 1)
        at.feed(fact)
    at.wait(3_000)
    return at


def announcements_moved(stream: list[Step], *, first: bool) -> list[Step]:
    """The same with every announcement before (or after) everything else."""
    spoken = [step for step in stream if isinstance(step[1], Announced)]
    heard = [step for step in stream if not isinstance(step[1], Announced)]
    return [*spoken, *heard] if first else [*heard, *spoken]


def seen(at: Desk) -> dict[int, list[Episode]]:
    """What each user saw, in the form that recordings expect it in; numbers as the PBX has them."""
    out: dict[int, list[Episode]] = {}
    by_id: dict[str, list[Call]] = {}
    for call in at.calls:
        by_id.setdefault(call.call_id, []).append(call)
    for states in by_id.values():
        path: list[tuple[str, str | None]] = []
        for call in states:
            step = (call.state.value, call.caller.number)
            if not path or path[-1] != step:
                path.append(step)
        last = states[-1]
        by = last.end.answered_by if last.end is not None else None
        out.setdefault(last.user_id, []).append(
            Episode(
                line=last.line.number,
                steps=tuple(path),
                end=last.end.reason.value if last.end is not None else "",
                queue=last.line.queue,
                answered_by=by.user_id if by is not None else None,
            )
        )
    return out


def as_text(seen_by: dict[int, list[Episode]]) -> str:
    """For comparing and for reading."""
    return msgspec.json.format(msgspec.json.encode({str(k): v for k, v in sorted(seen_by.items())}), indent=1).decode()
