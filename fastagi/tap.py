"""The tap: one event loop that brings facts to the tracker, and what follows to journal, notifier and history.

`zvonok tap`. It starts and goes on whatever else is down: PBX, database, notifier.
"""

import argparse
import asyncio
import gc
import itertools
import logging
import secrets
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from fastagi.ami import Ami
from fastagi.directory import Directory
from fastagi.fact_link import SOCKET_NAME as FACTS_SOCKET
from fastagi.fact_link import serve_facts
from fastagi.facts import Fact
from fastagi.fastagi_metrics import FastagiCollector
from fastagi.history import History
from fastagi.history_follower import HistoryFollower
from fastagi.journal import Journal
from fastagi.known_calls import KnownCalls
from fastagi.lookups import Lookups
from fastagi.ownership import MAX_UNRESOLVED
from fastagi.publisher import Link, publisher
from fastagi.records import AskCaller, AskOwners, Changed, Note, Output, Record
from fastagi.tap_control import SOCKET_NAME as CONTROL_SOCKET
from fastagi.tap_control import Standing, WhyAnswer, WhyQuestion, serve_control
from fastagi.tap_metrics import Reading, TapMetrics, serve_metrics
from fastagi.trace import Trace
from fastagi.tracker import Tracker
from zvonok.cli import package_version
from zvonok.errors import ZvonokError
from zvonok.service import mask_number, run_until_signalled, sd_notify, setup_logging
from zvonok.settings import Settings, load

log = logging.getLogger(__name__)

