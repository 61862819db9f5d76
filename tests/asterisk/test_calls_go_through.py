"""Whatever breaks on our side, the phone rings, on a real Asterisk 22; and the card is right as soon as it can be."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator

import psycopg
import pytest

from demo.postgres import Postgres
from tests.asterisk.config import TAP_SECRET
from tests.asterisk.instance import Asterisk, free_port
from tests.asterisk.lab import asterisk, office
from tests.asterisk.leg import Leg
from tests.asterisk.phones import Phone
from tests.asterisk.test_whole_way import PEOPLE
from tests.installation import Zvonok, running_zvonok, wait_in_step
from tests.levels import within
from tests.watching import watching

OUTSIDE = "79161234567"


@pytest.fixture(scope="module")
def agi_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def pbx(agi_port: int) -> Iterator[Asterisk]:
    with asterisk("22", office(), agi_port=agi_port) as running:
        yield running


@contextlib.contextmanager
def zvonok_of(pbx: Asterisk, agi_port: int, url: str, *, ami_secret: str = TAP_SECRET) -> Iterator[Zvonok]:
    with running_zvonok(
        url, ami_port=pbx.ports.ami, ami_secret=ami_secret, AGI_LISTEN=f"127.0.0.1:{agi_port}"
    ) as zvonok:
        yield zvonok


@pytest.fixture
def people_url(database_url: str) -> str:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(PEOPLE)
    return database_url


async def rings_within(desk: Phone, outside: Phone, seconds: float, called: str = "101") -> tuple[Leg, Leg]:
    """Call `called`; the caller's and the phone's legs once it rings, which must be soon."""
    began = time.monotonic()
    leg = await outside.dial(called)
    ringing = await desk.rings()
    assert time.monotonic() - began < within(seconds)
    return leg, ringing


async def test_a_dead_fastagi_server_costs_nothing_and_ami_alone_shows_the_card(
    pbx: Asterisk, agi_port: int, people_url: str
) -> None:
    with zvonok_of(pbx, agi_port, people_url) as zvonok:
        wait_in_step(zvonok)
        zvonok.kill("fastagi")
        async with (
            watching(zvonok.url, 1) as owner,
            watching(zvonok.url, 2) as bystander,
            Phone("101", pbx.ports.sip) as desk,
            Phone(OUTSIDE, pbx.ports.sip, register=False) as outside,
        ):
            leg, ringing = await rings_within(desk, outside, 1)
            await owner.until(lambda seen: seen.states() == [["ringing"]], seconds=2)
            await ringing.answer()
            await owner.until(lambda seen: seen.states() == [["ringing", "talking"]], seconds=2)
            await leg.hangup()
            await owner.until(lambda seen: seen.states() == [["ringing", "talking", "ended"]], seconds=2)
            assert bystander.calls == {}


async def test_two_hundred_idle_agi_peers_hold_a_call_for_a_second_at_most(
    pbx: Asterisk, agi_port: int, people_url: str
) -> None:
    with zvonok_of(pbx, agi_port, people_url) as zvonok, contextlib.ExitStack() as idle:
        wait_in_step(zvonok)
        async with (
            Phone("101", pbx.ports.sip) as desk,
            Phone(OUTSIDE, pbx.ports.sip, register=False) as outside,
        ):
            for n in range(200):
                peer = idle.enter_context(socket.create_connection(("127.0.0.1", agi_port)))
                if n % 2:
                    peer.sendall(b"agi_network: yes\n")
            leg, ringing = await rings_within(desk, outside, 1.5)
            await leg.hangup()
            await ringing.until_ended()
        assert "given up" in zvonok.log("fastagi")


async def test_a_wrong_ami_password_leaves_the_announced_card(pbx: Asterisk, agi_port: int, people_url: str) -> None:
    with zvonok_of(pbx, agi_port, people_url, ami_secret="not the secret of this PBX") as zvonok:
        async with (
            watching(zvonok.url, 1) as owner,
            Phone("101", pbx.ports.sip) as desk,
            Phone(OUTSIDE, pbx.ports.sip, register=False) as outside,
        ):
            leg, ringing = await rings_within(desk, outside, 1)
            await owner.until(lambda seen: seen.states() == [["ringing"]], seconds=2)
            await leg.hangup()
            await ringing.until_ended()
        async with asyncio.timeout(within(10)):  # Asterisk takes its time to refuse
            while "ZVONOK_AMI_SECRET" not in (log := zvonok.log("tap")):
                await asyncio.sleep(0.1)
        assert "not the secret" not in log


async def test_with_the_database_down_at_the_start_calls_go_on_and_the_card_comes_when_it_is_back(
    pbx: Asterisk, agi_port: int, own_postgres: Postgres
) -> None:
    with psycopg.connect(own_postgres.url(), autocommit=True) as connection:
        connection.execute(PEOPLE)
    own_postgres.stop()
    with zvonok_of(pbx, agi_port, own_postgres.url()) as zvonok:
        wait_in_step(zvonok, lookups=False)
        async with (
            watching(zvonok.url, 1) as owner,
            watching(zvonok.url, 2) as bystander,
            Phone("101", pbx.ports.sip) as desk,
            Phone(OUTSIDE, pbx.ports.sip, register=False) as outside,
        ):
            # The DID's hook asks for the name, so this call waits for the directory: its whole budget, and no more.
            leg, ringing = await rings_within(desk, outside, 1, called="74951234567")
            await asyncio.sleep(0.3)
            assert owner.calls == {}
            own_postgres.start()
            await owner.until(lambda seen: seen.states() == [["ringing"]], seconds=6)
            assert owner.newest[0]["caller"]["name"] == "Петров Пётр"
            await ringing.answer()
            await owner.until(lambda seen: seen.states()[0][-1] == "talking", seconds=2)

            own_postgres.stop()
            await leg.hangup()
            await owner.until(lambda seen: seen.states()[0][-1] == "ended", seconds=2)
            second, again = await rings_within(desk, outside, 1, called="74951234567")
            await owner.until(lambda seen: len(seen.calls) == 2, seconds=2)  # remembered, so shown at once
            await second.hangup()
            await again.until_ended()
            own_postgres.start()
            assert bystander.calls == {}
        async with asyncio.timeout(within(15)):
            while len(await finished(own_postgres.url())) < 2:
                await asyncio.sleep(0.1)
    assert sorted(await finished(own_postgres.url())) == ["completed", "missed"]


async def finished(url: str) -> list[str]:
    """The reasons of the ended rows of `calls`."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        cursor = await connection.execute("SELECT reason FROM calls WHERE state = 'ended'")
        return [str(row[0]) for row in await cursor.fetchall()]
