"""`python -m release.changelog 1.2.0`: prints the changelog's section of a version that is to be released."""

import re
from datetime import date
from pathlib import Path

import click

from release import ROOT, ReleaseError


def section(text: str, version: str) -> str:
    """What changed in `version`, the changelog's first.

    Raises ReleaseError where the first section is another version's, has no date, or says nothing.
    """
    found = re.search(r"^## (\S+) - (\S+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ReleaseError("The changelog has no section like '## 1.2.0 - 2026-12-31'.")
    first, day, changes = found.groups()
    if first != version:
        raise ReleaseError(f"The changelog's first section is of {first}, not of {version}.")
    try:
        date.fromisoformat(day)
    except ValueError as error:
        raise ReleaseError(
            f"The changelog says of {version}: {day}; write the day, as in 2026-12-31."
        ) from error
    if not re.search(r"^- ", changes, re.MULTILINE):
        raise ReleaseError(f"The changelog names no change of {version}.")
    return changes.strip() + "\n"


@click.command()
@click.argument("version")
@click.option("--file", type=click.Path(path_type=Path, exists=True), default=ROOT / "CHANGELOG.md")
def main(version: str, file: Path) -> None:
    """Print what changed in VERSION; fail where the changelog is not ready for it."""
    click.echo(section(file.read_text(), version), nl=False)


if __name__ == "__main__":
    main()
