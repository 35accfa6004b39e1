"""The alerts: each fires at its fault and at nothing else, and promtool sees to that."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.tools import tool

ROOT = Path(__file__).parents[2]
RULES = ROOT / "monitoring" / "rules.yaml"
UNIT_TESTS = Path(__file__).with_name("rules_test.yaml")
(GROUP,) = yaml.safe_load(RULES.read_text())["groups"]
ALERTS: list[dict[str, Any]] = GROUP["rules"]
NAMES = [each["alert"] for each in ALERTS]


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tool("promtool"), *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_rules_are_valid() -> None:
    done = promtool("check", "rules", "--lint-fatal", str(RULES))
    assert done.returncode == 0, done.stderr


def test_each_alert_fires_at_its_fault_and_at_nothing_else() -> None:
    done = promtool("test", "rules", str(UNIT_TESTS))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("always", [False, True], ids=["never", "always"])
@pytest.mark.parametrize("name", NAMES)
def test_an_alert_that_fires_always_or_never_would_be_seen(
    name: str, *, always: bool, tmp_path: Path
) -> None:
    broken = yaml.safe_load(RULES.read_text())
    for rule in broken["groups"][0]["rules"]:
        if rule["alert"] == name:
            rule["expr"] = (
                f"({rule['expr']}) or kubia_pet_ready" if always else f"({rule['expr']}) and vector(0) > 0"
            )
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(broken))
    tests = yaml.safe_load(UNIT_TESTS.read_text()) | {"rule_files": ["rules.yaml"]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(tests))
    done = promtool("test", "rules", str(tmp_path / "test.yaml"))
    assert done.returncode
    assert name in done.stdout + done.stderr


def test_each_alert_says_how_severe_it_is_what_happened_and_to_whom() -> None:
    for rule in ALERTS:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert "$labels." in rule["annotations"]["summary"]
        assert rule["annotations"]["description"].endswith(".")
