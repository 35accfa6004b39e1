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


@pytest.fixture
def running(tmp_path: Path) -> Iterator[list[str]]:
    """What runs a second terminal beside one in which the first block was pasted, and has shown its screen.

    In a network of their own where that may be had: the README's ports may be somebody's.
    """
    for name in ("Makefile", "pyproject.toml", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    own_network = ["unshare", "--net"]
    has_one = shutil.which("unshare") and not subprocess.run([*own_network, "true"], check=False).returncode
    first = next(block for block in shell_blocks() if block.startswith("make run"))
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


def test_the_first_lines_show_the_chapter(running: list[str], tmp_path: Path) -> None:
    (lines,) = [block for block in shell_blocks() if block.startswith("curl localhost:8081")]
    assert paste(lines, tmp_path, prefix=running) == (
        overview(0, NONE, NONE, NONE)
        + "Data stored on pod kubia-0\n"
        + overview(0, GREETING, NONE, NONE)
        + overview(1, GREETING, NONE, NONE)
    )
