"""The matrix end to end: real Asterisk, real `fastagi`, `tap` and `notifier`, a logged-in page for each user.

`python -m tests.asterisk.matrix` (`make scenarios`) plays every scenario on both versions, announced and from AMI
alone, prints the table and writes it into docs/scenarios.md. Each play asserts what every one of its users saw,
those who must see nothing included.
"""

import argparse
import asyncio
import re
import sys
import time
import traceback
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import psycopg

from demo.postgres import temporary_postgres
from sql.runner import migrate
from tests.asterisk import config
from tests.asterisk.ami_proxy import AmiProxy
from tests.asterisk.comparing import story, until_in_step, wrong_callers, wrong_cards
from tests.asterisk.instance import Asterisk, free_port
from tests.asterisk.lab import VERSIONS, asterisk
from tests.asterisk.scenarios import SCENARIOS, matrix_site
from tests.asterisk.scenarios.stage import MODES, Block, Mode, Scenario, Stage
from tests.installation import Zvonok, running_zvonok, wait_in_step
from tests.levels import within
from tests.watching import Watcher, watching

DOCS = config.PROJECT / "docs" / "scenarios.md"
AT_ONCE = 4
PLAY_SECONDS = 90
BYSTANDER = 99_999  # a user of the CRM, with a number that nobody calls


class Result(msgspec.Struct, frozen=True):
    """How one play went; `wrong` is "" if everybody saw what he must."""

    scenario: Scenario
    mode: Mode
    wrong: str


def fill(database_url: str, blocks: Iterable[Block]) -> None:
    """Put everybody's numbers into the CRM's tables."""
    with psycopg.connect(database_url, autocommit=True) as crm, crm.cursor() as rows:
        rows.execute("INSERT INTO users (id, name) VALUES (%s, 'Bystander')", (BYSTANDER,))
        rows.execute("INSERT INTO user_phones (user_id, phone_number) VALUES (%s, '99999')", (BYSTANDER,))
        for block in blocks:
            for mode in MODES:
                for user, numbers in block.people(mode).items():
                    rows.execute("INSERT INTO users (id, name) VALUES (%s, %s)", (user, f"User {user}"))
                    for number in numbers:
                        rows.execute("INSERT INTO user_phones (user_id, phone_number) VALUES (%s, %s)", (user, number))
                for copy in range(block.outside_dealers):
                    rows.execute("INSERT INTO dealers (name) VALUES (%s) RETURNING id", (f"Dealer {copy}",))
                    (dealer,) = rows.fetchone() or (None,)
                    rows.execute(
                        "INSERT INTO dealer_phone_numbers (dealer_id, phone_number) VALUES (%s, %s)",
                        (dealer, f"8{block.caller(mode)[1:]}"),  # as people write it
                    )


class Matrix:
    """Plays scenarios on one PBX with one installation of Zvonok."""

    def __init__(self, pbx: Asterisk, zvonok: Zvonok, proxy: AmiProxy) -> None:
        self._pbx, self._zvonok, self._proxy = pbx, zvonok, proxy

    async def play(self, scenario: Scenario, mode: Mode) -> Result:
        """Play one and say what was wrong."""
        stage, wrong = None, []
        try:
            async with asyncio.timeout(within(PLAY_SECONDS)), AsyncExitStack() as stack:
                watchers = {
                    user: await stack.enter_async_context(watching(self._zvonok.url, user))
                    for user in (*scenario.people(mode), BYSTANDER)
                }
                lab = await stack.enter_async_context(self._pbx.lab_ami())
                stage = Stage(scenario, mode, self._pbx, lab, stack)
                stage.lose_ami, stage.regain_ami = self._proxy.cut, self._regain
                stage.lose_events = lambda on: setattr(self._proxy, "losing", on)
                stage.sweep = lambda: self._until_over(stage, watchers, 60)
                stage.in_step = lambda: until_in_step(stage, watchers, self._zvonok)
                await scenario.play(stage)
                await self._until_over(stage, watchers, 6)
                await asyncio.sleep(0.3)  # for what must not come
                wrong = wrong_cards(stage.expected, watchers) + wrong_callers(scenario, mode, watchers)
        except Exception as exc:  # noqa: BLE001  # a play that breaks is a wrong play
            wrong = [f"{type(exc).__name__}: {exc}", traceback.format_exc(limit=-3)]
        if wrong and stage is not None:
            wrong.append(await asyncio.to_thread(story, stage, self._zvonok))
        return Result(scenario, mode, "\n".join(wrong))

    async def _regain(self) -> None:
        await self._proxy.join()
        await asyncio.sleep(0.3)
        await asyncio.to_thread(wait_in_step, self._zvonok, 20)

    async def _until_over(self, stage: Stage, watchers: dict[int, Watcher], seconds: float) -> None:
        """Wait until everybody has seen as many cards end as he must; a missing one shows in the comparison."""
        deadline = time.monotonic() + within(seconds)
        while time.monotonic() < deadline:
            ended = {
                user: sum(call["state"] == "ended" for call in watcher.newest) for user, watcher in watchers.items()
            }
            live = any(call["state"] != "ended" for watcher in watchers.values() for call in watcher.newest)
            if not live and all(ended[user] >= len(cards) for user, cards in stage.expected.items()):
                return
            await asyncio.sleep(0.05)

    async def play_all(self, scenarios: Iterable[Scenario]) -> list[Result]:
        """Play all in both modes, several at once; those that break what others need one by one at the end."""
        together = [(scenario, mode) for scenario in scenarios for mode in MODES if not scenario.alone_on_the_pbx]
        alone = [(scenario, mode) for scenario in scenarios for mode in MODES if scenario.alone_on_the_pbx]
        turns = asyncio.Semaphore(AT_ONCE)

        async def in_turn(scenario: Scenario, mode: Mode) -> Result:
            async with turns:
                return await self.play(scenario, mode)

        results = list(await asyncio.gather(*(in_turn(scenario, mode) for scenario, mode in together)))
        for scenario, mode in alone:
            results.append(await self.play(scenario, mode))  # one after another, on purpose
        return results


