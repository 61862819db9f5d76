"""Does this database fit? Asked before anything is changed, so that `zvonok migrate` refuses with a clear sentence."""

from typing import Any, Final, LiteralString

import psycopg

MIN_SERVER: Final = 13
WHOLE_NUMBERS: Final = frozenset({"smallint", "integer", "bigint", "numeric"})
TEXTS: Final = frozenset({"text", "character varying", "character", "citext"})
ADAPT: Final = "sql/README.md says how to adapt Zvonok to it with four functions"

# table -> column -> what it must be. A number kept as a number is fine: it is read as text.
NEEDED: Final[dict[str, dict[str, str]]] = {
    "users": {"id": "id", "name": "text"},
    "user_phones": {"user_id": "id", "phone_number": "any", "phone_type": "any"},
    "companies": {"id": "key", "name": "text"},
    "dealers": {"id": "id", "name": "text", "company_id": "key"},
    "dealer_phone_numbers": {"dealer_id": "id", "phone_number": "any"},
}
# What a site that adapts makes itself, and the columns that each returns.
OWN_FUNCTIONS: Final[dict[str, str]] = {
    "zvonok.crm_users_by_key(text)": "user_id bigint, name text, phone_type text",
    "zvonok.crm_dealers_by_key(text)": "dealer_id bigint, name text, company text",
    "zvonok.crm_user_name(bigint)": "name text",
    "zvonok.crm_user_numbers(bigint)": "phone_number text, phone_type text",
}
INDEXED: Final = ("user_phones", "dealer_phone_numbers")
TRIGGERED: Final = ("users", "user_phones", "dealers", "dealer_phone_numbers", "companies")
JOINS: Final = (
    ("user_phones.user_id", "users.id"),
    ("dealer_phone_numbers.dealer_id", "dealers.id"),
    ("dealers.company_id", "companies.id"),
)


def obstacles(connection: psycopg.Connection[Any]) -> list[str]:
    """Why this database cannot be migrated, a line each with what to do; empty if it can."""
    found = _server(connection)
    if found:
        return found
    found = _rights(connection)
    if _adapted(connection):
        return found + _own_functions(connection)
    tables = _tables(connection)
    for name, needed in NEEDED.items():
        if name in tables:
            found += _columns(name, tables[name], needed)
    if not found:
        types = {f"{table}.{column}": kind for table, columns in tables.items() for column, kind in columns.items()}
        for left, right in JOINS:
            one, other = types.get(left, "bigint"), types.get(right, "bigint")  # what is missing is made as bigint
            if (one in WHOLE_NUMBERS) != (other in WHOLE_NUMBERS):
                found.append(f"public.{left} is {one} but public.{right} is {other}; {ADAPT}")
    if not _applied(connection):
        found += _owners(connection)
    return found


def warnings(connection: psycopg.Connection[Any]) -> list[str]:
    """What works less well here, and what to do about it."""
    rows = connection.execute(
        "SELECT relname, relkind FROM pg_class WHERE relnamespace = to_regnamespace('public')"
        " AND relname = ANY(%s) AND relkind <> 'r'",
        (list(INDEXED),),
    ).fetchall()
    kinds = {"v": "a view", "m": "a materialised view", "p": "partitioned", "f": "a foreign table"}
    return [
        f"public.{name} is {kinds.get(kind, 'not a plain table')}: it gets no index and no change triggers from us;"
        " sql/README.md (Adapting) has the statements for the table behind it"
        for name, kind in rows
    ]


def _server(connection: psycopg.Connection[Any]) -> list[str]:
    version = connection.info.server_version // 10_000
    if version < MIN_SERVER:
        return [f"PostgreSQL {version} is too old: Zvonok needs {MIN_SERVER} or later"]
    encoding = _value(connection, "SELECT current_setting('server_encoding')")
    if encoding != "UTF8":
        return [f"the database's encoding is {encoding}: Zvonok needs UTF8 (names and numbers must survive)"]
    if _value(connection, "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean"):
        return ["this server is read-only (a standby): name the primary in ZVONOK_DATABASE_URL"]
    return []


