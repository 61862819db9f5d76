"""Who can be called in the database at hand, and who might call: for the login links and the stand-in PBX."""

import msgspec
import psycopg


class DemoUser(msgspec.Struct, frozen=True):
    """A user and his numbers, as they stand in `user_phones`."""

    user_id: int
    name: str
    numbers: list[str]


def find_users(connection: "psycopg.Connection[tuple[object, ...]]", *, limit: int) -> list[DemoUser]:
    """The first users that own a number, by id."""
    rows = connection.execute(
        "SELECT u.id, u.name, array_agg(p.phone_number ORDER BY p.id) FROM public.users u"
        " JOIN public.user_phones p ON p.user_id = u.id GROUP BY u.id, u.name ORDER BY u.id LIMIT %s",
        [limit],
    ).fetchall()
    return [DemoUser(*msgspec.convert(row, tuple[int, str, list[str]])) for row in rows]


def find_callers(connection: "psycopg.Connection[tuple[object, ...]]", *, limit: int) -> list[str]:
    """Numbers that the CRM knows: dealers, and users of another office."""
    rows = connection.execute(
        "SELECT phone_number FROM public.dealer_phone_numbers ORDER BY id LIMIT %s", [limit]
    ).fetchall()
    return [str(row[0]) for row in rows]
