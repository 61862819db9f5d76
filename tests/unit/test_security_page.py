"""docs/security.md names tests as proof: they must be there."""

import re
from pathlib import Path

PAGE = Path("docs/security.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`(tests/[\w/]+(?:\.py)?)`", PAGE))
    assert len(named) > 15
    assert [name for name in named if not Path(name).exists()] == []


def test_the_page_can_be_found() -> None:
    for page in ("README.md", "README.ru.md", "ARCHITECTURE.md", "docs/operations.md"):
        assert "security.md" in Path(page).read_text(encoding="utf-8"), page
