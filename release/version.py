"""`python -m release.version`: prints the version; `1.2.0` sets it, `--tag v1.2.0` holds a tag against it."""

import re
from collections.abc import Iterator
from pathlib import Path

import click

from release import ROOT, ReleaseError

VERSION = r"\d+\.\d+\.\d+"
# Every place that says the version: files, and a pattern around it.
PLACES = (
    ("kubia_pet/__init__.py", r'^__version__ = "({})"$'),
    ("Dockerfile", r'org\.opencontainers\.image\.version="({})"'),
    ("charts/kubia-pet/Chart.yaml", r"^version: ({})$"),
    ("charts/kubia-pet/Chart.yaml", r"^appVersion: ({})$"),
    ("docs/**/walkthrough.md", r'listens on .*, version ({})"'),
)


def read(root: Path = ROOT) -> str:
    """The version that every place says. Raises ReleaseError where they differ, or one says none."""
    said = [(path.relative_to(root), found[1]) for path, found in _places(root)]
    if len({version for _, version in said}) > 1:
        places = ", ".join(f"{path}: {version}" for path, version in said)
        raise ReleaseError(f"The places that say the version differ: {places}.")
    return said[0][1]


def write(version: str, root: Path = ROOT) -> None:
    """Makes every place say it. Raises ReleaseError for what is no version, or where a place is gone."""
    if not re.fullmatch(VERSION, version):
        raise ReleaseError(f"{version!r} is no version: write it as in 1.2.0.")
    for path, found in _places(root):  # which reads each file only when its turn comes: two places are in one
        path.write_text(found.string[: found.start(1)] + version + found.string[found.end(1) :])


def _places(root: Path) -> Iterator[tuple[Path, re.Match[str]]]:
    for files, pattern in PLACES:
        for path in sorted(root.glob(files)):
            found = re.search(pattern.format(VERSION), path.read_text(), re.MULTILINE)
            if found is None:
                raise ReleaseError(f"{path} says no version.")
            yield path, found


@click.command()
@click.argument("version", required=False)
@click.option("--tag", help="Fail unless this tag is v and the version.")
def main(version: str | None, tag: str | None) -> None:
    """Print the version, set it, or hold a tag against it."""
    if version is not None:
        write(version)
    click.echo(read())
    if tag is not None and tag != f"v{read()}":
        raise click.ClickException(f"The tag {tag} does not belong to version {read()}.")


if __name__ == "__main__":
    main()
