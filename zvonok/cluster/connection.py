"""A connection to the cluster that is made again whenever it is lost. The only file that imports nats-py.

Each connection is a new client to one server: nats-py's own reconnecting keeps what it was told before, waits for long,
and notices a dead network after minutes. Here a server that does not answer for a second is left for the next one.
"""

import asyncio
import contextlib
import logging
import random
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from zvonok.errors import UsageError
from zvonok.settings import Settings

if TYPE_CHECKING:
    from nats.aio.client import Client

log = logging.getLogger(__name__)

MAX_PAUSE: Final = 0.5
_CONNECT_S: Final = 0.7
_LOOK_EVERY_S: Final = 0.5
_ANSWER_S: Final = 1.0
_CLOSE_S: Final = 0.2


class Reach(StrEnum):
    """How it stands with the cluster."""

    STARTING = "starting"
    OK = "ok"
    UNREACHABLE = "unreachable"
    UNAUTHORIZED = "unauthorized"


class Server(NamedTuple):
    """One server of ZVONOK_NATS_URL, and who we are there."""

    url: str
    tls: bool
    user: str | None
    password: str | None

    def __repr__(self) -> str:
        return self.url


class LostError(Exception):
    """The connection is of no more use."""


class RefusedError(Exception):
    """The server does not let us in."""


def servers(settings: Settings) -> list[Server]:
    """The servers that the settings name. User and password of the first stand for those that name none."""
    found: list[Server] = []
    for text in (settings.nats_url or "").split(","):
        url = urlsplit(text.strip())
        user = unquote(url.username) if url.username else (found[0].user if found else None)
        password = unquote(url.password) if url.password else (found[0].password if found else None)
        place = url.netloc.rpartition("@")[2]
        found.append(Server(f"{url.scheme}://{place}", url.scheme == "tls", user, password))
    return found


def require_client() -> None:
    """Raises UsageError where nats-py is not installed."""
    try:
        import nats.aio.client  # noqa: F401
    except ImportError as exc:
        raise UsageError(
            "ZVONOK_NATS_URL is set, but nats-py is not installed: install zvonok[cluster] "
            "(on an installed host run install.sh again), or remove the setting"
        ) from exc


async def keep_connected(
    settings: Settings,
    *,
    name: str,
    session: "Callable[[Client], Coroutine[Any, Any, None]]",
    told: Callable[[Reach, str], None],
) -> None:
    """Run `session` with a connection, again with a new one whenever that is lost, until cancelled.

    `session` should not return; it raises LostError where it notices that the connection is of no use. `told` hears how
    it stands, and why. `name` is who we are for the server's operator, and part of our inboxes' subject.
    """
    task = asyncio.current_task()
    assert task is not None
    known = servers(settings)
    random.shuffle(known)
    failures = 0

    async def attempt(server: Server) -> None:
        nonlocal failures
        async with connected(settings, server, name=name, told=told) as client:
            failures = 0
            told(Reach.OK, f"connected to {server.url}")
            await _while_it_answers(client, session(client))

    while True:
        server = known[0]
        known.append(known.pop(0))
        try:
            # In a task of its own: one that had a group whose member failed stays marked as cancelled (Python 3.11),
            # and would end with the next loss.
            await asyncio.create_task(attempt(server))
        except RefusedError as exc:
            told(Reach.UNAUTHORIZED, f"{server.url}: {exc}")
        except LostError as exc:
            told(Reach.UNREACHABLE, f"{server.url}: {exc}")
        if task.cancelling():  # at the same moment, and the loss was what came out
            raise asyncio.CancelledError
        failures += 1
        await asyncio.sleep(pause(failures))


