"""`python -m release.chart IMAGE DIRECTORY`: writes the chart there, with this image as its default."""

import re
import shutil
from pathlib import Path

import click

from release import ROOT, ReleaseError, by_digest


def with_image(repository: str, digest: str, directory: Path) -> None:
    """Copies the chart, whole and without links, to a directory that is not there yet.

    Its values name the image by digest. Raises ReleaseError where they have no place for it.
    """
    shutil.copytree(ROOT / "charts" / "kubia-pet", directory)
    values = directory / "values.yaml"
    text = values.read_text()
    for key, value in (("repository", repository), ("digest", digest)):
        text, count = re.subn(rf"^(  {key}: ).*$", rf"\g<1>{value}", text, count=1, flags=re.MULTILINE)
        if not count:
            raise ReleaseError(f"The chart's values have no image.{key}.")
    values.write_text(text)


@click.command()
@click.argument("image")
@click.argument("directory", type=click.Path(path_type=Path, exists=False))
def main(image: str, directory: Path) -> None:
    """Write the chart to DIRECTORY with IMAGE as its default: REGISTRY/OWNER/kubia-pet@sha256:..."""
    with_image(*by_digest(image), directory)


if __name__ == "__main__":
    main()
