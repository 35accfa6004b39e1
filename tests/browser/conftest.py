"""A browser, and a StatefulSet to look at."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support import browser
from tests.support.local_set import LocalSet


@pytest.fixture(scope="module")  # no longer: while Playwright runs, no asyncio test can
def chromium() -> Iterator[Browser]:
    with browser.chromium() as running:
        yield running


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSet]:
    """Three pods, shared by the tests of a module."""
    with LocalSet(tmp_path_factory.mktemp("local")) as started:
        yield started
