"""`zvonok token`: a user's token and login link, for trying things out and for offices without a CRM integration."""

import argparse
import sys

from notifier.auth import issue
from zvonok.address import Address
from zvonok.errors import UsageError
from zvonok.settings import load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--user", type=_user_id, required=True, metavar="ID", help="the user's id in the CRM")
    parser.add_argument("--days", type=_days, default=1.0, metavar="N", help="how long it is good for (default: 1)")


def run(args: argparse.Namespace) -> int:
    """Print the token and the link, a line each."""
    settings = load(needs=["AUTH_SECRET|AUTH_PUBLIC_KEY"])
    if settings.auth_secret is None:
        raise UsageError(
            "only ZVONOK_AUTH_PUBLIC_KEY is set, and a public key cannot sign: let the CRM, which has the private "
            "key, make the token, or set ZVONOK_AUTH_SECRET as well"
        )
    token = issue(settings.auth_secret, args.user, lifetime_s=args.days * 86_400)
    link = login_link(settings.http_listen, token)
    sys.stdout.write(f"{token}\n")
    if link is None:
        sys.stderr.write("no link: ZVONOK_HTTP_LISTEN is a unix socket; open your proxy's address with #token=...\n")
    else:
        sys.stdout.write(f"{link}\n")
    return 0


def login_link(listen: Address, token: str) -> str | None:
    """The page with the token in its fragment, which never leaves the browser; None on a unix socket."""
    if listen.path is not None:
        return None
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(listen.host, listen.host)  # noqa: S104 - compared, not bound
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"http://{host}:{listen.port}/#token={token}"


def _user_id(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError("must be a user's id, a positive number")
    return int(text)


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not 0 < days <= 3650:
        raise argparse.ArgumentTypeError("must be a number of days up to 3650")
    return days