@contextlib.asynccontextmanager
async def connected(
    settings: Settings, server: Server, *, name: str, told: Callable[[Reach, str], None]
) -> "AsyncIterator[Client]":
    """A client of this server. What fails in the block because the connection is lost comes out as LostError.

    Raises LostError where it cannot be made, and RefusedError where the server refuses us.
    """
    client = await _open(settings, server, name=name, told=told)
    try:
        yield client
    except Exception as exc:
        reasons = list(_leaves(exc))
        mistake = next((reason for reason in reasons if not _is_loss(reason)), None)
        if mistake is not None:
            raise mistake from None
        raise LostError(f"the connection is lost ({str(reasons[0]) or type(reasons[0]).__name__})") from exc
    finally:
        await _close(client)


def _leaves(exc: Exception) -> Iterator[Exception]:
    if isinstance(exc, ExceptionGroup):
        for one in exc.exceptions:
            yield from _leaves(one)
    else:
        yield exc


def _is_loss(exc: Exception) -> bool:
    """Whether a lost connection raises this."""
    import nats.errors

    return isinstance(exc, OSError | TimeoutError | nats.errors.Error | LostError)


async def ask(client: "Client", subject: str, body: bytes = b"", *, seconds: float = _ANSWER_S) -> bytes | None:
    """The answer to a request; None if nobody answers in time, or nobody is there to."""
    import nats.errors

    try:
        answer = await client.request(subject, body, timeout=seconds)
    except (nats.errors.TimeoutError, nats.errors.NoRespondersError):
        return None
    return answer.data


async def _open(settings: Settings, server: Server, *, name: str, told: Callable[[Reach, str], None]) -> "Client":
    import nats.errors
    from nats.aio.client import Client

    last: list[Exception] = []

    async def heard(error: Exception) -> None:
        last[:] = [error]
        if "permissions violation" in str(error).lower():
            told(Reach.UNAUTHORIZED, f"{server.url}: {error}")
        elif not isinstance(error, nats.errors.Error | OSError | TimeoutError):
            log.error("a message of the cluster could not be handled", exc_info=error)

    client = Client()
    try:
        async with asyncio.timeout(2 * _CONNECT_S):
            await client.connect(
                servers=[server.url],
                name=name,
                user=server.user,
                password=server.password,
                error_cb=heard,
                inbox_prefix=inbox(name),
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=_CONNECT_S,  # type: ignore[arg-type]
                ping_interval=3600,
                tls=_tls(settings) if server.tls else None,
                tls_handshake_first=server.tls,
            )
    except (OSError, TimeoutError, nats.errors.Error, ValueError) as exc:
        await _close(client)
        reason = last[0] if last and isinstance(exc, nats.errors.NoServersError) else exc
        if isinstance(reason, ssl.SSLError) or "authoriz" in str(reason).lower():
            raise RefusedError(str(reason)) from exc
        raise LostError(f"cannot be reached ({str(reason) or type(reason).__name__})") from exc
    return client


async def _while_it_answers(client: "Client", session: Coroutine[Any, Any, None]) -> None:
    """Run `session`, until the server is not there any more.

    Two tasks of one group, since both may notice a loss at once.
    """
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(_watch(client))
        tasks.create_task(session).add_done_callback(lambda _: watching.cancel())


async def _watch(client: "Client") -> None:
    """Ask now and then whether the server is there; raises what says that it is not."""
    while True:
        await client.flush(timeout=_ANSWER_S)  # type: ignore[arg-type]
        await asyncio.sleep(_LOOK_EVERY_S)


async def _close(client: "Client") -> None:
    # What a dead connection still holds would be waited for.
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_CLOSE_S):
            await client.close()


def inbox(name: str) -> str:
    """The beginning of the subjects on which `name` is answered; an account needs no other one to read."""
    return f"_INBOX.{name.replace(' ', '.')}"


def _tls(settings: Settings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.nats_ca)
    except (OSError, ssl.SSLError) as exc:
        raise UsageError(f"ZVONOK_NATS_CA: {settings.nats_ca} is no PEM file of certificates ({exc})") from exc


def pause(failures: int) -> float:
    """Seconds until the next attempt after `failures` in a row: full jitter, short, since a card is worth seconds."""
    return random.uniform(0, min(MAX_PAUSE, 0.05 * 2 ** min(failures, 8)))  # noqa: S311 - not a secret
