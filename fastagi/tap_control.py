"""The tap's control socket: `zvonok why` asks here. One JSON line in, one JSON text out, then closed."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from fastagi.fact_link import listen_unix
from fastagi.trace import TracedCall

log = logging.getLogger(__name__)

SOCKET_NAME: Final = "tap.sock"  # in RUNTIME_DIR
_TIMEOUT: Final = 5.0
_MAX_QUESTION: Final = 4096


class WhyQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """`wanted` is a call id, linkedid, uniqueid or number; None for the newest calls. `last`: at most so many."""

    wanted: str | None = None
    last: int = 5


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How the tap stands with the parts around it, for `zvonok check`.

    `heard` counts AMI's events by class since the login at `ami_since` (ms), `unheard` names the classes that were
    owed to us and did not come. Of the last calls with a card `announced` were announced by the dialplan; `others`: the
    numbers dialled by those that were not. `fastagi_heard`: when a FastAGI server was heard last (Unix s; 0: never).
    """

    version: str
    ami_since: int | None
    heard: dict[str, int]
    unheard: list[str]
    announced: int
    others: dict[str, int]
    fastagi_heard: float
    directory_ready: bool
    journal_alarm: bool
    history_behind: bool


class WhyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The calls, oldest first, and how the tap stands with the PBX and the notifier."""

    calls: list[TracedCall]
    ami_up: bool
    ami_state: str
    notifier_ok: bool
    notifier_state: str
    standing: Standing | None = None  # None: a tap older than this command


async def serve_control(path: Path, answer: Callable[[WhyQuestion], WhyAnswer]) -> None:
    """Answer questions on the unix socket `path` (mode 0600) until cancelled."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT):
                question = msgspec.json.decode(await reader.readline(), type=WhyQuestion)
                writer.write(msgspec.json.encode(answer(question)))
                await writer.drain()
        except (msgspec.DecodeError, ValueError, RecursionError, OSError, TimeoutError) as exc:
            log.warning("the control socket got no question that we know (%s); same version of zvonok?", exc)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    with listen_unix(path) as listener:
        async with await asyncio.start_unix_server(serve, sock=listener, limit=_MAX_QUESTION) as server:
            await server.serve_forever()
