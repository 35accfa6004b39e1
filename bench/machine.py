"""Cores to pin to, and a process's CPU time and memory, as Linux's /proc tells them."""

import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path

Cores = frozenset[int]
_first, *_others = sorted(os.sched_getaffinity(0))
SERVER_CORE, OTHER_CORES = Cores({_first}), Cores(_others or {_first})  # the server measured; load and peers


@contextmanager
def pinned(to: Cores) -> Iterator[None]:
    """Runs the block, and threads and processes started in it, on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, to)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """User and system time that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Its resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def description() -> dict[str, str]:
    """What a reader of the figures should know."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    versions = {each.name: each.version for each in distributions()}
    return {
        "system": platform.platform(),
        "processor": model[1] if model else "unknown",
        "cores": f"{os.cpu_count()}",
        "load before": " ".join(f"{each:.2f}" for each in os.getloadavg()),
        "python": platform.python_version(),
        **{name: versions.get(name, "not installed") for name in ("kubia-pet", "aiohttp", "uvloop")},
    }
