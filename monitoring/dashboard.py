"""`python -m monitoring.dashboard`: writes dashboard.json, for Grafana 10 and newer, from the panels."""

import json
from pathlib import Path
from typing import Any

from monitoring.panels import ROWS, Panel

DASHBOARD = Path(__file__).with_name("dashboard.json")
COLUMNS, HEIGHT = 24, 8  # of Grafana's grid, and of one panel in its units
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana's JSON model."""
    return {
        "uid": "kubia-pet",
        "title": "kubia-pet",
        "description": "Pods, values, volumes, peers and DNS of sets of kubia-pet.",
        "tags": ["kubia-pet", "statefulset"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,  # one cross-hair in all panels
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": _variables()},
        "panels": _panels(),
    }


def _variables() -> list[dict[str, Any]]:
    source = {"name": "datasource", "type": "datasource", "query": "prometheus"}
    labels = {"namespace": "kubia_pet_ready", "job": 'kubia_pet_ready{namespace=~"$namespace"}'}
    return [source] + [
        {
            "name": label,
            "type": "query",
            "datasource": SOURCE,
            "query": f"label_values({series}, {label})",
            "refresh": 2,  # whenever the time range changes
            "includeAll": True,
            "allValue": ".*",
            "multi": True,
            "current": {"text": "All", "value": "$__all"},
        }
        for label, series in labels.items()
    ]


def _panels() -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS.items():
        made.append(
            {"type": "row", "title": title, "collapsed": False, "panels": []}
            | _place(len(made), 0, top, COLUMNS, 1)
        )
        width = COLUMNS // len(row)
        for column, panel in enumerate(row):
            made.append(_graph(panel) | _place(len(made), column * width, top + 1, width, HEIGHT))
        top += 1 + HEIGHT
    return made


def _place(number: int, left: int, top: int, width: int, height: int) -> dict[str, Any]:
    return {"id": number + 1, "gridPos": {"x": left, "y": top, "w": width, "h": height}}


def _graph(panel: Panel) -> dict[str, Any]:
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": SOURCE,
                "expr": query.expression,
                "legendFormat": query.legend,
            }
            for number, query in enumerate(panel.queries)
        ],
    }


if __name__ == "__main__":
    DASHBOARD.write_text(json.dumps(dashboard(), indent=2) + "\n")
