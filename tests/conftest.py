"""Fixtures of every level."""

from tests.databases import _server_template, bare_database_url, database_url, databases, module_postgres, own_postgres

__all__ = ["_server_template", "bare_database_url", "database_url", "databases", "module_postgres", "own_postgres"]