def _rights(connection: psycopg.Connection[Any]) -> list[str]:
    found = []
    role = _value(connection, "SELECT current_user")
    if not _value(
        connection,
        "SELECT CASE WHEN to_regnamespace('zvonok') IS NULL"
        " THEN has_database_privilege(current_database(), 'CREATE')"
        " ELSE pg_has_role((SELECT nspowner FROM pg_namespace WHERE nspname = 'zvonok'), 'USAGE') END",
    ):
        found.append(
            f"the role {role} may not create the schema zvonok: migrate as the database's owner, then give the"
            " services' role its rights with `zvonok migrate --grant ROLE`"
        )
    if _value(connection, "SELECT to_regnamespace('public') IS NULL"):
        found.append(f"there is no schema public here; {ADAPT}")
        return found
    missing = [
        name for name in NEEDED if not _value(connection, "SELECT to_regclass('public.' || %s) IS NOT NULL", name)
    ]
    if (
        missing
        and not _adapted(connection)
        and not _value(connection, "SELECT has_schema_privilege('public', 'CREATE')")
    ):
        found.append(
            f"the role {role} may not create tables in the schema public ({', '.join(missing)} missing):"
            " migrate as the database's owner, or create them first"
        )
    return found


def _adapted(connection: psycopg.Connection[Any]) -> bool:
    """Whether a site made its own functions that read the CRM (one of the four is enough to mean it)."""
    return bool(
        _value(
            connection,
            "SELECT EXISTS (SELECT FROM pg_proc WHERE pronamespace = to_regnamespace('zvonok') AND proname = ANY(%s))"
            " AND obj_description(to_regprocedure('zvonok.crm_users_by_key(text)'), 'pg_proc')"
            " IS DISTINCT FROM 'zvonok: as released'",
            [name.split("(")[0].removeprefix("zvonok.") for name in OWN_FUNCTIONS],
        )
    )


def _own_functions(connection: psycopg.Connection[Any]) -> list[str]:
    found = []
    for name, columns in OWN_FUNCTIONS.items():
        result = _value(connection, "SELECT pg_get_function_result(to_regprocedure(%s))", name)
        if result is None:
            found.append(f"the function {name} is missing: all four are needed; {ADAPT}")
        elif result != f"TABLE({columns})":
            found.append(f"the function {name} returns {result}; it must return TABLE({columns})")
    return found


def _tables(connection: psycopg.Connection[Any]) -> dict[str, dict[str, str]]:
    tables = {name: _columns_of(connection, "public", name) for name in NEEDED}
    return {name: columns for name, columns in tables.items() if columns}


def _columns_of(connection: psycopg.Connection[Any], schema: str, name: str) -> dict[str, str]:
    # A domain counts as what it is made of.
    rows = connection.execute(
        "SELECT a.attname, format_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, NULL)"
        " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
        " WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped",
        (f"{schema}.{name}",),
    ).fetchall()
    return {column: str(kind).removeprefix("public.") for column, kind in rows}


def _columns(table: str, columns: dict[str, str], needed: dict[str, str]) -> list[str]:
    found = []
    for column, kind in needed.items():
        if column not in columns:
            found.append(f"public.{table} exists but has no column {column}; {ADAPT}")
        elif kind == "id" and columns[column] not in WHOLE_NUMBERS:
            found.append(
                f"public.{table}.{column} is {columns[column]}, but Zvonok's ids are whole numbers;"
                f" give the table a whole number too, and {ADAPT}"
            )
        elif kind == "text" and columns[column] not in TEXTS:
            found.append(f"public.{table}.{column} is {columns[column]}, not text; {ADAPT}")
    return found


def _owners(connection: psycopg.Connection[Any]) -> list[str]:
    rows = connection.execute(
        "SELECT relname, pg_get_userbyid(relowner) FROM pg_class"
        " WHERE relnamespace = to_regnamespace('public') AND relname = ANY(%s) AND relkind = 'r'"
        " AND NOT pg_has_role(relowner, 'USAGE') ORDER BY relname",
        (list(TRIGGERED),),
    ).fetchall()
    return [
        f"public.{name} belongs to the role {owner}, and only its owner may give it an index and triggers: migrate as"
        f" {owner}, then give the services' role its rights with `zvonok migrate --grant ROLE`"
        for name, owner in rows
    ]


def _applied(connection: psycopg.Connection[Any]) -> bool:
    """Whether this database has been migrated before: then only pending files count, and they say what they lack."""
    return bool(_value(connection, "SELECT to_regclass('zvonok.schema_migrations') IS NOT NULL"))


def _value(connection: psycopg.Connection[Any], query: LiteralString, *arguments: object) -> Any:
    row = connection.execute(query, arguments).fetchone()
    return None if row is None else row[0]
