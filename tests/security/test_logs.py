"""What the three processes and the commands say at INFO while calls, mistakes and attacks go through them.

Every number and every secret is known here, so each can be looked for in everything that was said.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest

from demo.calls import PACE, RecordedCall, recorded_calls
from demo.pbx import Pbx
from demo.postgres import Postgres
from tests.agi_peer import connected, request
from tests.installation import Zvonok, free_port, in_step, running_zvonok
from tests.levels import within
from tests.notifiers import AUTH_SECRET, INTAKE_SECRET, token
from zvonok.address import Address, parse_address

DEALER, STRANGER, CALLED, OFFICE = "79161234567", "84957654321", "89271390907", "74951112233"
NUMBERS = (DEALER, STRANGER, CALLED, OFFICE)
SECRETS = {
    "AMI_SECRET": "ami-secret-of-this-test-5a7c1e",
    "METRICS_TOKEN": "metrics-token-of-this-test-0123456789",
    "DATABASE_PASSWORD": "database-password-%40-of-this-test",
    "INTAKE_SECRET": INTAKE_SECRET,
    "AUTH_SECRET": AUTH_SECRET,
}
PEOPLE = f"""
INSERT INTO users (id, name) VALUES (1, 'Иванов Иван'), (2, 'Смирнова Ольга');
INSERT INTO user_phones (user_id, phone_number, phone_type) VALUES (1, '{CALLED}', 'мобильный'), (2, '102', 'desk');
INSERT INTO dealers (id, name) VALUES (5, 'Петров Пётр');
INSERT INTO dealer_phone_numbers (dealer_id, phone_number) VALUES (5, '+7 (916) 123-45-67');
"""


class Told:
    """Everything that was said, by who said it."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def leaks(self) -> list[str]:
        """Each secret and each full number in it, with its line."""
        patterns = {name: re.escape(secret) for name, secret in SECRETS.items()}
        patterns["DATABASE_PASSWORD, decoded"] = re.escape(SECRETS["DATABASE_PASSWORD"].replace("%40", "@"))
        patterns["a token"] = r"eyJ[\w-]{20,}\.[\w-]{20,}"
        # However they are written, and without the country's digit too.
        patterns |= {f"the number {number}": r"[^\w\n]{0,3}".join(number[1:]) for number in NUMBERS}
        found = []
        for who, text in self.texts.items():
            for line in text.splitlines():
                leaked = [what for what, pattern in patterns.items() if re.search(pattern, line)]
                found += [f"{who} tells {what}: {line}" for what in leaked]
        return found


async def place(pbx: Pbx, call: RecordedCall, caller: str, *people: str) -> None:
    """Replay a call at its own speed."""
    clock = asyncio.get_running_loop().time
    began = clock()
    for line in call.replay(caller, people):
        await asyncio.sleep(began + line.t / PACE * 2 - clock())
        await pbx.play(line)


@contextlib.asynccontextmanager
async def installation(postgres: Postgres) -> AsyncIterator[tuple[Pbx, Zvonok]]:
    ports = {"agi": free_port(), "ami": free_port()}
    pbx = Pbx(user="zvonok", secret=SECRETS["AMI_SECRET"], agi=Address("127.0.0.1", ports["agi"]))
    serving = asyncio.create_task(pbx.serve("127.0.0.1", ports["ami"]))
    url = postgres.url().replace("@", f":{SECRETS['DATABASE_PASSWORD']}@", 1)
    context = running_zvonok(
        url, ami_port=ports["ami"], ami_secret=SECRETS["AMI_SECRET"], AGI_LISTEN=f"127.0.0.1:{ports['agi']}",
        METRICS_TOKEN=SECRETS["METRICS_TOKEN"], LOG_LEVEL="INFO",
    )  # fmt: skip
    zvonok = await asyncio.to_thread(context.__enter__)
    try:
        async with asyncio.timeout(within(15)):
            while not await asyncio.to_thread(in_step, zvonok):
                await asyncio.sleep(0.05)
        yield pbx, zvonok
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)
        serving.cancel()


async def page(url: str, say: dict[str, Any], *, until: int) -> None:
    """A page that says this and reads `until` calls have ended, or it is closed."""
    async with aiohttp.ClientSession() as http, http.ws_connect(url + "/ws") as ws:
        await ws.send_str(json.dumps({"v": 1, **say}))
        async for message in ws:
            decoded = json.loads(message.data)
            if decoded["type"] == "call" and decoded["call"]["state"] == "ended":
                until -= 1
                if until == 0:
                    return


def mistakes_of_a_dialplan(address: Address) -> None:
    """Arguments in the wrong order, a number as the route, a refused command, a name with a line break."""
    linkedid = "1760000000.1"
    wrong: list[tuple[tuple[str, ...], dict[str, Any]]] = [
        ((linkedid, CALLED, DEALER), {}),
        ((CALLED, linkedid, "vars", f"+{DEALER}"), {}),
        ((), {"route": CALLED}),
        ((CALLED, linkedid), {"callerid": DEALER, "calleridname": f"x\nagi_arg_1: {OFFICE}"}),
        ((CALLED, linkedid), {"callerid": DEALER, "calleridname": f"x\nagi_arg_3: {OFFICE}"}),
    ]
    for arguments, lines in wrong:
        with connected(address) as peer:
            peer.run(request(*arguments, **lines))
    for reply in (f"510 Invalid {CALLED}\n", f"{CALLED}\n", f"200 {CALLED}\n", f"520-Usage {CALLED}\n520 End\n"):
        with connected(address) as peer:
            peer.run(request(CALLED, linkedid, "vars", callerid=DEALER), reply=lambda _, said=reply: said.encode())


