"""docs/check.md and docs/probe.md, held against the code."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from kubia_pet.check.causes import REMEDIES
from kubia_pet.check.checks import checks
from kubia_pet.check.command import DISRUPTIONS
from kubia_pet.check.result import Exit, Status
from kubia_pet.cli import main
from kubia_pet.probe.counts import Counts
from kubia_pet.probe.metrics_port import HELP
from kubia_pet.reach.target import Target

ROOT = Path(__file__).parents[2]
CHECK, PROBE = ((ROOT / "docs" / name).read_text() for name in ("check.md", "probe.md"))
SOURCES = {path: path.read_text() for path in (ROOT / "kubia_pet" / "check").glob("*.py")}


def rows(document: str, head: str) -> list[list[str]]:
    """The cells of the table whose first heading this is."""
    lines = document.partition(f"\n| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def test_each_check_has_its_line_in_the_order_in_which_they_explain_each_other() -> None:
    assert [row[0].strip("`") for row in rows(CHECK, "Check")] == [
        each.id for each in checks(Target(where="", pods=()))
    ]


def test_each_disruption_has_its_line() -> None:
    assert [row[0].strip("`") for row in rows(CHECK, "Disruption")] == [
        f"disrupt.{kind}" for kind in DISRUPTIONS
    ]


def test_each_cause_has_its_remedy_in_the_document_word_for_word() -> None:
    assert {row[0].strip("`"): row[1] for row in rows(CHECK, "Cause")} == REMEDIES


def test_each_cause_belongs_to_a_check_and_no_check_names_another() -> None:
    tables = rows(CHECK, "Check") + rows(CHECK, "Disruption")
    named = {cause for row in tables for cause in re.findall(r"`([a-z-]+)`", row[2])}
    assert named == set(REMEDIES)


def test_each_cause_is_named_by_the_code() -> None:
    text = "".join(source for path, source in SOURCES.items() if path.name != "causes.py")
    assert [cause for cause in REMEDIES if f'"{cause}"' not in text] == []


def test_statuses_and_exit_statuses_are_those_of_the_code() -> None:
    assert all(f"`{status}`" in CHECK for status in Status)
    assert [int(row[0]) for row in rows(CHECK, "Exit status")] == [int(each) for each in Exit]


def test_each_word_of_the_account_has_its_line_and_its_metric() -> None:
    words = [each.name for each in fields(Counts)]
    assert [row[0].strip("`") for row in rows(PROBE, "Word")] == words == list(HELP)


@pytest.mark.parametrize("document", [CHECK, PROBE])
def test_each_option_that_is_named_exists(document: str) -> None:
    known = {
        option for name in ("check", "probe") for each in main.commands[name].params for option in each.opts
    }
    elsewhere = {"--cascade", "--pod", "--max-gathered"}  # kubectl's, and those of serve
    assert set(re.findall(r"(?<![\w-])--[a-z]+[a-z-]*", document)) - known - elsewhere == set()
