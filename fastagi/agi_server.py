"""The FastAGI server, `zvonok fastagi`: the process in the path of every call, so nothing else lives in it.

A fixed pool of threads, each blocking in accept() on the one listening socket: the kernel hands a call straight to a
sleeping worker, no thread is started and nothing is queued in between (measured against event loops and a thread for
each connection: tests/benchmarks/agi). Python runs one thread at a time, and each that wakes up costs a struggle for
it; so only TURNS of the workers take calls and the others sleep, until one of those who do has to wait for its peer or
the database. The main thread only waits for signals and feeds the watchdog.
"""

import argparse
import contextlib
import gc
import ipaddress
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from queue import Empty, SimpleQueue
from typing import Final

from fastagi import announce
from fastagi.agi_probe import ROUTE as HEALTH_ROUTE
from fastagi.agi_probe import NoAnswerError, probe
from fastagi.agi_session import AGIException, AGIHangup, AGISession, BadRequest, PeerTooSlow
from fastagi.directory import Directory
from fastagi.fact_link import RETRY, SOCKET_NAME, FactSender
from fastagi.session_tally import SessionTally
from zvonok.address import Address
from zvonok.errors import UsageError, ZvonokError
from zvonok.service import mask_text, reload_log_level, sd_notify, setup_logging, watchdog_interval
from zvonok.settings import load

log = logging.getLogger(__name__)

WORKERS: Final = 64
TURNS: Final = 4
BACKLOG: Final = 4_096  # the kernel caps it at net.core.somaxconn
OUT_OF_DESCRIPTORS_PAUSE: Final = 0.05  # s
STOP_TIMEOUT: Final = 2.0  # s; longer than any session
PROBE_TIMEOUT: Final = 1.0  # s; with the tick below systemd's 3 s (WatchdogSec) even if the first probe fails
TICK: Final = 1.0  # s
STATS_INTERVAL: Final = 5.0  # s
COMPLAIN_INTERVAL: Final = 60.0  # s
MAX_STRANGERS: Final = 1_024
_SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})

Route = Callable[[AGISession], str]
"""Serves one session and returns its result, a word for the metrics. What it raises ends the session."""