async def attacks(zvonok: Zvonok) -> None:
    """Secrets and numbers in places where they have no business."""
    good = token(1)
    for say in ({"type": "auth", "token": good[:-6] + "AAAAAA"}, {"type": "auth", "token": good, "x": CALLED, "v": 2}):
        with contextlib.suppress(TypeError):
            await page(zvonok.url, say, until=1)
    intake = zvonok.settings["ZVONOK_INTAKE_LISTEN"]
    async with aiohttp.ClientSession() as http:
        for path in (f"/api/calls?number={CALLED}&limit=x", f"/client/{CALLED}", f"/?token={good}", f"/api/{good}"):
            async with http.get(zvonok.url + path, headers={"Authorization": f"Bearer {good}"}):
                pass
        body = {"pbx": "main", "run": 1, "seq": 1, "now": 1, "calls": [{"call_id": CALLED, "rev": DEALER}]}
        for secret in (INTAKE_SECRET, INTAKE_SECRET[:-1]):
            headers = {"Authorization": f"Bearer {secret}"}
            async with http.post(f"http://{intake}/intake/v1", json=body, headers=headers):
                pass
    for port in (zvonok.url.rpartition(":")[2], intake.rpartition(":")[2]):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(f"GET / HTTP/1.1\r\nAuthorization: Bearer {good}\x01{INTAKE_SECRET}\r\n\r\n".encode())
        await reader.read()
        writer.close()


async def test_no_log_and_no_command_tells_a_secret_or_a_full_number(own_postgres: Postgres) -> None:
    with psycopg.connect(own_postgres.url(), autocommit=True) as connection:
        connection.execute(PEOPLE)
    answered, missed = recorded_calls()[:2]
    told = Told()
    async with installation(own_postgres) as (pbx, zvonok):
        address = parse_address(zvonok.settings["ZVONOK_AGI_LISTEN"])
        owner = asyncio.create_task(page(zvonok.url, {"type": "auth", "token": token(1)}, until=2))
        await asyncio.gather(place(pbx, answered, DEALER, CALLED, "102"), place(pbx, missed, STRANGER, CALLED, "102"))
        await asyncio.wait_for(owner, within(10))
        await asyncio.to_thread(mistakes_of_a_dialplan, address)
        await attacks(zvonok)
        commands = [
            ["check"], ["check", "--json"], ["testcall", "--user", "1", "--wait", "0"], ["testcall", "--user", "777"],
            ["why", "no such call"],
        ]  # fmt: skip
        for command in commands:
            done = await asyncio.to_thread(zvonok.run, *command)
            told.texts["zvonok " + " ".join(command)] = done.stdout + done.stderr
        # The database begins to refuse: its own words, with values in them, come back as errors.
        with psycopg.connect(own_postgres.url(), autocommit=True) as connection:
            connection.execute(
                "ALTER TABLE public.calls ADD CONSTRAINT odd"
                f" CHECK (caller_number NOT LIKE '%{DEALER[-10:]}') NOT VALID"
            )
            connection.execute(
                "CREATE OR REPLACE FUNCTION zvonok.identify(caller text, called text) RETURNS json LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION 'cannot look up % for %', caller, called; END $$"
            )
        await place(pbx, missed, OFFICE, CALLED, "102")
        await place(pbx, missed, DEALER, CALLED, "102")
        # The PBX and the notifier begin to refuse us.
        pbx._secret = "another"
        pbx.restart()
        zvonok.settings["ZVONOK_INTAKE_SECRET"] = INTAKE_SECRET[::-1]
        await asyncio.to_thread(zvonok.stop, "notifier")
        await asyncio.to_thread(zvonok.start, "notifier")
        async with asyncio.timeout(within(20)):
            while "refuses the AMI login" not in zvonok.log("tap") or "refuses our secret" not in zvonok.log("tap"):
                await asyncio.sleep(0.1)
        done = await asyncio.to_thread(zvonok.run, "check")
        told.texts["zvonok check, everything wrong"] = done.stdout + done.stderr
        told.texts |= {name: zvonok.log(name) for name in ("fastagi", "tap", "notifier")}
        modes = file_modes(zvonok.directory)
    assert told.leaks() == []
    # It was really there to be told: the same things, masked.
    assert "…4567" in told.texts["tap"]
    assert "…4321" in told.texts["tap"]
    assert "token refused" in told.texts["notifier"]
    assert "the database" in told.texts["tap"]
    assert "FAIL" in told.texts["zvonok check, everything wrong"]
    assert "no option" in told.texts["fastagi"]
    assert modes == {}


def file_modes(directory: Path) -> dict[str, str]:
    """What our processes made there that others may read, although no umask helped them."""
    ours = [path for part in ("state", "run") for path in (directory / part).rglob("*")]
    assert {"history.cursor", "facts.sock", "tap.sock"} <= {path.name for path in ours}
    assert any(path.suffix == ".log" for path in ours)
    return {path.name: oct(path.stat().st_mode) for path in ours if path.stat().st_mode & 0o077}


@pytest.mark.parametrize("text", ["no such call", "why"])
def test_the_search_itself_finds_what_it_looks_for(text: str) -> None:
    told = Told()
    told.texts["tap"] = f"{text} +7 (916) 123-45-67\n{text} {INTAKE_SECRET}\n{text} {token(1)}\n…4567 101 1760000000.1"
    assert len(told.leaks()) == 3