async def play_matrix(version: str, database_url: str, scenarios: list[Scenario]) -> list[Result]:
    """The whole matrix on one version of Asterisk, with an installation of its own. `database_url`: migrated, empty."""
    fill(database_url, SCENARIOS)
    agi_port = free_port()
    with asterisk(version, matrix_site(), agi_port=agi_port) as pbx:
        async with AmiProxy(pbx.ports.ami) as proxy:
            settings: dict[str, Any] = {"AGI_LISTEN": f"127.0.0.1:{agi_port}", "PBX_NAME": f"asterisk-{version}"}
            running = running_zvonok(database_url, ami_port=proxy.port, ami_secret=config.TAP_SECRET, **settings)
            zvonok = await asyncio.to_thread(running.__enter__)
            try:
                await asyncio.to_thread(wait_in_step, zvonok)
                return await Matrix(pbx, zvonok, proxy).play_all(scenarios)
            finally:
                await asyncio.to_thread(running.__exit__, None, None, None)


def summary(version: str, results: list[Result]) -> str:
    """`asterisk 22: N of 34 announced, N of 34 AMI alone`: a number counts if all of its variants are right."""
    numbers = sorted({scenario.number for scenario in SCENARIOS})

    def is_right(number: int, mode: Mode) -> bool:
        played = [result for result in results if result.scenario.number == number and result.mode == mode]
        return bool(played) and not any(result.wrong for result in played)

    right = {mode: sum(is_right(number, mode) for number in numbers) for mode in MODES}
    total = len(numbers)
    return f"asterisk {version}: {right['announced']} of {total} announced, {right['alone']} of {total} AMI alone"


def wrong_text(results: list[Result]) -> str:
    """What was wrong, play by play; "" if nothing."""
    return "\n".join(
        f"{result.scenario.key} {result.mode}: {result.scenario.title}\n{result.wrong}\n"
        for result in results
        if result.wrong
    )


def table(results: dict[str, list[Result]]) -> str:
    """Markdown: a row for each scenario, a column for each version and mode."""
    columns = [(version, mode) for version in results for mode in MODES]
    names = {"announced": "announced", "alone": "AMI alone"}
    lines = ["| # | scenario | " + " | ".join(f"{version}, {names[mode]}" for version, mode in columns) + " |"]
    lines.append("|---" * (len(columns) + 2) + "|")
    for scenario in SCENARIOS:
        marks = []
        for version, mode in columns:
            found = [r for r in results[version] if r.scenario.key == scenario.key and r.mode == mode]
            marks.append("-" if not found else "wrong" if found[0].wrong else "right")
        if set(marks) != {"-"}:
            lines.append(f"| {scenario.number}.{scenario.variant} | {scenario.title} | " + " | ".join(marks) + " |")
    return "\n".join(lines)


def write_docs(text: str) -> None:
    """Put the table between its marks in docs/scenarios.md."""
    page = DOCS.read_text()
    marked = re.compile(r"(<!-- table: make scenarios -->\n).*?(\n<!-- end of table -->)", re.DOTALL)
    DOCS.write_text(marked.sub(lambda found: found[1] + text + found[2], page))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--version", choices=VERSIONS, action="append", help="which Asterisk (default: all)")
    parser.add_argument("keys", nargs="*", help="which scenarios, as 08-1 or 08 (default: all, written to the docs)")
    options = parser.parse_args()
    chosen = [s for s in SCENARIOS if not options.keys or {s.key, s.key[:2]} & set(options.keys)]
    results: dict[str, list[Result]] = {}
    for version in options.version or VERSIONS:
        with temporary_postgres() as server:
            migrate(server.url())
            results[version] = asyncio.run(play_matrix(version, server.url(), chosen))
        if text := wrong_text(results[version]):
            print(f"asterisk {version}:\n{text}")
    lines = [summary(version, found) for version, found in results.items()]
    print(table(results), *lines, sep="\n")
    if not options.keys and not options.version:
        write_docs("\n".join([table(results), "", *(f"    {line}" for line in lines)]))
    return 1 if any(result.wrong for found in results.values() for result in found) else 0


if __name__ == "__main__":
    sys.exit(main())
