"""Keeps docs/performance.md and docs/scaling.md true: `make bench DOCS=1` puts its tables where they have marks.

A mark is `<!-- make bench: PART -->` on the line before a code block.
"""

import re
from collections.abc import Mapping
from pathlib import Path

PAGES = Path("docs")


def update(blocks: Mapping[str, str], pages: Path = PAGES) -> list[str]:
    """Replace the marked code blocks in `pages` by `blocks`, by the mark's name; the names that have no mark."""
    missing = set(blocks)
    for page in sorted(pages.glob("*.md")):
        before = text = page.read_text()
        for name, block in blocks.items():
            mark = re.compile(rf"(<!-- make bench: {re.escape(name)} -->\n```\n).*?(\n```\n)", re.DOTALL)
            if mark.search(text) is not None:
                missing.discard(name)
                text = mark.sub(lambda found, block=block: f"{found[1]}{block}{found[2]}", text)
        if text != before:
            page.write_text(text)
    return sorted(missing)
