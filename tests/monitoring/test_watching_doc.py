"""docs/watching.md, held against what the program does."""

import ast
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
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


def said() -> Iterator[str]:
    """What a pod logs from info on, `…` in the place of what differs from line to line."""
    for path in (ROOT / "kubia_pet").rglob("*.py"):
        if path.relative_to(ROOT / "kubia_pet").parts[0] in {"check", "local", "probe", "reach"}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name("log"), attr=level)) if level != "debug":
                    for each in node.args[:2]:
                        if isinstance(each, ast.Constant) and isinstance(each.value, str):
                            yield re.sub(r"%[sdg]", "…", each.value)
    yield "… lines of the log were dropped: nobody took them in time"  # by the log itself


def test_each_sentence_of_the_log_has_its_row_and_each_that_is_quoted_is_said() -> None:
    section = DOCUMENT.partition("| An operator asks |")[2]
    quoted = {
        re.sub(r"kubia-0|\b\d+\b", "…", each).rstrip("… ") for each in re.findall(r"`([A-Z…][^`]+)`", section)
    }
    sentences = {each for each in said() if re.search("[a-z]", each)}  # others are the fault's own
    assert [each for each in sentences if not each.startswith(tuple(quoted))] == []
    assert [begin for begin in quoted if not any(each.startswith(begin) for each in sentences)] == []


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
