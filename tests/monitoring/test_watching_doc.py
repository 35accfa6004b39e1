"""docs/watching.md, held against what the program does."""

import json
import logging
import re
import subprocess
import sys
from pathlib import Path

from kubia_pet.logs import JsonFormatter
from tests.monitoring.test_rules import ALERTS
from tests.support.tools import tool

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "watching.md").read_text()


def table(first_column: str) -> list[str]:
    """The first cells of the table that begins with that column."""
    rows = DOCUMENT.partition(f"| {first_column} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [row.split("|")[1].strip().strip("`") for row in rows]


def test_each_field_of_a_json_line_has_its_row_and_no_other() -> None:
    try:
        raise ValueError("unexpected")  # noqa: TRY301 - a traceback is what is wanted
    except ValueError:
        record = logging.LogRecord("kubia_pet", logging.ERROR, "", 0, "a sentence", None, sys.exc_info())
    line = JsonFormatter().format(record)
    assert table("Field") == list(json.loads(line))
    assert "\n" not in line


def test_each_alert_has_its_section_in_the_order_of_the_rules() -> None:
    assert re.findall(r"^### (\w+)$", DOCUMENT, re.MULTILINE) == [each["alert"] for each in ALERTS]


def test_each_sentence_of_the_log_that_is_quoted_is_said_somewhere() -> None:
    source = "".join(path.read_text() for path in (ROOT / "kubia_pet").rglob("*.py"))
    section = DOCUMENT.partition("| An operator asks |")[2]
    quoted = re.findall(r"`([A-Z][^`]+)`", section)
    assert len(quoted) >= 6
    for sentence in quoted:
        # The words between what differs from line to line.
        for words in re.split(r"…|kubia-0|\b\d+\b", sentence):
            assert words.strip(" ,:") in re.sub(r"%[ds.g]+|\{[^}]*\}", "…", source), (sentence, words)


def test_the_configuration_in_the_document_is_one_that_prometheus_takes(tmp_path: Path) -> None:
    found = re.search(r"```yaml\n(rule_files.*?)```", DOCUMENT, re.DOTALL)
    assert found
    (tmp_path / "monitoring").symlink_to(ROOT / "monitoring")
    (tmp_path / "prometheus.yaml").write_text(found[1])
    done = subprocess.run(
        [tool("promtool"), "check", "config", tmp_path / "prometheus.yaml"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
