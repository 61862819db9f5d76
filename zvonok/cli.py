"""The one command, `zvonok`: it reads arguments and imports what it runs only then, so each process loads its own."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from zvonok.errors import UsageError, ZvonokError

# name -> (module, one line of help). Each module has `add_arguments(parser)` and `run(args) -> int`.
COMMANDS: dict[str, tuple[str, str]] = {
    "fastagi": ("fastagi.agi_server", "serve FastAGI: the process in the path of every call"),
    "tap": ("fastagi.tap", "follow the PBX over AMI and tell the notifier and the history"),
    "notifier": ("notifier.app", "serve the browsers"),
    "migrate": ("sql.runner", "create or upgrade our objects in the CRM's database"),
    "check": ("zvonok.check", "is everything as it should be? Each finding with what to do"),
    "why": ("fastagi.why", "why did a call, or did not, show a card, and to whom?"),
    "token": ("notifier.token", "print a user's token and login link"),
    "testcall": ("notifier.testcall", "show a test call in a user's open browser"),
}

# Where `zvonok check` finds its sections: each module has `findings(settings) -> Iterator[Finding]`.
CHECKS: tuple[str, ...] = ("zvonok.exposure", "sql.check", "fastagi.check", "zvonok.cluster.check", "notifier.check")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Exit codes: 0, 1 failed, 2 wrong usage or settings."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="zvonok", description="Zvonok tells people who is calling while their phone rings."
    )
    parser.add_argument("--version", action="version", version=f"zvonok {package_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    for name, (module, line) in COMMANDS.items():
        sub = commands.add_parser(name, help=line, description=line[0].upper() + line[1:] + ".")
        if name == wanted:
            loaded = import_module(module)
            loaded.add_arguments(sub)
            sub.set_defaults(run=loaded.run, sections=check_sections)
    if not arguments:
        parser.print_help(sys.stderr)
        return 2
    args = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = args.run
    try:
        return run(args)
    except UsageError as exc:
        print(plain(f"zvonok {wanted}: {exc}"), file=sys.stderr)
        return 2
    except ZvonokError as exc:
        print(plain(f"zvonok {wanted}: {exc}"), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `zvonok why | head`: the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def check_sections() -> list[Callable[..., object]]:
    """The sections of `zvonok check`, loaded."""
    return [import_module(module).findings for module in CHECKS]


def plain(text: str) -> str:
    """`text` fit for a terminal: what other programs said in it, and tables, may not steer the screen."""
    return "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text)


def package_version() -> str:
    """The installed version, or "0+source" in a checkout that was not installed."""
    try:
        return version("zvonok")
    except PackageNotFoundError:
        return "0+source"


if __name__ == "__main__":
    sys.exit(main())