TICK: Final = 0.1
FORGET_EVERY: Final = 10  # ticks
COMPLAIN_EVERY_MS: Final = 60_000
LOOKUPS_PROBLEM: Final = "the database: lookups are not answered"
LOOKUP_BUDGET: Final = 0.5  # s; no call waits for the tap's lookups, and a new connection may take more than 0.2 s
_record_decoder: Final = msgspec.json.Decoder(Record)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments: everything is in the settings."""


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    settings = load(needs=["DATABASE_URL", "AMI_HOST", "AMI_SECRET", "INTAKE_SECRET|NATS_URL"])
    setup_logging(settings.log_level, hidden=settings.secret_texts())

    tune()

    async def serve(stop: asyncio.Event) -> None:
        await Tap(settings).serve(stop)

    asyncio.run(run_until_signalled(serve))
    return 0


def tune() -> None:
    """Keep waits short: a thread with an answer gets in after 0.5 ms of a busy loop and not 5, and the collector goes
    through everything less often, and without all that was loaded at the start."""
    sys.setswitchinterval(0.0005)
    gc.freeze()
    gc.set_threshold(700, 10, 100)


class Clock:
    """Wall-clock milliseconds that never go back: one anchor plus the monotonic clock."""

    def __init__(self) -> None:
        self._anchor = time.time_ns() - time.monotonic_ns()

    def __call__(self) -> int:
        return (self._anchor + time.monotonic_ns()) // 1_000_000


class Tap:
    """The tap's parts, put together. One instance a process; `serve` runs it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._now = Clock()
        self._calls = KnownCalls(int(settings.recent_ttl * 1000))
        self._trace = Trace(receipts=settings.nats_url is None)
        self._tracker = Tracker(
            pbx=settings.pbx_name,
            new_id=lambda: secrets.token_urlsafe(12),
            ring_watchdog_ms=int(settings.ring_watchdog * 1000),
        )
        assert settings.ami_host
        assert settings.ami_secret
        self._directory = Directory(settings, budget=LOOKUP_BUDGET)
        self._lookups = Lookups(self._directory, feed=self.feed, trace=self._trace, now=self._now)
        self._facts: deque[Fact] = deque()
        self._given_up = self._complained_at = 0
        self._journal = Journal(settings.state_dir / "journal", checkpoint=self._checkpoint)
        self._history = History(settings.database_url)
        self._publisher = publisher(
            settings,
            known=self._calls.calls,
            live=lambda: self._tracker.live if self._ami.in_step else None,
            delivered=self._delivered,
        )
        self._ami = Ami(
            host=settings.ami_host,
            port=settings.ami_port,
            user=settings.ami_user,
            secret=settings.ami_secret,
            feed=self.feed,
            now=self._now,
            suspects=lambda: self._tracker.suspects,
        )
        self._follower = HistoryFollower(self._journal, self._history, settings.state_dir)
        self._fastagi = FastagiCollector()
        self._metrics = TapMetrics(self._readings, lambda: self._tracker.counters, lambda: self._directory.counts)
        self._metrics.registry.register(self._fastagi)

    async def serve(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set. Raises `ZvonokError` if something that it cannot do without is missing."""
        settings = self._settings
        self._restore()
        listening = asyncio.Event()
        self._directory.start()
        await self._history.open()
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(part, name=name)
                    for name, part in {
                        "facts": serve_facts(
                            settings.runtime_dir / FACTS_SOCKET, self.feed, self._fastagi.update, listening=listening
                        ),
                        "control": serve_control(settings.runtime_dir / CONTROL_SOCKET, self._why),
                        "metrics": self._serve_metrics(),
                        "journal": self._journal.keep_synced(),
                        "publisher": self._publisher.publish(),
                        "history": self._follower.follow(),
                        "ami": self._ami.follow(),
                        "tick": self._tick(),
                    }.items()
                ]
                await listening.wait()
                sd_notify("READY=1")
                await stop.wait()
                for task in running:
                    task.cancel()
        except* ZvonokError as group:
            raise group.exceptions[0] from None
        finally:
            self._journal.close()
            self._directory.close()
            await self._history.close()

    def feed(self, fact: Fact) -> None:
        """Give the tracker one fact, and everybody what follows from it; what that leads to is fed after it."""
        self._facts.append(fact)
        if len(self._facts) > 1:
            return  # a cached answer came while its question was being handled
        while self._facts:
            now = self._now()
            self._trace.saw(self._facts[0], now)
            self._handle(self._tracker.feed(self._facts[0], now=now), now)
            self._facts.popleft()

    def _handle(self, outputs: Iterable[Output], now: int) -> None:
        for output in outputs:
            self._trace.decided(output, now)
            match output:
                case AskOwners() | AskCaller():
                    self._lookups.ask(output)
                case Note():
                    pass
                case _:
                    self._record(output)

    def _record(self, record: Record) -> None:
        payload = msgspec.json.encode(record)
        news = self._calls.add(record, payload)
        self._journal.append(payload)
        if news and isinstance(record, Changed):
            call = record.call
            self._publisher.offer(call)
            self._metrics.changed(call)
            log.info(
                "call %s: %s%s, user %d, line %s, from %s",
                call.call_id,
                call.state,
                f" ({call.end.reason})" if call.end else "",
                call.user_id,
                mask_number(call.line.number),
                mask_number(call.caller.number),
            )

    def _delivered(self, delivered: dict[str, int]) -> None:
        self._trace.delivered(delivered, self._now())

    async def _tick(self) -> None:
        for tick in itertools.count(1):
            await asyncio.sleep(TICK)
            now = self._now()
            self._handle(self._tracker.tick(now=now), now)
            if tick % FORGET_EVERY == 0:
                self._calls.forget_old(now)
            if self._tracker.given_up > self._given_up and now >= self._complained_at + COMPLAIN_EVERY_MS:
                log.error(
                    "%d calls will be missing from the history: more than %d wait for the database to say whose they "
                    "are; mend the database (zvonok check)",
                    self._tracker.given_up - self._given_up,
                    MAX_UNRESOLVED,
                )
                self._given_up, self._complained_at = self._tracker.given_up, now

    def _checkpoint(self) -> list[bytes]:
        return self._calls.payloads()

    def _restore(self) -> None:
        gc.disable()  # nothing of what is read is garbage, and looking for some would take longer than to read it
        try:
            for payload in self._journal.restore():
                try:
                    self._calls.add(_record_decoder.decode(payload), payload)
                except (msgspec.DecodeError, RecursionError):
                    self._journal.damaged += 1
            self._calls.forget_old(self._now())
            self._tracker.restore(self._calls.records())
            self._journal.open(kept=lambda: self._follower.position)
        except OSError as exc:
            raise ZvonokError(
                f"the journal cannot be opened ({exc}); is ZVONOK_STATE_DIR ({self._settings.state_dir}) ours to write?"
            ) from exc
        finally:
            gc.enable()
            gc.freeze()  # and it stays for long: no later look for garbage need go through it

    def _why(self, question: WhyQuestion) -> WhyAnswer:
        return WhyAnswer(
            calls=self._trace.last(question.last, wanted=question.wanted),
            ami_up=self._ami.in_step,
            ami_state=self._ami.link,
            notifier_ok=self._publisher.link is Link.OK,
            notifier_state=self._publisher.link,
            standing=self._standing(),
        )

    def _standing(self) -> Standing:
        rights, (announced, others) = self._ami.rights, self._trace.announced()
        return Standing(
            version=package_version(),
            ami_since=rights.since,
            heard=dict(rights.heard),
            unheard=rights.missing,
            announced=announced,
            others=others,
            fastagi_heard=self._fastagi.heard_at,
            directory_ready=self._directory.ready,
            journal_alarm=self._journal.alarm,
            history_behind=self._follower.behind,
        )

    def _problems(self) -> list[str]:
        """Why the tap is not ready, a sentence each."""
        found = []
        if not self._ami.in_step:
            found.append(f"the PBX's AMI: {self._ami.link}")
        if self._publisher.link is not Link.OK:
            found.append(f"the notifier: {self._publisher.link}")
        if not self._directory.ready:
            found.append(LOOKUPS_PROBLEM)
        if self._journal.alarm:
            found.append("the journal cannot be written")
        return found

    async def _serve_metrics(self) -> None:
        listen = self._settings.tap_metrics_listen
        if listen is None:
            return
        runner = await serve_metrics(listen, self._metrics, problems=self._problems, token=self._settings.metrics_token)
        try:
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    def _readings(self) -> Iterator[Reading]:
        ami, publisher, journal = self._ami, self._publisher, self._journal
        yield "ami_up", "1 while logged in and in step with the PBX", ami.in_step
        yield "ami_facts_total", "Facts that AMI events told", ami.facts
        yield (
            "ami_classes_unheard",
            "Classes of AMI events that the PBX owes us (read = call,agent)",
            len(ami.rights.missing),
        )
        yield "ami_reconnects_total", "AMI connections lost", ami.reconnects
        yield "ami_round_trip_seconds", "How long the last ping took", ami.round_trip or 0.0
        yield "last_resync_timestamp_seconds", "When channels were last listed (Unix)", (ami.last_resync or 0) / 1000
        yield "directory_up", "1 while the database answers lookups", self._directory.ready
        yield "live_calls", "Calls that ring or talk now", len(self._tracker.live)
        yield "calls_unresolved", "Legs whose owners the database has not told yet", self._tracker.unresolved
        yield "calls_given_up_total", "Calls given up because too many waited for their owners", self._tracker.given_up
        yield "tracked", "Channels, legs and calls held in memory", self._tracker.size
        yield "notifier_up", "1 while the notifier takes our states", publisher.link is Link.OK
        yield "states_sent_total", "States that the notifier took", publisher.sent
        yield "states_waiting", "Calls with a state that the notifier does not have yet", publisher.waiting
        yield "states_refused_total", "States that the notifier refused", publisher.set_aside
        yield "journal_bytes", "Size of the journal on disk", journal.size()
        yield "journal_alarm", "1 while the journal cannot be written", journal.alarm
        yield "journal_damaged_total", "Damaged records skipped at the start", journal.damaged
        yield "journal_lost_segments_total", "Segments given up before the history had them", journal.lost_segments
        yield "history_written_total", "States written to calls", self._follower.written
        yield "history_refused_total", "States that the database refused", self._follower.refused
        yield "history_behind", "1 while the database does not take the history", self._follower.behind
