"""What a release needs beside the tests: its version, its changes, its manifests and its chart.

.github/workflows/release.yml calls these as commands; docs/releasing.md says how a release is made.
"""

import re
from pathlib import Path

import click

ROOT = Path(__file__).parents[1]


class ReleaseError(click.ClickException):
    """The tree is not ready for a release; the sentence says what is wrong."""


def by_digest(image: str) -> tuple[str, str]:
    """Repository and digest of an image. Raises ReleaseError where it is not named by its digest."""
    found = re.fullmatch(r"([^\s@]+)@(sha256:[0-9a-f]{64})", image)
    if found is None:
        raise ReleaseError(f"{image} names no digest: a tag can be moved after the release.")
    return found[1], found[2]
