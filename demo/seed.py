"""Loads the demonstration's people and numbers (seed.sql) into a migrated, empty database."""

from pathlib import Path

import psycopg

from zvonok.database import explain
from zvonok.errors import DatabaseError


def load_seed(url: str) -> bool:
    """Load them, unless the CRM already has users. True if loaded. Raises `DatabaseError`."""
    text = Path(__file__).with_name("seed.sql").read_text(encoding="utf-8")
    try:
        with psycopg.connect(url) as connection:
            if connection.execute("SELECT EXISTS (SELECT FROM public.users)").fetchone() == (True,):
                return False
            connection.execute(text)
            return True
    except psycopg.Error as exc:
        raise DatabaseError(explain(exc)) from exc
