"""`zvonok check`: are the servers of the cluster there, may we in, and are the buckets as they should be?"""

import asyncio
from collections.abc import Iterator
from typing import Final

from zvonok.check import Finding, Level
from zvonok.cluster import jetstream
from zvonok.cluster.connection import LostError, Reach, RefusedError, Server, ask, connected, require_client, servers
from zvonok.cluster.keys import CALLS, DISMISSALS
from zvonok.errors import UsageError
from zvonok.settings import Settings

PART: Final = "cluster"
OLDEST: Final = (2, 11)
"""The first release that answers a direct get of many values."""


def findings(settings: Settings) -> Iterator[Finding]:
    """What the servers say; nothing is changed there. Nothing at all where no cluster is named."""
    if settings.nats_url is None:
        return
    try:
        require_client()
    except UsageError as exc:
        yield _finding("nats-py", Level.FAILED, str(exc), "install.sh brings it where the settings name a cluster")
        return
    known = servers(settings)
    if any(server.password and not server.tls for server in known) and not all(map(_is_local, known)):
        todo = "use tls:// and ZVONOK_NATS_CA (docs/scaling.md)"
        yield _finding("NATS", Level.WARNING, "the password goes over the network without TLS", todo)
    asked: dict[str, jetstream.Info] | None = None
    for server in known:
        found, buckets = asyncio.run(_server(settings, server, ask_buckets=asked is None))
        yield found
        asked = buckets if asked is None else asked
    if asked == {} and settings.ami_host:
        yield _finding("buckets", Level.SKIPPED, "a PBX's account need not ask how they stand; see tap and notifier")
    elif asked is not None:
        yield from _buckets(settings, asked, len(known))


async def _server(
    settings: Settings, server: Server, *, ask_buckets: bool
) -> tuple[Finding, dict[str, jetstream.Info] | None]:
    denied: list[str] = []
    # An account may be answered as what it is, and as nothing else.
    name = f"zvonok pbx {settings.pbx_name}" if settings.ami_host else "zvonok notifier"

    def told(reach: Reach, why: str) -> None:
        if reach is Reach.UNAUTHORIZED:
            denied.append(why)

    try:
        async with connected(settings, server, name=name, told=told) as client:
            version = client.connected_server_version
            buckets: dict[str, jetstream.Info] | None = {} if ask_buckets else None
            for bucket in (CALLS, DISMISSALS) if buckets is not None else ():
                answer = await ask(client, jetstream.info(bucket))
                if answer is not None and buckets is not None:
                    buckets[bucket] = jetstream.info_answer(answer)
    except UsageError as exc:
        return _finding(
            "NATS", Level.FAILED, str(exc), "name the PEM file of whoever signed the servers' certificates"
        ), {}
    except RefusedError as exc:
        todo = "compare user, password and certificate with the server's configuration (docs/scaling.md)"
        return _finding("NATS", Level.FAILED, f"{server.url} does not let us in: {exc}", todo), None
    except (LostError, ValueError) as exc:
        todo = "is nats-server running there, and is its address in ZVONOK_NATS_URL right?"
        return _finding("NATS", Level.FAILED, f"{server.url}: {exc}", todo), None
    says = f"{server.url} lets us in (NATS {version.major}.{version.minor}.{version.patch})"
    if (version.major, version.minor) < OLDEST:
        todo = f"install NATS {OLDEST[0]}.{OLDEST[1]} or later"
        return _finding("NATS", Level.FAILED, f"{says}: too old to be read as we do", todo), buckets
    return _finding("NATS", Level.OK, says), {} if denied else buckets


def _buckets(settings: Settings, asked: dict[str, jetstream.Info], nodes: int) -> Iterator[Finding]:
    """What is wrong with the buckets. Pure."""
    for bucket in (CALLS, DISMISSALS):
        what, info = f"bucket {bucket}", asked.get(bucket)
        if info is None:
            todo = "do a majority of the servers run, each with jetstream in its configuration?"
            yield _finding(what, Level.FAILED, "the servers do not answer for it", todo)
        elif info.error is not None:
            todo = "a notifier makes it when it starts: see journalctl -u zvonok-notifier -n 50"
            yield _finding(what, Level.FAILED, f"is not there ({info.error.description})", todo)
        else:
            yield _finding(what, *_judged(settings, info, nodes))


def _judged(settings: Settings, info: jetstream.Info, nodes: int) -> tuple[Level, str, str | None]:
    age, copies = info.config.max_age / 1e9, info.config.num_replicas
    if not info.config.allow_direct:
        return (
            Level.FAILED,
            "cannot be read from every copy",
            "set allow_direct, or remove it: a notifier makes it anew",
        )
    if age < settings.recent_ttl:
        todo = "change its max_age, or remove the bucket and restart a notifier: it is made anew and filled again"
        return Level.WARNING, f"forgets after {age:g} s, before ZVONOK_RECENT_TTL ({settings.recent_ttl:g} s)", todo
    if copies < jetstream.replicas(nodes):
        todo = "give it three replicas, or remove the bucket and restart a notifier: it is made anew and filled again"
        return Level.WARNING, f"has {copies} copy on {nodes} servers: one that dies takes it along", todo
    return Level.OK, f"{info.state.messages} values, {copies} {'copy' if copies == 1 else 'copies'}", None


def _is_local(server: Server) -> bool:
    return server.url.partition("://")[2].startswith(("127.", "localhost:", "[::1]:"))


def _finding(what: str, level: Level, says: str, todo: str | None = None) -> Finding:
    return Finding(part=PART, what=what, level=level, says=says, todo=todo)
