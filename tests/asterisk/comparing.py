"""What users saw on their pages against what they must see, and the story of a play that went wrong."""

import asyncio
import time
from itertools import pairwise
from typing import Any

import msgspec

from fastagi.tap_control import SOCKET_NAME, WhyAnswer, WhyQuestion
from fastagi.trace import TracedCall
from fastagi.why import ask, lines
from tests.asterisk.scenarios.stage import Block, Episode, Mode, Stage
from tests.installation import Zvonok
from tests.levels import within
from tests.watching import Watcher
from zvonok.errors import ZvonokError

A_BLINK_MS = 250  # a state that lasted less may be overtaken by the next one on its way to the browser


def seen(watcher: Watcher) -> list[tuple[Episode, int]]:
    """What a user saw, card by card, each with its shortest state in ms."""
    cards = []
    for states in watcher.calls.values():
        steps: list[tuple[str, str | None]] = []
        for call in states:
            step = (call["state"], (call["caller"]["number"] or "").lstrip("+") or None)
            if not steps or steps[-1] != step:
                steps.append(step)
        last = states[-1]
        end = last["end"] or {}
        moments = [last["ring_started_at"], last["answered_at"], last["ended_at"]]
        times = [moment for moment in moments if moment is not None]
        shortest = min((b - a for a, b in pairwise(times)), default=A_BLINK_MS)
        episode = Episode(
            line=last["line"]["number"].lstrip("+"),
            steps=tuple(steps),
            end=end.get("reason", ""),
            queue=last["line"]["queue"],
            answered_by=(end.get("answered_by") or {}).get("user_id"),
        )
        cards.append((episode, shortest))
    return cards


def differs(expected: Episode, card: Episode, shortest: int) -> bool:
    """Whether a card is not as expected; a state of a blink may be missing, its last state may not."""
    if msgspec.structs.replace(expected, steps=()) != msgspec.structs.replace(card, steps=()):
        return True
    if card.steps == expected.steps:
        return False
    rest = iter(expected.steps)
    in_order = all(step in rest for step in card.steps)
    return shortest >= A_BLINK_MS or not in_order or card.steps[-1] != expected.steps[-1]


def wrong_callers(block: Block, mode: Mode, watchers: dict[int, Watcher]) -> list[str]:
    """Cards whose caller is not who he is in the CRM."""
    numbers = {number for own in block.people(mode).values() for number in own}
    out = []
    for user, watcher in watchers.items():
        for call in watcher.newest:
            caller = call["caller"]
            known = (caller["number"] or "").lstrip("+")
            kind, matches = ("user", 1) if known in numbers else ("unknown", 0)
            if known == block.caller(mode) and block.outside_dealers:
                kind, matches = "dealer", block.outside_dealers
            if (caller["kind"], caller["matches"]) != (kind, matches):
                out.append(f"user {user}: caller {caller}, must be {kind} with {matches} matches")
    return out


def wrong_cards(expected: dict[int, list[Episode]], watchers: dict[int, Watcher]) -> list[str]:
    """Whose cards are not as expected; who is not in `expected` must have none."""
    out = []
    for user, watcher in watchers.items():
        wanted, cards = expected.get(user, []), seen(watcher)
        if len(wanted) != len(cards) or any(
            differs(want, card, shortest) for want, (card, shortest) in zip(wanted, cards, strict=False)
        ):
            got = [card for card, _ in cards]
            out.append(f"user {user}\n  must see {_text(wanted)}\n  saw      {_text(got)}")
    return out


def _text(cards: list[Episode]) -> str:
    shown = []
    for card in cards:
        path = " ".join(f"{state}({caller})" for state, caller in card.steps)
        shown.append(f"[{path} {card.end} line={card.line} queue={card.queue} by={card.answered_by}]")
    return " ".join(shown) or "nothing"


async def until_in_step(stage: Stage, watchers: dict[int, Watcher], zvonok: Zvonok) -> None:
    """Wait, 5 s at most, until the pages show what the tap has concluded so far of the play's calls."""
    deadline = time.monotonic() + within(5)
    while not await asyncio.to_thread(_is_in_step, stage, watchers, zvonok) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)


def _is_in_step(stage: Stage, watchers: dict[int, Watcher], zvonok: Zvonok) -> bool:
    try:
        told = [call for number in _numbers(stage) for call in _why(zvonok, wanted=number, last=20).calls]
    except ZvonokError:
        return True  # a play about a tap that is away
    shown = {call_id: _word(states[-1]) for watcher in watchers.values() for call_id, states in watcher.calls.items()}
    return all(
        (call.cards or call.tried or not call.dialled)
        and not any(answer.startswith("no answer") for answer in call.tried.values())
        and all(shown.get(card.call_id) == card.states[-1] for card in call.cards.values())
        for call in told
    )


def _word(call: dict[str, Any]) -> str:
    """A state as `zvonok why` has it."""
    return f"ended ({call['end']['reason']})" if call["end"] else str(call["state"])


def _numbers(stage: Stage) -> list[str]:
    """By which the calls of a play can be found: its callers' and its phones'."""
    return [stage.caller(1), stage.caller(2), *(stage.number(digit) for digit in range(1, 6))]


def _why(zvonok: Zvonok, *, wanted: str | None = None, last: int) -> WhyAnswer:
    return ask(str(zvonok.directory / "run" / SOCKET_NAME), WhyQuestion(wanted=wanted, last=last))


def story(stage: Stage, zvonok: Zvonok) -> str:
    """How the play went: what its phones saw, and all that the tap knows of its calls (`zvonok why`)."""
    diary = sorted(stage.diary, key=lambda entry: entry.at)
    out = ["the phones' diary:"]
    out += [f"  {e.at - diary[0].at:7.3f}  {e.phone} call {e.call} {e.what} {e.detail}".rstrip() for e in diary]
    try:
        told = _why(zvonok, last=10_000)
    except ZvonokError as exc:
        return "\n".join([*out, str(exc)])
    told = msgspec.structs.replace(told, calls=[call for call in told.calls if _is_of(call, stage)])
    return "\n".join([*out, "zvonok why:", *lines(told, brief=False)])


def _is_of(call: TracedCall, stage: Stage) -> bool:
    """Whether one of the play's numbers is in the call."""
    numbers = (call.caller, call.called, *call.tried, *(card.line for card in call.cards.values()))
    return any(number is not None and stage.base in number for number in numbers)
