"""The README, held against the code."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from kubia_pet.config import ENV_PREFIX, Settings, default_shown
from kubia_pet.metrics import Metrics
from kubia_pet.model.diagnostic import ErrorCode
from kubia_pet.model.fault import DESCRIPTIONS, Faults
from kubia_pet.web.app import build
from tests.support.paste import shell_blocks

ROOT = Path(__file__).parents[1].parent
README = (ROOT / "README.md").read_text()


def table(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without their backticks."""
    section = re.split(r"\n#+ ", README.partition(f" {heading}\n")[2])[0]
    rows = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert rows, f"no table under {heading}"
    return [[cell.strip().strip("`") for cell in row.split("|")[1:-1]] for row in rows[0].splitlines()[2:]]


def test_each_setting_has_its_line_with_option_variable_default_and_meaning() -> None:
    assert table("Settings") == [
        [
            f"--{each.name.replace('_', '-')}",
            f"{ENV_PREFIX}_{each.name.upper()}",
            default_shown(each) or "",
            each.metadata["help"],
        ]
        for each in fields(Settings)
    ]


async def test_each_route_has_its_line_and_no_other(tmp_path: Path) -> None:
    app = build(Settings(data_dir=tmp_path, faults=True), pod="kubia-0", service=None, port=8080)
    served = {(resource.canonical, route.method) for resource in app.router.resources() for route in resource}
    documented = {(path, method) for path, methods, _ in table("HTTP API") for method in methods.split(", ")}
    assert documented == {each for each in served if each[1] != "HEAD"}


def test_each_metric_has_its_line_and_no_other() -> None:
    exposed = {
        name.removesuffix("_created")
        for name in re.findall(r"^# TYPE (\S+)", Metrics(Faults()).render().decode(), re.MULTILINE)
        if not name.endswith("_created")
    }
    assert {row[0] for row in table("Metrics")} == exposed


def test_each_error_code_has_its_line_and_no_other() -> None:
    header = "| Code | Of | Meaning |\n"
    section = README.partition(header)[2].partition("\n\n")[0]
    documented = [
        code for row in section.splitlines()[1:] for code in re.findall(r"`([a-z-]+)`", row.split("|")[1])
    ]
    assert sorted(documented) == sorted(ErrorCode)


def test_each_fault_has_its_line_and_no_other() -> None:
    assert table("Break it") == [[fault, does] for fault, does in DESCRIPTIONS.items()]


def test_each_make_command_exists_and_has_its_line() -> None:
    targets = set(re.findall(r"^([a-z0-9]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {f"make {each}" for each in targets - {"help", "clean"}} == {
        row[0] for row in table("Development")
    }


DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for files in ("*.md", "docs/**/*.md", "charts/**/*.md")
    for path in ROOT.glob(files)
)


def test_the_index_of_the_documents_leads_to_each_of_them() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    for path in (ROOT / "docs").glob("*.md"):
        assert path.name == "README.md" or f"]({path.name})" in index, path


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_link_to_a_file_leads_somewhere(document: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / document).read_text()):
        assert (ROOT / document).parent.joinpath(target).exists(), target


def test_each_block_of_lines_is_pasted_by_a_test() -> None:
    """By the begin of each block, with the test that pastes it; `make test` cannot run itself."""
    tested = {
        "make run": "tests/api/test_readme.py",
        "make test": "Makefile",
        "curl localhost:8081": "tests/api/test_readme.py",
        ".venv/bin/kubia-pet check": "tests/api/test_readme.py",
        'curl -X PUT "localhost:8081/faults': "tests/api/test_readme.py",
        "docker build": "tests/container/test_readme.py",
        "kubectl apply": "tests/e2e/test_readme.py",
    }
    for block in shell_blocks():
        pasted_by = [file for begin, file in tested.items() if block.startswith(begin)]
        assert len(pasted_by) == 1, f"paste it in a test, and name that here:\n{block}"
    for begin, file in tested.items():
        assert file == "Makefile" or begin in (ROOT / file).read_text(), (begin, file)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_line_to_paste_ends_a_quotation_by_what_zsh_takes_for_its_history(document: str) -> None:
    assert '!"' not in "".join(shell_blocks(document))


def test_lines_that_follow_a_start_wait_for_it_themselves() -> None:
    for block in shell_blocks():
        starting = False
        for line in block.splitlines():
            if line.startswith("curl") and starting:
                assert "--retry" in line, line
                starting = False
            if line.startswith(("docker run", "kubectl rollout status", "kubectl proxy")):
                starting = True
