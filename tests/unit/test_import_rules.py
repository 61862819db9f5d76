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
        "ami_channel",
        "ami_facts",
        "known_calls",
    ),
)
PURE_FILES = [
    *(f"fastagi/{name}.py" for name in PURE),
    *(f"notifier/{name}.py" for name in ("messages", "inbox", "call_rules")),
    *(f"zvonok/cluster/{name}.py" for name in ("keys", "values", "jetstream", "outbox")),
]
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


def test_only_publisher_and_intake_know_the_cluster() -> None:
    files = [path for package in ("zvonok", "fastagi", "notifier") for path in (HERE / package).rglob("*.py")]
    knowing = {path for path in files if any(one.startswith("zvonok.cluster") for one in imported(path))}
    outside = {path.relative_to(HERE).as_posix() for path in knowing if path.parent.name != "cluster"}
    assert outside == {"fastagi/publisher_nats.py", "notifier/intake_nats.py", "notifier/bucket_reader.py"}
    with_client = {path.name for path in files if any(one.partition(".")[0] == "nats" for one in runtime_imports(path))}
    assert with_client == {"connection.py"}


def runtime_imports(path: Path) -> set[str]:
    """What a file imports when it runs: without what only the type checker sees."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    return {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names} | {*modules}
