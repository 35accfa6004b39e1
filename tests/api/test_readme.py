"""The README's local blocks, each pasted as one piece."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.test_local import GREETING, overview
from tests.support.paste import ROOT, paste, shell_blocks
from tests.support.pod import until

NONE = "No data posted yet"
LOOPBACK = (
    "import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sH22x', b'lo', 1))"
)


MAKE_RUN = "make run"


def block(begin: str) -> str:
    (found,) = [each for each in shell_blocks() if each.startswith(begin)]
    return found


@pytest.fixture
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """What runs a second terminal beside one that runs the line given, and has shown its screen.

    In a network of their own where that may be had: the README's ports may be somebody's.
    """
    for name in ("Makefile", "pyproject.toml", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    own_network = ["unshare", "--net"]
    has_one = shutil.which("unshare") and not subprocess.run([*own_network, "true"], check=False).returncode
    first = request.param
    # The environment is there already: its packages are not fetched again.
    make = 'make() { command make --assume-old=.venv/run "$@"; }\n'
    log = tmp_path / "screen"
    up = f'python3 -c "{LOOPBACK}"\n' if has_one else ""
    with (
        log.open("wb") as screen,
        subprocess.Popen(
            [*(own_network if has_one else ()), "bash", "-c", f"{up}{make}{first}"],
            cwd=tmp_path,
            stdout=screen,
            stderr=screen,
            start_new_session=True,
        ) as process,
    ):
        try:
            until("the screen", lambda: "Lines to paste" in log.read_text() or process.poll() is not None, 40)
            assert process.poll() is None, log.read_text()
            yield ["nsenter", "--net", "--target", str(process.pid)] if has_one else []
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(30)


def test_the_line_that_starts_the_others_is_the_readmes() -> None:
    assert block("make run") == f"{MAKE_RUN}\n"


@pytest.mark.parametrize("running", [MAKE_RUN], indirect=True)
def test_the_first_lines_show_the_chapter_and_the_check_passes(running: list[str], tmp_path: Path) -> None:
    assert paste(block("curl localhost:8081"), tmp_path, prefix=running) == (
        overview(0, NONE, NONE, NONE)
        + "Data stored on pod kubia-0\n"
        + overview(0, GREETING, NONE, NONE)
        + overview(1, GREETING, NONE, NONE)
    )
    checked = paste(
        f"{block('.venv/bin/kubia-pet check').rstrip()}; echo status $?", tmp_path, prefix=running
    )
    assert checked.endswith("status 0\n"), checked


@pytest.mark.parametrize("running", [MAKE_RUN], indirect=True)
def test_the_lines_that_break_a_pod_do(running: list[str], tmp_path: Path) -> None:
    shown = paste(block('curl -X PUT "localhost:8081/faults'), tmp_path, prefix=running)
    assert "disk-full" in shown
    assert "no space" in shown.lower() or "no room" in shown.lower(), shown
    assert '"active": []' in shown or shown.rstrip().endswith("."), shown
