"""One version, said in several places, and a tag that belongs to it."""

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from kubia_pet import __version__
from release import ROOT, ReleaseError
from release.version import PLACES, main, read, write

FILES = {path.relative_to(ROOT) for files, _ in PLACES for path in ROOT.glob(files)}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the files that say the version."""
    for path in FILES:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def test_every_place_says_the_programs_version() -> None:
    assert read() == __version__


def test_a_new_version_is_written_everywhere_and_nothing_else_changes(copy: Path) -> None:
    before = {path: (copy / path).read_text() for path in FILES}
    write("9.8.7", copy)
    assert read(copy) == "9.8.7"
    for path, text in before.items():
        assert (copy / path).read_text() == text.replace(__version__, "9.8.7")


def test_places_that_differ_are_named(copy: Path) -> None:
    chart = copy / "charts/kubia-pet/Chart.yaml"
    chart.write_text(chart.read_text().replace(f"\nversion: {__version__}", "\nversion: 0.1.0"))
    with pytest.raises(ReleaseError, match=r"Chart\.yaml: 0\.1\.0"):
        read(copy)


@pytest.mark.parametrize("wrong", ["1.2", "v1.2.0", "latest", "1.2.0\n", "1.2.0-rc.1"])
def test_what_is_no_version_is_refused(wrong: str, copy: Path) -> None:
    with pytest.raises(ReleaseError, match="is no version"):
        write(wrong, copy)
    assert read(copy) == __version__


def test_a_tag_must_be_v_and_the_version() -> None:
    assert CliRunner().invoke(main, ["--tag", f"v{__version__}"]).exit_code == 0
    refused = CliRunner().invoke(main, ["--tag", "v0.0.1"])
    assert refused.exit_code == 1
    assert "v0.0.1 does not belong to" in refused.output


def test_the_security_policy_supports_this_minor_version_first() -> None:
    first = re.findall(r"^\| (\d+\.\d+) \| (\w+)", (ROOT / "SECURITY.md").read_text(), re.MULTILINE)[0]
    assert first == (__version__.rpartition(".")[0], "yes")
