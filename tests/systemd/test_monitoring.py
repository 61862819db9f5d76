"""What Prometheus and Grafana are given: rules that promtool accepts, alerts that fire when they should, panels."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.levels import unavailable

ALERTS = Path("operate/alerts.yml")
ALERT_TESTS = Path("tests/systemd/alerts_test.yml")
DASHBOARD = Path("operate/grafana-dashboard.json")
NAMES = re.findall(r"- alert: (\w+)", ALERTS.read_text())


def panels() -> list[dict[str, object]]:
    return json.loads(DASHBOARD.read_text())["panels"]


def expressions() -> list[str]:
    """The dashboard's queries, with Grafana's variables filled in."""
    found = [target["expr"] for panel in panels() for target in panel["targets"]]  # type: ignore[attr-defined]
    return [text.replace("$__rate_interval", "5m").replace("$pbx", ".*") for text in found]


def documented_metrics() -> set[str]:
    """The names in the tables of docs/operations.md, "Metrics"."""
    text = Path("docs/operations.md").read_text().split("\n## Metrics\n")[1].split("\n## ")[0]
    found = set()
    for table in text.split("\n\n"):
        prefix = re.match(r"\| `(zvonok_\w+_)\.\.\.`", table)
        if prefix is not None:
            rows = [row.split("|")[1] for row in table.splitlines()[2:]]
            found |= {prefix[1] + name for row in rows for name in re.findall(r"`(\w+)[`{]", row)}
    return found


def metrics_in(text: str) -> set[str]:
    """The names of our metrics in rules or queries, as the processes declare them."""
    return {
        re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\bzvonok_(?:agi|tap|notifier)_\w+", text)
    }


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("promtool") is None:
        unavailable("promtool is missing: apt-get install --no-install-recommends prometheus")
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)


def test_prometheus_accepts_the_rules() -> None:
    done = promtool("check", "rules", ALERTS)
    assert done.returncode == 0, done.stderr


def test_prometheus_accepts_the_scrape_example(tmp_path: Path) -> None:
    shutil.copy(ALERTS, tmp_path)
    shutil.copy("operate/prometheus.yml", tmp_path)
    (tmp_path / "zvonok-metrics-token").write_text("x")
    done = promtool("check", "config", tmp_path / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_when_it_should_and_is_quiet_otherwise() -> None:
    done = promtool("test", "rules", ALERT_TESTS)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_has_both_tests_and_a_place_in_the_docs(name: str) -> None:
    told = [block for block in ALERT_TESTS.read_text().split("input_series") if f'"{name}"' in block]
    assert {"exp_samples: []" in block for block in told} == {False, True}
    assert f"`{name}`" in Path("docs/operations.md").read_text()


def test_every_panel_is_a_query_that_prometheus_understands(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions())]
    assert rules
    path = tmp_path / "panels.yml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))  # JSON is YAML
    done = promtool("check", "rules", path)
    assert done.returncode == 0, done.stderr


def test_no_two_panels_lie_on_each_other() -> None:
    cells = set()
    for panel in panels():
        grid = panel["gridPos"]
        assert isinstance(grid, dict)
        mine = {
            (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not cells & mine, panel["title"]
        assert all(x < 24 for x, _ in mine)
        cells |= mine
