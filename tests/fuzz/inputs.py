"""Strategies: real bytes that were damaged, and values of any shape that a type allows."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

EDGES = (0, 1, -1, 2**31, 2**53 - 1, 2**53, 2**63 - 1, -(2**63), 2**64 - 1)
TEXTS = st.one_of(
    st.sampled_from(["", "0", "101", "79161234567", "\x00", "\n", "\r\n\r\n", "\u202e<b>", "a" * 1100, "\U0010ffff"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)


STRANGE = (b"\r\n", b"\n", b"\r\n\r\n", b"\x00", b'"', b": ", b"\xff", b"[")


@st.composite
def damaged(draw: DrawFn, samples: Sequence[bytes], *, most: int = 12) -> bytes:
    """Some of `samples` after each other, with a few things wrong."""
    parts = draw(st.lists(st.sampled_from(samples), min_size=1, max_size=most))
    data = bytearray(b"".join(parts))
    for _ in range(draw(st.integers(0, 4))):
        if not data:
            break
        start = draw(st.integers(0, len(data) - 1))
        end = min(len(data), start + draw(st.integers(1, 40)))
        match draw(st.sampled_from(["cut", "repeat", "change", "insert", "move", "flip"])):
            case "cut":
                del data[start:end]
            case "repeat":
                data[end:end] = data[start:end] * draw(st.integers(1, 3))
            case "change":
                data[start:end] = draw(st.binary(max_size=20))
            case "insert":
                data[start:start] = draw(st.sampled_from(STRANGE))
            case "move":
                piece = bytes(data[start:end])
                del data[start:end]
                place = draw(st.integers(0, len(data)))
                data[place:place] = piece
            case "flip":
                data[start] ^= 1 << draw(st.integers(0, 7))
    return bytes(data)


@st.composite
def in_pieces(draw: DrawFn, whole: SearchStrategy[bytes]) -> list[bytes]:
    """Bytes as a socket may bring them: cut anywhere."""
    data = draw(whole)
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
    edges = [0, *cuts, len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def of_type(wanted: Any, fields: Mapping[str, SearchStrategy[Any]] | None = None) -> SearchStrategy[Any]:
    """Any value of a msgspec type. `fields` makes the struct fields of these names, so that values meet again."""
    return _strategy(msgspec.inspect.type_info(wanted), dict(fields or {}))


def _strategy(info: Any, fields: dict[str, SearchStrategy[Any]]) -> SearchStrategy[Any]:
    match info:
        case msgspec.inspect.StructType():
            return st.fixed_dictionaries(
                {
                    field.name: fields[field.name] if field.name in fields else _strategy(field.type, fields)
                    for field in info.fields
                    if field.required
                },
                optional={
                    field.name: fields[field.name] if field.name in fields else _strategy(field.type, fields)
                    for field in info.fields
                    if not field.required
                },
            ).map(lambda values: info.cls(**values))
        case msgspec.inspect.UnionType():
            return st.one_of(*[_strategy(one, fields) for one in info.types])
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
            made = st.lists(_strategy(info.item_type, fields), max_size=4)
            return made.map(tuple) if isinstance(info, msgspec.inspect.VarTupleType) else made
        case msgspec.inspect.DictType():
            return st.dictionaries(_strategy(info.key_type, fields), _strategy(info.value_type, fields), max_size=4)
        case msgspec.inspect.EnumType():
            values: Iterable[Enum] = info.cls
            return st.sampled_from(list(values))
        case msgspec.inspect.LiteralType():
            return st.sampled_from(list(info.values))
        case msgspec.inspect.IntType():
            return st.one_of(st.sampled_from(EDGES), st.integers(-10, 2_000_000_000_000))
        case msgspec.inspect.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.NoneType():
            return st.none()
        case msgspec.inspect.StrType():
            return TEXTS
        case msgspec.inspect.BytesType():
            return st.binary(max_size=40)
    raise TypeError(f"no strategy for {info}")
