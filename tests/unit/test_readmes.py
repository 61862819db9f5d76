"""README.ru.md says what README.md says: the same sections, commands, settings and links."""

import re
from pathlib import Path

import pytest

ENGLISH = Path("README.md").read_text(encoding="utf-8")
RUSSIAN = Path("README.ru.md").read_text(encoding="utf-8")


def headings(text: str) -> list[str]:
    return re.findall(r"^(#+) ", text, re.MULTILINE)


def code_blocks(text: str) -> list[str]:
    return re.findall(r"^ *```\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)


def links(text: str) -> list[str]:
    return sorted(target for target in re.findall(r"\]\(([^)]+)\)", text) if not target.startswith("README"))


def inline_code(text: str) -> set[str]:
    return set(re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text))


@pytest.mark.parametrize("part", [headings, code_blocks, links, inline_code])
def test_both_readmes_have_the_same(part) -> None:
    assert part(RUSSIAN) == part(ENGLISH)


@pytest.mark.parametrize("text", [ENGLISH, RUSSIAN], ids=["english", "russian"])
def test_each_readme_names_the_other(text: str) -> None:
    assert ("(README.ru.md)" in text) != ("(README.md)" in text)
