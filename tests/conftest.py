"""Fixtures that several test modules share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pod import Pod


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    """A pod without peers, serving."""
    with Pod(tmp_path / "data") as started:
        yield started
