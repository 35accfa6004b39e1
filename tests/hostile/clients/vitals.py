"""What a process holds, seen from outside."""

import os
import re
import sys
from pathlib import Path

import pytest

reads_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def sockets(pid: int) -> int:
    """Open sockets."""
    return sum(each.startswith("socket:") for each in _files(pid))


def files(pid: int) -> int:
    """Open file descriptors of all kinds."""
    return len(_files(pid))


def threads(pid: int) -> int:
    """Threads."""
    return _status(pid, "Threads")


def memory(pid: int) -> int:
    """Resident bytes now."""
    return _status(pid, "VmRSS") * 1024


def peak_memory(pid: int) -> int:
    """Most bytes that were resident since `forget_peak`."""
    return _status(pid, "VmHWM") * 1024


def forget_peak(pid: int) -> None:
    """Lets the peak begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def processor_seconds(pid: int) -> float:
    """Seconds of a processor that it has used, in user and in kernel mode (proc_pid_stat(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _files(pid: int) -> list[str]:
    found = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(each.readlink()))
        except FileNotFoundError:
            continue  # closed meanwhile
    return found


def _status(pid: int, field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1])
