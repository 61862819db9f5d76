"""`zvonok testcall`: the brief's test script. Shows a test call in a user's open pages: ringing, talking, ended.

It asks the running notifier and keeps the connection open; killed, the call ends by itself.
"""

import argparse
import asyncio
import sys

import aiohttp
import msgspec

from notifier.testcalls import Order, Step
from notifier.token import _user_id
from zvonok.address import parse_address
from zvonok.cli import plain
from zvonok.errors import ZvonokError
from zvonok.settings import Settings, load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--user", type=_user_id, required=True, metavar="ID", help="whose page: the user's id in the CRM"
    )
    parser.add_argument(
        "--from", dest="number", metavar="N", help="the caller's number; he is looked up as for a real call"
    )
    parser.add_argument("--ring", type=_seconds, default=5.0, metavar="S", help="seconds of ringing (default: 5)")
    parser.add_argument("--talk", type=_seconds, default=10.0, metavar="S", help="seconds of talking (default: 10)")
    parser.add_argument(
        "--wait", type=_seconds, default=60.0, metavar="S", help="how long to wait for an open page (default: 60)"
    )


def run(args: argparse.Namespace) -> int:
    """0: an open page showed all of it; 1: none did."""
    settings = load(needs=["INTAKE_SECRET"])
    order = Order(user_id=args.user, number=args.number, ring=args.ring, talk=args.talk, wait=args.wait)
    return asyncio.run(_ask(settings, order))


async def _ask(settings: Settings, order: Order) -> int:
    path = parse_address(settings.notifier_url).path if settings.notifier_url.startswith("unix:") else None
    url = ("http://notifier" if path is not None else settings.notifier_url) + "/intake/v1/test-call"
    connector = aiohttp.UnixConnector(path) if path is not None else aiohttp.TCPConnector()
    headers = {"Authorization": f"Bearer {settings.intake_secret}"}
    timeout = aiohttp.ClientTimeout(total=None, connect=5, sock_read=max(order.ring, order.talk, order.wait) + 30)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session,
            session.post(url, data=msgspec.json.encode(order), allow_redirects=False) as response,
        ):
            if response.status == 401:
                raise ZvonokError("the notifier refuses our secret: is ZVONOK_INTAKE_SECRET the same here and there?")
            if response.status != 200:
                raise ZvonokError(
                    f"{settings.notifier_url} answered {response.status}: {(await response.text())[:200]}; "
                    "is ZVONOK_NOTIFIER_URL the notifier's intake (ZVONOK_INTAKE_LISTEN there)?"
                )
            shown = False
            async for line in response.content:
                if line.strip():
                    shown = _tell(msgspec.json.decode(line, type=Step), order) or shown
            return 0 if shown else 1
    except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError) as exc:
        raise ZvonokError(
            f"the notifier at {settings.notifier_url} cannot be reached ({exc or type(exc).__name__}); "
            "is it running (zvonok notifier), and is ZVONOK_NOTIFIER_URL right?"
        ) from exc


def _tell(step: Step, order: Order) -> bool:
    """Print a step. Returns whether it is the end of a call that a page showed."""
    pages = "1 open page" if step.sockets == 1 else f"{step.sockets} open pages"
    match step.step:
        case "waiting":
            _say(f"user {order.user_id} has no open page. Open the link that this prints:")
            _say(f"    zvonok token --user {order.user_id}")
            _say(f"Waiting {order.wait:g} s for it (Ctrl-C stops) ...")
        case "no_page":
            _say(f"no page of user {order.user_id} was opened; nothing was shown")
        case "unknown_user":
            _say(f"the database has no user {order.user_id}; nothing was shown")
        case "busy":
            _say(f"a test call for user {order.user_id} is running already; wait for its end")
        case "ringing":
            who = step.name or "unknown"
            _say(f"ringing: {step.number or 'no number'} ({step.kind}: {who}), in {pages}")
        case "talking":
            _say(f"talking, in {pages}")
        case "ended":
            _say(f"ended, in {pages}")
            return step.sockets > 0
    return False


def _say(line: str) -> None:
    sys.stdout.write(plain(line) + "\n")  # names are the CRM's, and anybody's there
    sys.stdout.flush()


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 600:
        raise argparse.ArgumentTypeError("must be seconds, up to 600")
    return seconds
