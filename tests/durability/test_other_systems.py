"""What macOS has in another way, or not at all, taken away from a pod on Linux: it serves as ever."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.durability.asking import NOT_FOUND, STORED, ask, get, is_ready, post
from tests.durability.machine import needs_strace
from tests.durability.strace import Strace
from tests.support.pod import Pod

# Run by the interpreter before the program: from then on it is Python on macOS, as far as the program looks.
MACOS = """
import fcntl, os, sys, types

sys.platform = "darwin"
sys.modules["_scproxy"] = types.ModuleType("_scproxy")  # the library's own, for proxies
sys.modules["_scproxy"]._get_proxy_settings = sys.modules["_scproxy"]._get_proxies = dict
for name in "O_PATH O_NOATIME RWF_NOWAIT preadv setxattr getxattr listxattr removexattr".split():
    delattr(os, name)

fcntl.F_FULLFSYNC = 51
real = fcntl.fcntl
def control(file, command, *arguments):
    if command != fcntl.F_FULLFSYNC:
        return real(file, command, *arguments)
    os.write(2, b"F_FULLFSYNC\\n")
    return os.fdatasync(file)
fcntl.fcntl = control

def no_fsync(file):
    raise AssertionError("macOS's fsync leaves the bytes in the drive's cache")
os.fsync = no_fsync

def no_proc(event, arguments):
    if event == "open" and str(arguments[0]).startswith("/proc/"):
        raise FileNotFoundError(2, "No such file or directory", str(arguments[0]))
sys.addaudithook(no_proc)
"""
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this is such a system")


@pytest.fixture
def macos(tmp_path: Path) -> Iterator[Pod]:
    """A pod without what macOS lacks."""
    (tmp_path / "sitecustomize.py").write_text(MACOS)
    path = ":".join([str(tmp_path), *sys.path])
    with Pod(tmp_path / "data", env={"PYTHONPATH": path, "COVERAGE_PROCESS_START": ""}) as pod:
        yield pod


def test_a_value_is_stored_read_and_removed(macos: Pod) -> None:
    for value in (b"value", b"another", bytes(100_000), b""):
        assert post(macos, value).status == STORED
        for _ in range(3):
            assert get(macos) == (STORED, value)
    assert is_ready(macos)
    assert ask(macos, "DELETE", "/").status == STORED
    for _ in range(3):
        assert get(macos).status == NOT_FOUND
    assert "Traceback" not in macos.log.read_text()


def test_a_write_is_forced_out_of_the_drives_cache_file_and_directory(macos: Pod) -> None:
    before = macos.log.read_text().count("F_FULLFSYNC")
    post(macos, b"value")
    assert macos.log.read_text().count("F_FULLFSYNC") >= before + 2


def test_it_is_there_again_after_a_kill(macos: Pod) -> None:
    post(macos, b"value")
    macos.kill()
    assert get(macos.start()) == (STORED, b"value")


def test_no_system_call_of_linux_alone_is_made(macos: Pod, tmp_path: Path) -> None:
    needs_strace()
    with Strace(tmp_path / "trace", "-e", "trace=openat2,preadv2", pod=macos):
        get(macos)  # without a value, and with one
        post(macos, b"value")
        get(macos)
        get(macos)
    assert "(" not in (tmp_path / "trace").read_text()