class AgiServer:
    """Serves `routes` on `address` (port 0: any free one) to this host and to the networks in `allow`.

    Each session ends within `agi_session.SESSION_DEADLINE`, and a route's own waiting, whatever the peer does.
    """

    def __init__(
        self, address: Address, routes: Mapping[str, Route], *, allow: Iterable[str] = (), workers: int = WORKERS
    ) -> None:
        self.tally = SessionTally(workers)
        self._routes = {**routes, HEALTH_ROUTE: _health}
        self._workers = workers
        self._busy: set[int] = set()
        self._complained: dict[str, float] = {}
        self._stopping = False
        self._turns: SimpleQueue[None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._listener = _listen(address)
        host, port = self._listener.getsockname()[:2]
        self.address = Address(host, port)
        self._allowed = lru_cache(maxsize=1_024)(_allow_list(allow, own=host))

    @property
    def busy(self) -> int:
        """How many workers are in a session now."""
        return len(self._busy)

    def start(self) -> None:
        """Start the workers. From here on calls are answered."""
        for _ in range(TURNS):
            self._turns.put(None)
        for number in range(self._workers):
            thread = threading.Thread(target=self._work, args=(number,), name=f"agi-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, *, timeout: float) -> bool:
        """Take no more calls and let those in hand finish: whether all did within `timeout` seconds."""
        self._stopping = True
        for _ in range(self._workers):
            self._turns.put(None)
        # Wakes every worker that sleeps in accept(); close() would not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._listener.close()
        return not any(thread.is_alive() for thread in self._threads)

    def _crowded(self) -> bool:
        return len(self._busy) >= self._workers

    def _work(self, number: int) -> None:
        has_turn = False

        def step_aside() -> None:
            nonlocal has_turn
            has_turn = False
            self._turns.put(None)

        while not self._stopping:
            if not has_turn:
                self._turns.get()
                has_turn = True
                continue
            try:
                sock, peer = self._listener.accept()
            except OSError as exc:
                if not self._stopping:
                    # A peer that is gone already, or no file descriptor left: the next accept() may do.
                    log.warning("cannot accept a call: %s", exc.strerror)
                    time.sleep(OUT_OF_DESCRIPTORS_PAUSE)
                continue
            started = time.monotonic()
            self._busy.add(number)
            try:
                with sock:
                    result = self._serve(sock, peer[0], step_aside)
            finally:
                self._busy.discard(number)
            if result != HEALTH_ROUTE:
                self.tally.count(number, result, time.monotonic() - started)

    def _serve(self, sock: socket.socket, host: str, step_aside: Callable[[], None]) -> str:
        if not self._allowed(host):
            self._complain(host)
            return "refused"
        session: AGISession | None = None
        try:
            session = AGISession(sock, crowded=self._crowded, step_aside=step_aside)
            route = self._routes.get(session.route)
            if route is None:
                return self._no_such_route(session, host)
            return route(session)
        except AGIHangup as exc:
            # The caller gave up: nothing is wrong. Nor with a health check that connects and closes.
            log.debug("%s: %s", _who(session, host), exc)
            return "hangup"
        except PeerTooSlow as exc:
            log.warning("%s: given up: %s", _who(session, host), exc)
            return "timeout"
        except BadRequest as exc:
            log.warning("%s: %s", _who(session, host), exc)
            return "bad_request"
        except AGIException as exc:
            log.warning("%s: Asterisk refused a command: %s", _who(session, host), mask_text(str(exc)))
            return "refused_command"
        except Exception:
            # The worker must outlive a mistake of ours, or the pool would shrink call by call.
            log.exception("%s: a mistake in zvonok, please report it; the call goes on", _who(session, host))
            return "failed"

    def _complain(self, host: str) -> None:
        """Log that `host` is refused, once a minute: it may knock ten thousand times a second."""
        now = time.monotonic()
        if now - self._complained.get(host, -COMPLAIN_INTERVAL) < COMPLAIN_INTERVAL:
            return
        if len(self._complained) >= MAX_STRANGERS:
            self._complained.clear()
        self._complained[host] = now
        log.warning("refused %s: it is not in ZVONOK_AGI_ALLOW (said once a minute)", host)

    def _no_such_route(self, session: AGISession, host: str) -> str:
        known = ", ".join(sorted(self._routes.keys() - {HEALTH_ROUTE}))
        asked = "".join(filter(str.isprintable, session.route[:100]))  # it goes to Asterisk's console
        text = f"zvonok has no AGI route '{asked}', only {known}; see dialplan/README.md. The call goes on."
        log.warning("%s: %s", _who(session, host), mask_text(text))
        session.verbose(text)
        return "unknown_route"


def _who(session: AGISession | None, host: str) -> str:
    uniqueid = session.env.get("agi_uniqueid") if session is not None else None
    return f"call {uniqueid[:80]}" if uniqueid else f"connection from {host}"


def _health(session: AGISession) -> str:
    session.noop()
    return HEALTH_ROUTE


def _listen(address: Address) -> socket.socket:
    if address.path is not None:
        raise UsageError("ZVONOK_AGI_LISTEN: must be host:port, because Asterisk reaches FastAGI over TCP only")
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, where = found[0]
        listener = socket.create_server(where, family=family, backlog=BACKLOG)
    except OSError as exc:
        raise ZvonokError(
            f"cannot listen on {address} (ZVONOK_AGI_LISTEN): {exc.strerror}; is another zvonok fastagi running?"
        ) from exc
    # A connection reaches a worker with its first bytes: one wake-up less for a call, and none for an idle stranger
    # (until the kernel tires of him, after about a second).
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
    return listener


def _allow_list(allow: Iterable[str], *, own: str) -> Callable[[str], bool]:
    """Who may connect: this host (by loopback and by the address we listen on) and the networks in `allow`."""
    networks = [ipaddress.ip_network(text) for text in ("127.0.0.0/8", "::1/128", *allow)]
    if not ipaddress.ip_address(own).is_unspecified:
        networks.append(ipaddress.ip_network(own))

    def allowed(host: str) -> bool:
        peer = ipaddress.ip_address(host.partition("%")[0])
        if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped is not None:
            peer = peer.ipv4_mapped
        return any(peer in network for network in networks)

    return allowed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`zvonok fastagi` takes everything from the settings."""
    parser.epilog = "Settings: ZVONOK_AGI_LISTEN, ZVONOK_AGI_ALLOW, ZVONOK_DATABASE_URL, ZVONOK_RUNTIME_DIR."


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; SIGHUP reads the log level again. Raises `ZvonokError` if it cannot start."""
    settings = load()
    setup_logging(settings.log_level, hidden=settings.secret_texts())
    signals = _signals()
    facts = FactSender(settings.runtime_dir / SOCKET_NAME)
    directory = Directory(settings)
    announcer = announce.Announcer(remembered=directory.cached_caller, who_calls=directory.caller, send_fact=facts.send)
    server = AgiServer(settings.agi_listen, {announce.ROUTE: announcer}, allow=settings.agi_allow)
    gc.collect()
    gc.freeze()  # what was loaded so far stays: the collector need not look at it during calls
    directory.start()
    server.start()
    log.info("FastAGI is served on %s by %d threads", server.address, WORKERS)
    sd_notify("READY=1")
    signal_name = _wait(server, facts, signals)
    log.info("stopping (%s): calls in hand are finished first", signal_name)
    sd_notify("STOPPING=1")
    if not server.stop(timeout=STOP_TIMEOUT):
        log.warning("some sessions did not end within %g s", STOP_TIMEOUT)
    directory.close()
    facts.close()
    return 0


def _signals() -> "SimpleQueue[signal.Signals]":
    """A queue of the signals that control the service; to be called before any other thread starts.

    They are blocked in all threads, so they interrupt nobody, and taken by a thread of their own. (Not sigtimedwait():
    in CPython 3.11 it returns a signal that nobody sent after SIGSTOP and SIGCONT.)
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    received: SimpleQueue[signal.Signals] = SimpleQueue()

    def take() -> None:
        while True:
            received.put(signal.Signals(signal.sigwait(_SIGNALS)))

    threading.Thread(target=take, name="signals", daemon=True).start()
    return received


def _wait(server: AgiServer, facts: FactSender, signals: "SimpleQueue[signal.Signals]") -> str:
    """Watch over the pool until a signal ends the service; returns the signal's name."""
    watched = watchdog_interval()
    tick = min(TICK, watched) if watched is not None else TICK
    next_stats = next_probe = 0.0
    while True:
        with contextlib.suppress(Empty):
            received = signals.get(timeout=RETRY if facts.waits else tick)
            if received is not signal.SIGHUP:
                return received.name
            reload_log_level()
        if watched is not None and time.monotonic() >= next_probe:
            next_probe = time.monotonic() + tick
            _feed_watchdog(server)
        if time.monotonic() >= next_stats:
            next_stats = time.monotonic() + STATS_INTERVAL
            facts.send(server.tally.stats(busy=server.busy, facts_lost=facts.lost))
        facts.flush()


def _feed_watchdog(server: AgiServer) -> None:
    """Feed systemd's watchdog if a whole session through the pool was answered; if not, it will restart us."""
    address = server.address
    if ipaddress.ip_address(address.host).is_unspecified:
        address = Address("::1" if ":" in address.host else "127.0.0.1", address.port)
    try:
        probe(address, timeout=PROBE_TIMEOUT)
    except NoAnswerError as exc:
        log.warning("the watchdog was not fed: %s (%d of %d workers busy)", exc, server.busy, WORKERS)
    else:
        sd_notify("WATCHDOG=1")
