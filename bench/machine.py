"""What the machine tells: cores to pin to, and a process's CPU time and memory.

They are read from Linux's /proc; elsewhere nothing is pinned, and those figures are left out.
"""

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

Cores = frozenset[int]


def _cores() -> tuple[Cores, Cores]:
    if sys.platform != "linux":
        return frozenset(), frozenset()
    first, *others = sorted(os.sched_getaffinity(0))
    return frozenset({first}), frozenset(others or {first})


SERVER_CORE, OTHER_CORES = _cores()  # for the server that is measured; for load and peers


@contextmanager
def pinned(to: Cores) -> Iterator[None]:
    """Runs the block, and threads and processes started in it, on these cores."""
    if sys.platform != "linux" or not to:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, to)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int | None) -> float | None:
    """User and system time that the process has used; None where that cannot be known."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int | None) -> float | None:
    """Its resident memory, likewise."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def description() -> dict[str, str]:
    """What a reader of the figures should know."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": f"{os.cpu_count()}",
        "load before": " ".join(f"{each:.2f}" for each in os.getloadavg()),
        "python": platform.python_version(),
        **{name: _version(name) for name in ("kubia-pet", "aiohttp", "uvloop")},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
