"""The documents in Chinese say what those in English say: headings, commands and tables fit."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAIRS = {
    ROOT / "README.md": ROOT / "README.zh-CN.md",
    **{
        english: ROOT / "docs" / "zh-CN" / english.relative_to(ROOT / "docs")
        for english in sorted([ROOT / "docs" / "walkthrough.md", *(ROOT / "docs" / "labs").glob("*.md")])
    },
}
each_pair = pytest.mark.parametrize(
    ("english", "chinese"), PAIRS.items(), ids=lambda path: str(path.relative_to(ROOT))
)


def outside_of_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def blocks(text: str) -> list[str]:
    return re.findall(r"^```.*?^```$", text, flags=re.MULTILINE | re.DOTALL)


def levels(text: str) -> list[int]:
    return [len(marks) for marks in re.findall(r"^(#+) ", outside_of_blocks(text), flags=re.MULTILINE)]


def rows(text: str) -> list[list[str]]:
    """What stands in backticks in each row: options, defaults, routes, codes, metrics, commands."""
    table_rows = re.findall(r"^\|.*\|$", outside_of_blocks(text), flags=re.MULTILINE)
    return [sorted(re.findall(r"`[^`]+`", row)) for row in table_rows]


def parts(text: str) -> list[str]:
    """What each paragraph is: a table, a question, a list of so many items, or plain text."""
    paragraphs = re.split(r"\n\s*\n", outside_of_blocks(text).strip())
    return [
        f"list of {len(re.findall('^(?:- |[0-9]+[.] )', each, flags=re.MULTILINE))}"
        if re.match("- |[0-9]+[.] ", each)
        else (re.match(r"<details|#|\|", each) or [""])[0]
        for each in paragraphs
    ]


@each_pair
def test_both_have_the_same_headings(english: Path, chinese: Path) -> None:
    assert levels(chinese.read_text()) == levels(english.read_text())


@each_pair
def test_both_have_the_same_commands_and_outputs(english: Path, chinese: Path) -> None:
    assert blocks(chinese.read_text()) == blocks(english.read_text())


@each_pair
def test_both_have_the_same_rows_in_their_tables(english: Path, chinese: Path) -> None:
    assert rows(chinese.read_text()) == rows(english.read_text())


@each_pair
def test_both_have_the_same_paragraphs_lists_and_questions(english: Path, chinese: Path) -> None:
    assert parts(chinese.read_text()) == parts(english.read_text())


@each_pair
def test_each_links_the_other_in_its_first_lines(english: Path, chinese: Path) -> None:
    for one, other in ((english, chinese), (chinese, english)):
        begin = "\n".join(one.read_text().splitlines()[:5])
        targets = [one.parent / target for target in re.findall(r"\]\(([^)#]+)\)", begin)]
        assert other.resolve() in [target.resolve() for target in targets]


@each_pair
def test_links_in_chinese_lead_somewhere(english: Path, chinese: Path) -> None:
    assert english.exists()
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", chinese.read_text()):
        target = chinese.parent / path if path else chinese
        assert target.exists(), path
        if anchor:
            headings = re.findall("^#+ (.+)$", outside_of_blocks(target.read_text()), flags=re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert anchor in slugs, f"{path}#{anchor}"


@each_pair
def test_the_chinese_is_chinese(english: Path, chinese: Path) -> None:
    assert english.exists()
    text = re.sub(r"`[^`]*`", "", outside_of_blocks(chinese.read_text()))
    assert len(re.findall(r"[\u4e00-\u9fff]", text)) > len(re.findall(r"[A-Za-z]{2,}", text))
