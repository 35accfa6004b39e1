"""What every lab has."""

import re
from pathlib import Path

import pytest

from tests.support.console import sections
from tests.support.labs import LABS, ROOT


def test_there_are_eight_and_the_index_leads_to_each() -> None:
    index = (ROOT / "docs" / "labs" / "README.md").read_text()
    assert re.findall(r"^\| \d\. \[[^]]+\]\(([^)]+)\)", index, re.MULTILINE) == [lab.name for lab in LABS]
    assert [lab.name[0] for lab in LABS] == list("12345678")


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.stem)
def test_a_lab_says_what_will_be_seen_asks_has_a_judge_cleans_up_and_leads_on(lab: Path) -> None:
    text = lab.read_text()
    assert text.startswith(f"# Lab {lab.name[0]}: ")
    assert "**What you will see:**" in text
    assert len(re.findall(r"^<details><summary>Question: .+\?</summary>$", text, re.MULTILINE)) >= 3
    assert text.count("<details>") == text.count("</details>") == text.count("Question: ")
    commands = [step.command for section in sections(text) for step in section.steps]
    assert any("kubia-pet check" in each and "--watch" in each for each in commands)
    assert re.findall("^## (.+)$", text, re.MULTILINE)[-2:] == ["Clean up", "Read on"]


@pytest.mark.parametrize(
    "document", [*LABS, ROOT / "docs" / "labs" / "README.md"], ids=lambda each: each.stem
)
def test_links_within_the_repository_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(#[^)]+)?\)", document.read_text())
    assert links
    for path, anchor in links:
        target = document.parent / path
        assert target.exists(), path
        if anchor:
            headings = re.findall("^#+ (.+)$", target.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
            assert anchor[1:] in slugs, f"{path}{anchor}"
