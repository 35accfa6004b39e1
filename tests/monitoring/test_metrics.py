"""What a pod exposes: by Prometheus' practice, and all of it watched."""

import json
import re
import subprocess
from pathlib import Path

import yaml

from kubia_pet.metrics import Metrics
from kubia_pet.model.fault import Faults
from kubia_pet.model.ledger import Kind
from kubia_pet.store import FaultKind
from monitoring.dashboard import DASHBOARD, dashboard
from monitoring.panels import ROWS
from tests.monitoring.exposed import asked_for, exposed
from tests.monitoring.test_rules import ALERTS, ROOT
from tests.support.tools import tool

QUERIES = [query.expression for row in ROWS.values() for panel in row for query in panel.queries]


def test_the_metrics_are_named_as_prometheus_practice_has_it() -> None:
    done = subprocess.run(
        [tool("promtool"), "check", "metrics"],
        input=Metrics(Faults()).render(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


def test_the_dashboard_is_what_its_panels_make() -> None:
    assert json.loads(DASHBOARD.read_text()) == dashboard(), "run python -m monitoring.dashboard"


def test_the_dashboard_shows_every_metric_and_none_that_is_not_exposed() -> None:
    shown = set().union(*map(asked_for, QUERIES))
    assert shown == exposed().keys()


def test_the_alerts_ask_for_nothing_that_is_not_exposed() -> None:
    for rule in ALERTS:
        assert asked_for(rule["expr"]) <= exposed().keys(), rule["alert"]


def test_each_fault_and_each_bad_verdict_has_its_alert_and_no_alert_asks_for_another() -> None:
    chosen = re.findall(r'(fault|verdict)=~?"([^"]+)"', "".join(rule["expr"] for rule in ALERTS))
    harmless = {Kind.GOOD, Kind.UNKNOWN, Kind.CHANGED_OUTSIDE}
    assert sorted((label, value) for label, values in chosen for value in values.split("|")) == sorted(
        [*(("fault", kind) for kind in FaultKind), *(("verdict", kind) for kind in set(Kind) - harmless)]
    )


def test_each_outcome_that_an_alert_asks_for_is_counted() -> None:
    metrics = Metrics()
    metrics.asked("ok", 1)
    counted = metrics.render().decode()
    for rule in ALERTS:
        for name, outcome in re.findall(r'(kubia_pet_\w+)\{outcome!?="(\w+)"', rule["expr"]):
            assert f'{name}{{outcome="{outcome}"}}' in counted, rule["alert"]


def test_each_counter_that_is_asked_for_is_there_from_the_start_an_increase_from_nothing_is_none() -> None:
    text = Metrics(Faults()).render().decode()
    asked = set().union(*map(asked_for, [*QUERIES, *(rule["expr"] for rule in ALERTS)]))
    for name in asked & {name for name, kind in exposed().items() if kind == "counter"}:
        assert re.search(rf"^{name}[ {{]", text, re.MULTILINE), name


def test_all_that_may_be_refused_and_all_errors_of_peers_are_counted_from_the_start() -> None:
    text = Metrics().render().decode()
    sources = "".join(path.read_text() for path in (ROOT / "kubia_pet" / "web").rglob("*.py"))
    refused = re.findall(r'(?:NoRoomError|metrics\.refused)\("([\w-]+)"', sources)
    assert set(re.findall(r'kubia_pet_refused_total{what="([\w-]+)"} 0', text)) == set(refused)
    of_peers = re.findall(r"^\| (`.*`) \| a peer \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    codes = re.findall(r"`([\w-]+)`", "".join(of_peers))
    counted = re.findall(r'kubia_pet_peers_asked_total{outcome="([\w-]+)"} 0', text)
    assert sorted(counted) == sorted(["ok", *codes])


def test_each_query_of_the_dashboard_is_valid(tmp_path: Path) -> None:
    rules = [{"record": f"dashboard:{number}", "expr": filled(query)} for number, query in enumerate(QUERIES)]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(
        [tool("promtool"), "check", "rules", path], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def filled(query: str) -> str:
    """The query with the dashboard's variables at All, and a rate's time."""
    return query.replace("$__rate_interval", "1m").replace("$namespace", ".*").replace("$job", ".*")


def test_no_panel_covers_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
