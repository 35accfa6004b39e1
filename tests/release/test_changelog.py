"""The changelog is ready for a release, or says what is missing."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from kubia_pet import __version__
from release import ROOT, ReleaseError
from release.changelog import main, section

READY = """# Changelog

## 1.2.0 - 2026-12-31

### Added

- A feature.

### Fixed

- A bug.

## 1.1.0 - 2026-11-30

### Added

- Older.
"""


def test_the_section_of_the_version_is_printed_and_no_other() -> None:
    assert section(READY, "1.2.0") == "### Added\n\n- A feature.\n\n### Fixed\n\n- A bug.\n"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("2026-12-31", "unreleased", "write the day"),
        ("1.2.0 -", "1.3.0 -", "is of 1.3.0, not of 1.2.0"),
        ("- A feature.\n\n### Fixed\n\n- A bug.\n", "", "names no change"),
        ("## ", "# ", "has no section"),
    ],
)
def test_what_is_missing_is_said(old: str, new: str, complaint: str) -> None:
    with pytest.raises(ReleaseError, match=complaint):
        section(READY.replace(old, new), "1.2.0")


def test_the_command_fails_where_the_changelog_is_not_ready(tmp_path: Path) -> None:
    file = tmp_path / "CHANGELOG.md"
    file.write_text(READY)
    assert CliRunner().invoke(main, ["1.2.0", f"--file={file}"]).output.startswith("### Added")
    assert CliRunner().invoke(main, ["1.1.0", f"--file={file}"]).exit_code == 1


def test_the_projects_changelog_begins_with_the_programs_version() -> None:
    headings = re.findall(r"^## (\S+) - \S+$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == __version__
    assert len(set(headings)) == len(headings)
