"""What a release needs beside the tests: its version, its changes, its manifests and its chart.

.github/workflows/release.yml calls these as commands; docs/releasing.md says how a release is made.
"""

from pathlib import Path

ROOT = Path(__file__).parents[1]


class ReleaseError(Exception):
    """The tree is not ready for a release; the sentence says what is wrong."""
