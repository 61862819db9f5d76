"""Keeps docs/performance.md true: `make bench DOCS=1` puts what a run has printed where the page has a mark for it.

A mark is `<!-- make bench: PART -->` on the line before a code block.
"""

import re
from collections.abc import Mapping
from pathlib import Path

PAGE = Path("docs/performance.md")


def update(blocks: Mapping[str, str], page: Path = PAGE) -> list[str]:
    """Replace the marked code blocks by `blocks`, by the mark's name; the names that the page has no mark for."""
    text = page.read_text()
    missing = []
    for name, block in blocks.items():
        mark = re.compile(rf"(<!-- make bench: {re.escape(name)} -->\n```\n).*?(\n```\n)", re.DOTALL)
        if mark.search(text) is None:
            missing.append(name)
        text = mark.sub(lambda found, block=block: f"{found[1]}{block}{found[2]}", text)
    page.write_text(text)
    return missing
