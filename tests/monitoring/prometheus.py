"""A real Prometheus, as a process that scrapes pods and evaluates our rules every half second."""

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from tests.monitoring.test_rules import RULES
from tests.support.local_set import free_ports
from tests.support.pod import until
from tests.support.tools import tool


class Prometheus:
    """It has the rules as they are, but that nobody waits minutes for an alert: `for` is a second."""

    def __init__(self, directory: Path, targets: Sequence[str]) -> None:
        self._directory = directory
        self._targets = list(targets)
        self._port = free_ports(1)
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        rules = yaml.safe_load(RULES.read_text())
        for rule in rules["groups"][0]["rules"]:
            rule["for"] = "1s"
        config = {
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
            "rule_files": ["rules.yaml"],
            "scrape_configs": [{"job_name": "kubia-pet", "static_configs": [{"targets": self._targets}]}],
        }
        (self._directory / "rules.yaml").write_text(yaml.safe_dump(rules))
        (self._directory / "prometheus.yaml").write_text(yaml.safe_dump(config))
        log = self._directory / "prometheus.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    tool("prometheus"),
                    f"--config.file={self._directory / 'prometheus.yaml'}",
                    f"--storage.tsdb.path={self._directory / 'tsdb'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                stdout=output,
                stderr=output,
            )
        until(f"Prometheus to be ready: {log}", self._is_ready, 30)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that the expression gives now."""
        found = self._get(f"/api/v1/query?{urllib.parse.urlencode({'query': expression})}")["result"]
        assert isinstance(found, list)
        return found

    def firing(self) -> set[tuple[str, str]]:
        """Each alert that fires now, and whom it is about."""
        return {
            (each["labels"]["alertname"], each["labels"].get("instance", ""))
            for each in self._get("/api/v1/alerts")["alerts"]
            if each["state"] == "firing"
        }

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=10) as answer:
            data = json.load(answer)["data"]
        assert isinstance(data, dict)
        return data

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, "Prometheus ended at its start"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=5):
                return True
        except OSError:
            return False
