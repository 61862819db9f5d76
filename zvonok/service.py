"""The service shell: systemd notification, signals, and logging that never shows a full number or a secret."""

import asyncio
import contextlib
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from zvonok import settings
from zvonok.errors import SettingsError

log = logging.getLogger(__name__)

MIN_HIDDEN: Final = 8

_JWT: Final = re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*){0,2}")
_LONG_NUMBER: Final = re.compile(r"\+?\d(?:[\d ()-]*\d){6,}")


def mask_number(number: str | None) -> str:
    """A number fit for logs: everything but its last four digits is hidden; short internal numbers stay.

    >>> mask_number("+79271390907")
    '…0907'
    >>> mask_number("101")
    '101'
    """
    if not number:
        return "-"
    clean = "".join(char for char in number if char.isprintable())[:64]
    digits = sum(char.isdigit() for char in clean)
    return clean if digits <= 4 and len(clean) <= 8 else "…" + clean[-4:]


def mask_text(text: str) -> str:
    """`text` that somebody else made, fit for logs: what looks like a phone number shows its last four digits.

    >>> mask_text('invalid input syntax for type bigint: "+7 (927) 139-09-07"')
    'invalid input syntax for type bigint: "…0907"'
    """
    return _LONG_NUMBER.sub(lambda found: "…" + "".join(filter(str.isdigit, found[0]))[-4:], text)


def _escape(text: str) -> str:
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


class _Formatter(logging.Formatter):
    """One line a record, with journald's priority prefix where stderr is the journal; control characters escaped.

    A traceback takes more lines, each of them escaped and with the prefix. Tokens and the `hidden` texts are not shown,
    whoever put them there.
    """

    def __init__(self, *, journal: bool, hidden: Iterable[str] = ()) -> None:
        super().__init__("%(name)s: %(message)s" if journal else "%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self._journal = journal
        patterns = [re.escape(text) for text in hidden if len(text) >= MIN_HIDDEN]
        self._hidden = re.compile("|".join(patterns)) if patterns else None

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return _escape(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        return "\n".join(map(_escape, super().formatException(ei).split("\n")))

    def format(self, record: logging.LogRecord) -> str:
        text = _JWT.sub("<token>", super().format(record))
        if self._hidden is not None:
            text = self._hidden.sub("<secret>", text)
        if not self._journal:
            return text
        priority = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}.get(record.levelname, 6)
        return "\n".join(f"<{priority}>{line}" for line in text.split("\n"))


def _stderr_is_journal() -> bool:
    """Whether stderr goes to the journal: JOURNAL_STREAM names its device and inode (systemd.exec(5))."""
    try:
        stat = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):  # closed, or replaced by something without a file
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"


def setup_logging(level: str, *, hidden: Iterable[str] = ()) -> None:
    """Log to stderr from now on: with priorities for journald if it is the journal (sd-daemon(3)), with times else.

    `hidden`: texts that must never be logged, such as `Settings.secret_texts()`; shorter than MIN_HIDDEN they are words
    that may stand anywhere.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(journal=_stderr_is_journal(), hidden=hidden))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # aiohttp's access log would hold users' addresses and every health check; psycopg's pool repeats its reconnects.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def set_log_level(level: str) -> None:
    """Change the level of a running service (SIGHUP reloads it)."""
    logging.getLogger().setLevel(level)
    log.info("log level is now %s", level)


def reload_log_level() -> None:
    """Read the settings' files again and take LOG_LEVEL from them; wrong settings change nothing. Never raises."""
    try:
        level = settings.load().log_level
    except SettingsError as exc:
        log.error("the log level stays: %s", "; ".join(exc.problems))
        return
    set_log_level(level)


def sd_notify(state: str) -> None:
    """Tell systemd `state`, such as "READY=1"; does nothing without NOTIFY_SOCKET (sd_notify(3)). Never raises."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.sendto(state.encode(), address)


def watchdog_interval() -> float | None:
    """Seconds between two WATCHDOG=1 (a third of what systemd allows), or None where no watchdog is set."""
    usec = os.environ.get("WATCHDOG_USEC", "")
    pid = os.environ.get("WATCHDOG_PID", "")
    if not usec.isdigit() or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 3_000_000


async def feed_watchdog() -> None:
    """Feed systemd's watchdog from the running event loop, so that it trips when the loop hangs. Never returns."""
    interval = watchdog_interval()
    while interval is not None:
        sd_notify("WATCHDOG=1")
        await asyncio.sleep(interval)
    await asyncio.Event().wait()


async def run_until_signalled(
    serve: Callable[[asyncio.Event], Awaitable[None]], *, reload: Callable[[], None] = reload_log_level
) -> None:
    """Run `serve(stop)`; SIGTERM or SIGINT sets `stop`, SIGHUP calls `reload`. `serve` says READY=1 itself.

    Whatever `serve` raises comes out of here.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stopping(name: str) -> None:
        if not stop.is_set():
            log.info("stopping (%s)", name)
            sd_notify("STOPPING=1")
            stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping, number.name)
    loop.add_signal_handler(signal.SIGHUP, reload)
    watchdog = asyncio.create_task(feed_watchdog(), name="watchdog")
    try:
        await serve(stop)
    finally:
        watchdog.cancel()
