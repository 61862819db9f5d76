"""`zvonok why`: why did a call, or did not, show a card, and to whom? Asks the running tap."""

import argparse
import socket
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from fastagi.tap_control import SOCKET_NAME, WhyAnswer, WhyQuestion
from fastagi.trace import TracedCall, TracedCard
from zvonok import settings as settings_module
from zvonok.errors import ZvonokError

TIMEOUT: Final = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which calls, and how to print them."""
    parser.add_argument(
        "call", nargs="?", help="a call id, a linkedid or uniqueid, or a phone number (default: the last calls)"
    )
    parser.add_argument("--last", type=int, default=5, metavar="N", help="at most so many calls (default 5)")
    parser.add_argument("--brief", action="store_true", help="only what came of each call, not how")
    parser.add_argument("--json", action="store_true", help="all of it as JSON, one call a line")


def run(args: argparse.Namespace) -> int:
    """Print the calls, newest last. 1 if the tap cannot be asked or knows no such call."""
    settings = settings_module.load()
    answer = ask(str(settings.runtime_dir / SOCKET_NAME), WhyQuestion(wanted=args.call, last=args.last))
    if args.json:
        for call in answer.calls:
            sys.stdout.buffer.write(msgspec.json.encode(call) + b"\n")
    else:
        print("\n".join(lines(answer, brief=args.brief)))
    return 0 if answer.calls else 1


def ask(path: str, question: WhyQuestion) -> WhyAnswer:
    """Ask the tap that listens on the unix socket `path`."""
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(TIMEOUT)
            sock.connect(path)
            sock.sendall(msgspec.json.encode(question) + b"\n")
            sock.shutdown(socket.SHUT_WR)
            data = b"".join(iter(lambda: sock.recv(65536), b""))
        return msgspec.json.decode(data, type=WhyAnswer)
    except PermissionError as exc:
        raise ZvonokError(f"{path} is not ours to ask; run this as root or as the user zvonok") from exc
    except (OSError, msgspec.DecodeError) as exc:
        raise ZvonokError(
            f"the tap does not answer on {path} ({exc}); is it running (systemctl status zvonok-tap), "
            "and is ZVONOK_RUNTIME_DIR the same here?"
        ) from exc


def lines(answer: WhyAnswer, *, brief: bool) -> Iterator[str]:
    """The answer as text."""
    if not answer.ami_up:
        yield f"NOTE: the tap has no connection to the PBX now ({answer.ami_state}): only announced calls are seen."
    if not answer.notifier_ok:
        yield f"NOTE: the tap does not reach the notifier now ({answer.notifier_state}), so cards are late."
    if not answer.calls:
        yield (
            "No such call is known. The tap remembers the last calls since its start; a call that Asterisk did not "
            "report to it is not here: see `zvonok check`."
        )
    for call in answer.calls:
        yield ""
        numbers = f"{call.caller or 'hidden number'} -> {call.called or '?'}"
        yield f"{_clock(call.began_at)}  {_plain(numbers)}  (linkedid {call.linkedid})"
        yield from (f"  {line}" for line in verdict(call))
        if not brief:
            yield from (f"    {_clock(line.at)}  {line.kind:8}  {_plain(line.text)}" for line in call.lines)
            if call.dropped:
                yield f"    ... and {call.dropped} more lines"


def verdict(call: TracedCall) -> Iterator[str]:
    """What came of the call, and why."""
    for card in call.cards.values():
        yield _card(card)
    if call.cards:
        return
    nobody = [number for number, answer in call.tried.items() if answer.startswith("nobody")]
    if not call.dialled:
        yield "No card: nothing was dialled (no DialBegin), so no phone rang for anybody."
    elif nobody:
        yield f"No card: nobody owns {', '.join(nobody)}. If somebody should, add the number to user_phones."
    elif call.tried:
        yield "No card: the directory could not say whose the number is: " + "; ".join(call.tried.values())
    else:
        yield "No card: no called number was found in the dial; the lines below show what Asterisk reported."


def _card(card: TracedCard) -> str:
    states = " -> ".join(card.states)
    if card.sockets is None:
        shown = "put into the cluster, whose notifiers don't tell in how many browser windows it was shown"
    else:
        shown = f"shown in {card.sockets} browser windows" if card.sockets else "shown nowhere: he had no page open"
    return f"User {card.user_id} (line {card.line}): {states}; {shown}."


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at / 1000).astimezone().strftime("%H:%M:%S.%f")[:-3]


def _plain(text: str) -> str:
    # A caller's name comes from the network: no terminal escapes.
    return "".join(char if char.isprintable() else "?" for char in text)
