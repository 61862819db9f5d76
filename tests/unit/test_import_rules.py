"""Pure files import the standard library's pure parts, msgspec, `zvonok.call` and each other only (ARCHITECTURE.md).

Who may import whom between the packages is import-linter's (`make lint`); this is the rule inside them.
"""

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parents[2]
PURE = (
    *("facts", "records", "endpoints", "switchboard", "legs", "episode", "episodes", "answering", "ownership"),
    *(
        "questions",
        "announcements",
        "transfers",
        "resync",
        "restoring",
        "tracker",
        "ami_wire",
        "ami_facts",
        "known_calls",
    ),
)
PURE_FILES = [*(f"fastagi/{name}.py" for name in PURE), "notifier/messages.py", "notifier/inbox.py"]
ALLOWED = {"collections", "enum", "functools", "heapq", "re", "typing", "msgspec", "zvonok.call", "zvonok.errors"}


def imported(path: Path) -> set[str]:
    """The modules that a file imports, by their full names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "absolute imports only"
            assert node.module is not None
            found.update(
                f"{node.module}.{alias.name}" if (HERE / node.module.replace(".", "/") / f"{alias.name}.py").exists()
                else node.module
                for alias in node.names
            )  # fmt: skip
    return found


@pytest.mark.parametrize("name", PURE_FILES)
def test_a_pure_file_reads_no_clock_and_no_socket(name: str) -> None:
    pure = {path.removesuffix(".py").replace("/", ".") for path in PURE_FILES}
    others = {one for one in imported(HERE / name) if one not in pure and one not in ALLOWED}
    others = {one for one in others if one.partition(".")[0] not in ALLOWED}
    assert not others, f"{name} is pure and must not import {sorted(others)}"


def test_only_one_file_imports_pyst2() -> None:
    files = [path for package in ("zvonok", "fastagi", "notifier") for path in (HERE / package).rglob("*.py")]
    assert [path.name for path in files if any(one.startswith("asterisk") for one in imported(path))] == [
        "agi_session.py"
    ]
