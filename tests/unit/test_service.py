"""The service shell: what systemd hears, what the log shows, what signals do."""

import asyncio
import logging
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.levels import within
from zvonok import service
from zvonok.settings import Settings


@pytest.fixture
def notify_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(tmp_path / "notify"))
    sock.settimeout(within(5))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    return sock


@pytest.fixture
def restored_logging():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+79271390907", "…0907"),
        ("101", "101"),
        (None, "-"),
        ("", "-"),
        ("sip:\n\x1b[31m89271390907", "…0907"),
        ("12345", "…2345"),
    ],
)
def test_a_number_keeps_its_last_four_digits_and_short_ones_stay(number: str | None, shown: str) -> None:
    assert service.mask_number(number) == shown


def test_a_log_line_stays_one_line_whatever_a_caller_calls_himself(
    capsys: pytest.CaptureFixture[str], restored_logging: None
) -> None:
    service.setup_logging("INFO")
    logging.getLogger("tap").info("caller %s", "Bob\n<2>kernel: \x1b[31mpanic")
    (line,) = capsys.readouterr().err.splitlines()
    assert r"Bob\x0a<2>kernel: \x1b[31mpanic" in line


def test_a_secret_of_the_settings_never_reaches_the_log_whoever_logs_it(
    capsys: pytest.CaptureFixture[str], restored_logging: None
) -> None:
    secret, password = "0123456789abcdef" * 4, "p@ss word"
    found = Settings(intake_secret=secret, ami_secret="short", database_url="postgresql://u:p%40ss%20word@h/db")
    service.setup_logging("INFO", hidden=found.secret_texts())
    log = logging.getLogger("library")
    log.info("Authorization: Bearer %s", secret)
    log.error("cannot connect with %s, %s, or as %s", found.database_url, "p%40ss%20word", password)
    try:
        int(f"x{secret}")
    except ValueError:
        log.exception("a mistake that is %s", "short")
    text = capsys.readouterr().err
    assert not any(hidden in text for hidden in (secret, password, "p%40ss%20word"))
    assert "<secret>" in text
    assert "short" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("lookup of 79271390907 failed", "lookup of …0907 failed"),
        ("+7 (927) 139-09-07 and 8-495-123-45-67", "…0907 and …4567"),
        ("cannot reach 127.0.0.1 port 5432: errno 111", "cannot reach 127.0.0.1 port 5432: errno 111"),
        ("extension 101 of call 17.5", "extension 101 of call 17.5"),
    ],
)
def test_what_looks_like_a_number_in_somebody_elses_words_is_masked(text: str, shown: str) -> None:
    assert service.mask_text(text) == shown


def test_a_token_never_reaches_the_log_not_even_in_a_traceback(
    capsys: pytest.CaptureFixture[str], restored_logging: None
) -> None:
    service.setup_logging("INFO")
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"
    error = ValueError(f"bad\x1b {token}\n<0>forged")
    logging.getLogger("notifier").error("auth %s", token, exc_info=error)
    err = capsys.readouterr().err
    assert token not in err
    assert "\x1b" not in err
    assert err.count("<token>") == 2


def test_the_journal_gets_priorities_and_no_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    with path.open("w+") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        stat = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{stat.st_ino}")
        formatter = service._Formatter(journal=service._stderr_is_journal())
        record = logging.LogRecord("tap", logging.WARNING, __file__, 1, "AMI is away", None, None)
        assert formatter.format(record) == "<4>tap: AMI is away"
        monkeypatch.setenv("JOURNAL_STREAM", "1:2")
        assert not service._stderr_is_journal()


def test_without_systemd_a_notification_goes_nowhere_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    service.sd_notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/at/all")
    service.sd_notify("READY=1")


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [("3000000", "", 1.0), ("3000000", str(os.getpid()), 1.0), ("3000000", "1", None), ("", "", None), ("x", "", None)],
    ids=["no-pid", "our-pid", "another-pid", "none", "garbage"],  # the same in each worker of xdist
)
def test_the_watchdog_is_fed_three_times_within_its_limit(
    monkeypatch: pytest.MonkeyPatch, usec: str, pid: str, seconds: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    assert service.watchdog_interval() == seconds


async def test_a_term_signal_stops_the_service_and_systemd_hears_of_it(
    notify_socket: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000")

    async def serve(stop: asyncio.Event) -> None:
        service.sd_notify("READY=1")
        asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(stop.wait(), within(5))

    await service.run_until_signalled(serve)
    notify_socket.setblocking(False)
    heard = set()
    while True:
        try:
            heard.add(notify_socket.recv(100))
        except BlockingIOError:
            break
    assert heard == {b"READY=1", b"STOPPING=1", b"WATCHDOG=1"}


async def test_what_kills_the_service_comes_out_of_it() -> None:
    async def serve(stop: asyncio.Event) -> None:
        raise RuntimeError("the tracker died")

    with pytest.raises(RuntimeError, match="the tracker died"):
        await service.run_until_signalled(serve)


async def test_a_reload_takes_the_log_level_from_the_env_file_as_it_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restored_logging: None
) -> None:
    env_file = tmp_path / "zvonok.env"
    env_file.write_text("ZVONOK_LOG_LEVEL=DEBUG\n")
    monkeypatch.setenv("ZVONOK_ENV_FILE", str(env_file))
    logging.getLogger().setLevel(logging.INFO)

    async def serve(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        async with asyncio.timeout(within(5)):
            while logging.getLogger().level != logging.DEBUG:
                await asyncio.sleep(0.01)

    await service.run_until_signalled(serve)


def test_a_reload_of_wrong_settings_changes_nothing_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, restored_logging: None
) -> None:
    env_file = tmp_path / "zvonok.env"
    env_file.write_text("ZVONOK_LOG_LEVEL=LOUD\n")
    monkeypatch.setenv("ZVONOK_ENV_FILE", str(env_file))
    before = logging.getLogger().level
    service.reload_log_level()
    assert logging.getLogger().level == before
    assert "ZVONOK_LOG_LEVEL" in caplog.text
