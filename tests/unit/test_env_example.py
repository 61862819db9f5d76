"""The settings as administrators read them: every one is in .env.example and in docs/settings.md, and nothing else."""

import re
from pathlib import Path

import pytest

from zvonok.settings import PREFIX, SECRETS, Settings, load, names

EXAMPLE = Path(".env.example").read_text(encoding="utf-8")
LINES = dict(re.findall(r"^#(ZVONOK_\w+)=(.*)$", EXAMPLE, re.MULTILINE))
PAGE = Path("docs/settings.md").read_text(encoding="utf-8")
ROWS = {row[0]: row[1:] for row in re.findall(r"^\| `(ZVONOK_\w+)` \|([^|]*)\|([^|]*)\|", PAGE, re.MULTILINE)}

# Shown as an example, because there is no default.
EXAMPLES_ONLY = {"DATABASE_URL", "AMI_HOST", "NATS_URL", "NATS_CA", "CRM_CARD_URL", "TAP_METRICS_LISTEN"}


@pytest.fixture(autouse=True)
def _no_env_file_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_example_has_every_setting_and_no_other() -> None:
    assert set(LINES) == {PREFIX + name for name in names()}


def test_nothing_in_the_example_is_set() -> None:
    assert [line for line in EXAMPLE.splitlines() if line and not line.startswith("#")] == []


def test_the_example_with_every_line_uncommented_means_the_defaults() -> None:
    settings = load(LINES)
    for name in names() - EXAMPLES_ONLY:
        assert getattr(settings, name.lower()) == getattr(Settings(), name.lower()), name
    for name in EXAMPLES_ONLY:
        assert getattr(settings, name.lower()) is not None, name


def test_the_example_holds_no_secret() -> None:
    assert all(LINES[PREFIX + name] == "" for name in SECRETS - EXAMPLES_ONLY)


def test_the_settings_page_has_every_setting_with_its_default() -> None:
    assert set(ROWS) == {PREFIX + name for name in names()}
    for name in names() - EXAMPLES_ONLY:
        shown = ROWS[PREFIX + name][0].strip().strip("`")
        assert shown == LINES[PREFIX + name], name
