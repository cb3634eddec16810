"""What deploy/ and docs/watching.md say of the metrics names metrics that there are."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client

from aimessage.server.metrics import gauges, scraping

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[1]
DASHBOARD = json.loads((ROOT / "deploy/grafana/aimessage.json").read_text())
PROMETHEUS = ROOT / "deploy/prometheus"
ALERTS = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"][0]["rules"]
ALERT_TESTS = yaml.safe_load((PROMETHEUS / "tests/alerts.yml").read_text())["tests"]
PAGE = (ROOT / "docs/watching.md").read_text()
NAME = re.compile(r"\baimessage_[a-z_]+\b")
#: A selector with its labels, as `aimessage_reports{status="open"}`.
SELECTOR = re.compile(r"(aimessage_[a-z_]+)\{([^}]*)\}")
#: What Prometheus itself adds to every series, and what a histogram does.
ADDED = {"job", "instance", "le"}


def expressions() -> dict[str, str]:
    """Every query of the dashboard and the rules, by where it stands."""
    found = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", [])
    }
    return found | {rule["alert"]: rule["expr"] for rule in ALERTS}


@pytest.fixture
def metrics(db: None, client: Client, monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """The labels of each metric that /metrics has, by the names of its samples."""
    values = {each.name: {("x",) * len(each.labels): 1.0} for each in gauges._gauges}
    monkeypatch.setattr(gauges.DatabaseCollector, "_ask", lambda self: (True, values))
    client.get("/auth/me")
    client.get("/db-test")
    found: dict[str, set[str]] = {}
    for family in scraping._registry().collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        for suffix in suffixes:
            found[family.name + suffix] = {label for sample in family.samples for label in sample.labels}
    return found


@pytest.mark.parametrize("where", expressions())
def test_every_metric_that_is_asked_for_exists(metrics: dict[str, set[str]], where: str) -> None:
    expression = expressions()[where]
    names = set(NAME.findall(expression))

    assert names or expression.startswith(("up{", "sum(up{"))
    assert names - set(metrics) == set()


@pytest.mark.parametrize("where", expressions())
def test_every_label_that_is_asked_for_exists(metrics: dict[str, set[str]], where: str) -> None:
    for name, labels in SELECTOR.findall(expressions()[where]):
        if metrics.get(name):
            asked = set(re.findall(r"([a-z]+)\s*(?:=~|!~|!=|=)", labels))
            assert asked - metrics[name] - ADDED == set(), name


def test_the_page_tells_of_every_metric_and_of_no_other(metrics: dict[str, set[str]]) -> None:
    families = {re.sub("_(bucket|sum|count)$", "", name) for name in metrics}

    assert set(re.findall(r"^\| `(aimessage_[a-z_]+)`", PAGE, re.MULTILINE)) == families


def test_every_alert_is_explained_tested_and_says_what_is_up() -> None:
    names = [rule["alert"] for rule in ALERTS]
    tested = {
        check["alertname"] for test in ALERT_TESTS for check in test["alert_rule_test"] if check["exp_alerts"]
    }
    quiet = {
        check["alertname"]
        for test in ALERT_TESTS
        for check in test["alert_rule_test"]
        if not check["exp_alerts"]
    }

    assert len(names) == len(set(names))
    assert tested == set(names)
    assert quiet >= set(names) - {"AimessageSlow"}  # whose test has an instance that is quiet
    for rule in ALERTS:
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"]
        assert f"`{rule['alert']}`" in PAGE


def test_the_dashboard_is_one_that_can_be_imported() -> None:
    panels: list[dict[str, Any]] = DASHBOARD["panels"]

    assert DASHBOARD["schemaVersion"] >= 39
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [tuple(panel["gridPos"][key] for key in "xywh") for panel in panels]
    assert all(x + w <= 24 for x, _, w, _ in places)
    overlapping = [
        (a, b)
        for number, a in enumerate(places)
        for b in places[number + 1 :]
        if a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
    ]
    assert overlapping == []
    for panel in panels:
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["targets"]


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool; the tests above check the names")
@pytest.mark.parametrize(
    "command",
    [
        ["check", "config", "prometheus.yml"],
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "tests/alerts.yml"],
    ],
    ids=" ".join,
)
def test_promtool_agrees(command: list[str]) -> None:
    done = subprocess.run(["promtool", *command], cwd=PROMETHEUS, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stdout + done.stderr
