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


TYPED = [*LABS, ROOT / "docs" / "walkthrough.md"]
each_typed = pytest.mark.parametrize("document", TYPED, ids=lambda each: each.stem)


@each_typed
def test_what_is_started_in_the_background_is_the_last_of_its_block(document: Path) -> None:
    """So that a block can be pasted: what follows has to wait for it."""
    for block in re.findall("^```console.*?^```$", document.read_text(), re.MULTILINE | re.DOTALL):
        commands = re.findall(r"^\$ (.+)$", block, re.MULTILINE)
        assert not [command for command in commands[:-1] if command.endswith("&")], block


@each_typed
@pytest.mark.parametrize(("language", "word"), [("docs", r"\bagain\b"), ("docs/zh-CN", "反复")])
def test_a_block_whose_commands_are_typed_again_has_a_sentence_that_says_so(
    document: Path, language: str, word: str
) -> None:
    text = (ROOT / language / document.relative_to(ROOT / "docs")).read_text()
    for block in re.finditer("^```console again$", text, re.MULTILINE):
        since_the_last_block = text[: block.start()].rpartition("\n```\n")[2]
        paragraph = since_the_last_block.strip().rpartition("\n\n")[2]
        assert re.search(word, paragraph), (paragraph, text[block.start() : block.end() + 100])


@each_typed
def test_what_is_read_by_another_command_comes_without_a_progress_meter(document: Path) -> None:
    for section in sections(document.read_text()):
        for step in section.steps:
            assert not re.search(r"\bcurl (?!-s )[^|;]*\|", step.command), step.command


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
