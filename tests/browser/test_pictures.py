"""The pictures of the README: taken here, and kept where KUBIA_PET_PICTURES names a directory."""

import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.visitor import Visitor, visiting
from tests.support.local_set import LocalSet

VALUES = (
    "Hey there! This greeting was submitted to kubia-0.",
    "你好, kubia-1!",
    "Pets have names, and keep what is theirs.",
)
LARGEST = 150_000  # bytes
SIZE = {"width": 1100, "height": 760}


@pytest.fixture(scope="module")
def story(pets: LocalSet) -> LocalSet:
    for url, value in zip(map(pets.url, range(3)), VALUES, strict=True):
        subprocess.run(["curl", "-sf", "-d", value, url], check=True, capture_output=True)
    return pets


def take(visitor: Visitor, name: str, tmp_path: Path) -> None:
    directory = Path(os.environ.get("KUBIA_PET_PICTURES") or tmp_path)
    path = directory / f"{name}.png"
    visitor.page.screenshot(path=path, animations="disabled")
    assert path.stat().st_size < LARGEST


@contextmanager
def killed(pets: LocalSet, pod: str) -> Iterator[None]:
    """The pod is killed, and the next one of this name waits, not ready, for its volume."""
    volume = os.open(pets.data_dir / f"data-{pod}", os.O_RDONLY)
    try:
        os.kill(pets.pids()[pod], signal.SIGKILL)
        fcntl.flock(volume, fcntl.LOCK_EX)  # as soon as it has ended
        yield
    finally:
        os.close(volume)


def test_the_page_in_the_light(chromium: Browser, story: LocalSet, tmp_path: Path) -> None:
    with visiting(chromium, story.url(0), viewport=SIZE) as visitor:
        visitor.page.get_by_text("✓ good").nth(5).wait_for()  # three in the drawing, three in the table
        take(visitor, "page-light", tmp_path)


def test_the_page_in_the_dark_while_a_pod_is_gone(chromium: Browser, story: LocalSet, tmp_path: Path) -> None:
    with visiting(chromium, story.url(0), viewport=SIZE, color_scheme="dark") as visitor:
        visitor.page.get_by_text("✓ good").nth(5).wait_for()
        os.kill(story.pids()["kubia-2"], signal.SIGKILL)
        visitor.wait_seen(r"kubia-2 is back after \d\.\d s with its value")
        visitor.page.get_by_text("✓ good").nth(5).wait_for()
        with killed(story, "kubia-1"):
            visitor.page.wait_for_selector(".pod.gone")
            visitor.page.wait_for_timeout(1000)  # until it has faded
            take(visitor, "page-dark", tmp_path)
