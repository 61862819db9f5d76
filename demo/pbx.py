"""A stand-in PBX for `make run` and for fault injection: speaks real AGI and real AMI, and has no telephone.

Its calls are recordings of a real Asterisk (`demo/recordings`), replayed event by event in their own time, with fresh
uniqueids, channel names and the numbers of the people at hand. It shows how Zvonok looks; that Zvonok is right is shown
on real Asterisk (`tests/asterisk`).
"""

import asyncio
import contextlib
import itertools
import logging
import os
import random
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final

import psycopg

from demo.calls import Line, RecordedCall, recorded_calls
from demo.people import DemoUser, find_callers, find_users
from zvonok import settings as settings_module
from zvonok.address import Address
from zvonok.service import setup_logging

log = logging.getLogger(__name__)

STRANGER: Final = "84955550123"
BANNER: Final = b"Asterisk Call Manager/11.0.0\r\n"
AGI_TIMEOUT: Final = 2.0
_COLUMNS: Final = (
    "Channel", "ChannelState", "ChannelStateDesc", "CallerIDNum", "CallerIDName", "ConnectedLineNum",
    "ConnectedLineName", "Language", "AccountCode", "Context", "Exten", "Priority", "Uniqueid", "Linkedid",
)  # fmt: skip


class Pbx:
    """The AMI server, the channels that its calls have now, and the AGI client."""

    def __init__(self, *, user: str, secret: str, agi: Address) -> None:
        self._user, self._secret, self._agi = user, secret, agi
        self._managers: set[asyncio.StreamWriter] = set()
        self._channels: dict[str, dict[str, str]] = {}
        self._born: dict[str, float] = {}
        self._started = time.localtime()

    async def serve(self, host: str, port: int) -> None:
        """Listen for managers until cancelled."""
        server = await asyncio.start_server(self._manager, host, port)
        async with server:
            await server.serve_forever()

    async def place(self, call: RecordedCall, caller: str, people: Sequence[str]) -> None:
        """Replay one call from `caller` to `people`."""
        clock = asyncio.get_running_loop().time
        began = clock()
        for line in call.replay(caller, people):
            await asyncio.sleep(began + line.t - clock())
            await self.play(line)

    async def play(self, line: Line) -> None:
        """Let one line of a recording happen now: an event for every manager, or an announcement."""
        if line.announced is not None:
            await self._announce(line.announced)
        elif line.ami is not None:
            self._follow(line)
            data = ("\r\n".join(line.ami) + "\r\n\r\n").encode()
            for manager in self._managers:
                if not manager.is_closing():
                    manager.write(data)

    def restart(self) -> None:
        """Lose every channel and every manager, as a killed Asterisk does; the new one has started now."""
        self._channels.clear()
        self._born.clear()
        for manager in self._managers:
            manager.transport.abort()
        self._managers.clear()
        self._started = time.localtime()

    def _follow(self, line: Line) -> None:
        """Keep the channel rows of CoreShowChannels up to date."""
        headers = line.headers
        for prefix in ("", "Dest"):
            uniqueid = headers.get(f"{prefix}Uniqueid") or headers.get(f"{prefix}UniqueID")
            if not uniqueid or (prefix == "" and "Channel" not in headers):
                continue
            row = self._channels.setdefault(uniqueid, {"Application": "Dial", "BridgeId": ""})
            self._born.setdefault(uniqueid, time.monotonic())
            row.update({name: headers[prefix + name] for name in _COLUMNS if prefix + name in headers})
            if prefix == "Dest":
                row["Application"] = "AppDial"
        uniqueid = headers.get("Uniqueid", "")
        match headers.get("Event"):
            case "Hangup":
                self._channels.pop(uniqueid, None)
                self._born.pop(uniqueid, None)
            case "BridgeEnter" if uniqueid in self._channels:
                self._channels[uniqueid]["BridgeId"] = headers.get("BridgeUniqueid", "")
            case "BridgeLeave" if uniqueid in self._channels:
                self._channels[uniqueid]["BridgeId"] = ""

    # -- AMI

    async def _manager(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(BANNER)
            while action := await _read_action(reader):
                if not self._answer(action, writer):
                    break
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._managers.discard(writer)
            writer.close()

    def _answer(self, action: Mapping[str, str], writer: asyncio.StreamWriter) -> bool:
        """Answer one action; False ends the connection."""
        name = action.get("action", "").lower()

        def say(*lines: str) -> None:
            identifier = [f"ActionID: {action['actionid']}"] if "actionid" in action else []
            writer.write(("\r\n".join([lines[0], *identifier, *lines[1:]]) + "\r\n\r\n").encode())

        if name == "login":
            if (action.get("username"), action.get("secret")) != (self._user, self._secret):
                say("Response: Error", "Message: Authentication failed")
                return False
            self._managers.add(writer)
            say("Response: Success", "Message: Authentication accepted")
        elif writer not in self._managers:
            say("Response: Error", "Message: Permission denied")
        elif name == "ping":
            say("Response: Success", "Ping: Pong", f"Timestamp: {time.time():.6f}")
        elif name == "corestatus":
            date, clock = time.strftime("%Y-%m-%d", self._started), time.strftime("%H:%M:%S", self._started)
            say(
                "Response: Success",
                f"CoreStartupDate: {date}",
                f"CoreStartupTime: {clock}",
                f"CoreCurrentCalls: {len(self._channels)}",
            )
        elif name == "coreshowchannels":
            say("Response: Success", "EventList: start", "Message: Channels will follow")
            for uniqueid, row in self._channels.items():
                age = time.gmtime(time.monotonic() - self._born[uniqueid])
                duration = f"Duration: {time.strftime('%H:%M:%S', age)}"
                say("Event: CoreShowChannel", *(f"{name}: {value}" for name, value in row.items()), duration)
            say("Event: CoreShowChannelsComplete", "EventList: Complete", f"ListItems: {len(self._channels)}")
        elif name == "status":
            say("Response: Success", "EventList: start", "Message: Channel status will follow")
            say("Event: StatusComplete", "EventList: Complete", "Items: 0")
        elif name == "logoff":
            say("Response: Goodbye", "Message: Thanks for all the fish.")
            return False
        else:
            say("Response: Error", "Message: Invalid/unknown command")
        return True

    # -- AGI

    async def _announce(self, announced: Mapping[str, str | bool | None]) -> None:
        """Call the FastAGI server as the dialplan's AGI() would; a call goes on whatever becomes of it."""
        environment = {
            "agi_network": "yes",
            "agi_network_script": "announce",
            "agi_request": f"agi://{self._agi}/announce",
            "agi_channel": announced["channel"],
            "agi_language": "ru",
            "agi_type": "PJSIP",
            "agi_uniqueid": announced["uniqueid"],
            "agi_version": "22.10.0",
            "agi_callerid": announced.get("caller_number") or "unknown",
            "agi_calleridname": announced.get("caller_name") or "unknown",
            "agi_context": "zvonok",
            "agi_extension": "s",
            "agi_priority": "3",
            "agi_enhanced": "0.0",
            "agi_arg_1": announced["number"],
            "agi_arg_2": announced["linkedid"],
            "agi_arg_3": "",
        }
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(AGI_TIMEOUT):
                reader, writer = await asyncio.open_connection(self._agi.host, self._agi.port)
                try:
                    writer.write("".join(f"{k}: {v}\n" for k, v in environment.items()).encode() + b"\n")
                    while await reader.readline():
                        writer.write(b"200 result=1\n")
                finally:
                    writer.close()


async def _read_action(reader: asyncio.StreamReader) -> dict[str, str]:
    headers: dict[str, str] = {}
    while line := (await reader.readline()).decode(errors="replace").rstrip("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers


async def place_calls(pbx: Pbx, users: Sequence[DemoUser], callers: Sequence[str], *, every: float) -> None:
    """A call every `every` seconds or so, to the users in turn, from people whom the CRM knows and from strangers."""
    calls = recorded_calls()
    async with asyncio.TaskGroup() as tasks:
        for number in itertools.count():
            # Who is called first changes; the others are those who ring with him, or get the transfer.
            turn = number % min(2, len(users))
            people = [_extension(user) for user in (*users[turn:], *users[:turn])]
            caller = _digits(random.choice([*callers, STRANGER]))  # noqa: S311 - who calls is no secret
            tasks.create_task(pbx.place(calls[number % len(calls)], caller, people))
            await asyncio.sleep(random.uniform(0.7, 1.3) * every)  # noqa: S311


def _extension(user: DemoUser) -> str:
    """The user's shortest number, which is that of the phone on his desk, as a PBX writes it."""
    return min(map(_digits, user.numbers), key=len)


def _digits(number: str) -> str:
    return "".join(filter(str.isdigit, number.partition("доб")[0]))


async def main() -> None:
    """Serve, and place calls, for the settings in the environment."""
    settings = settings_module.load(needs=["DATABASE_URL", "AMI_HOST", "AMI_SECRET"])
    assert settings.database_url
    assert settings.ami_host
    assert settings.ami_secret
    setup_logging(settings.log_level)
    with psycopg.connect(settings.database_url, connect_timeout=5) as connection:
        users = find_users(connection, limit=4)
        callers = find_callers(connection, limit=20)
    pbx = Pbx(user=settings.ami_user, secret=settings.ami_secret, agi=settings.agi_listen)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(pbx.serve(settings.ami_host, settings.ami_port))
        if users:
            every = float(os.environ.get("ZVONOK_DEMO_CALL_EVERY", "6"))
            tasks.create_task(place_calls(pbx, users, callers, every=every))
        else:
            log.warning("nobody has a number in this database, so the stand-in PBX calls nobody")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
    sys.exit(0)
