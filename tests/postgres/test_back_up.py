"""Backing the CRM's database up and restoring it with PostgreSQL's own tools: all of ours comes back and works."""

import subprocess

import psycopg
import pytest

from demo.postgres import find_binaries
from sql.check import findings
from sql.runner import migrate
from tests.levels import within
from zvonok.check import Level
from zvonok.settings import Settings

CRM = """
INSERT INTO users (id, name) VALUES (1, 'Мария Петрова');
INSERT INTO user_phones (user_id, phone_number, phone_type) VALUES (1, '101', 'внутренний');
INSERT INTO companies (id, name) VALUES (1, 'ООО Ромашка');
INSERT INTO dealers (id, name, company_id) VALUES (1, 'Иван Иванов', 1);
INSERT INTO dealer_phone_numbers (dealer_id, phone_number) VALUES (1, '8 (927) 139-09-07');
"""


def tool(name: str, *arguments: str, text: bytes = b"") -> bytes:
    """Run one of PostgreSQL's programs."""
    done = subprocess.run(
        [find_binaries() / name, *arguments], input=text, capture_output=True, timeout=within(60), check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_a_restored_database_has_everything_and_is_found_well(
    database_url: str, bare_database_url: str, form: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(CRM)
    dump = tool("pg_dump", f"--format={form}", database_url)
    restored = bare_database_url
    if form == "plain":
        tool("psql", "--quiet", "--set=ON_ERROR_STOP=1", restored, text=dump)
    else:
        tool("pg_restore", "--exit-on-error", f"--dbname={restored}", text=dump)
    found = list(findings(Settings(database_url=restored)))
    assert [finding for finding in found if finding.level is not Level.OK] == []
    with psycopg.connect(restored, autocommit=True) as connection:
        listening = psycopg.connect(restored, autocommit=True)
        listening.execute("LISTEN zvonok_numbers")
        row = connection.execute("SELECT zvonok.identify('+79271390907', '101')").fetchone()
        assert row is not None
        assert row[0]["caller"]["company"] == "ООО Ромашка"
        assert [owner["user_id"] for owner in row[0]["owners"]] == [1]
        connection.execute("UPDATE user_phones SET phone_number = '102'")
        assert {change.payload for change in listening.notifies(timeout=within(5), stop_after=2)} == {"101", "102"}
        listening.close()
    assert migrate(restored) == []
