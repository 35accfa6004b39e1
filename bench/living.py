"""What a pod costs its node: time to start, and memory."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

from bench.effort import Bench
from bench.figures import Figure
from bench.load import Request, load
from bench.machine import SERVER_CORE, pinned, resident_mib
from bench.servers import ask, of

_PEERS = 3


def start(bench: Bench) -> Iterator[Figure]:
    """From the command to the first ready answer, beside what it takes to import the web framework alone."""

    def ready() -> None:
        with bench.servers() as servers:
            ask(f"{servers.pod().url}/readyz")

    def imported() -> None:
        with pinned(SERVER_CORE):
            subprocess.run([sys.executable, "-c", "import aiohttp.web, uvloop"], check=True, timeout=60)

    times = bench.in_turns(
        {"ours": partial(_seconds, ready), "aiohttp and uvloop": partial(_seconds, imported)}
    )
    yield Figure("start → ready", "s", "≤ 0.3 s", times.pop("ours"), times)


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def memory(bench: Bench) -> Iterator[Figure]:
    """Resident after the start, and after many requests: for a value, for all, never repeated, and writes."""
    requests, seconds = bench.effort.requests, bench.effort.seconds
    with bench.servers() as servers:
        running = servers.crowded(_PEERS)
        pod, pid = of(running), running.process.pid
        work = [Request(pod, path) for path in ("/", "/data", "/healthz")]
        work.append(Request(pod, "/", "POST", size=64))
        seen, asked = [resident_mib(pid)], 0
        for part in (0.1, 1.0):
            while asked < requests * part:
                asked += sum(load(each, 16, seconds).requests for each in work)
            seen.append(resident_mib(pid))
    start, first, last = seen
    yield Figure("resident after the start", "MiB", "≤ 48 MiB", [start])
    bases = {"a tenth of them": [first], "start": [start]}
    yield Figure(f"resident after {requests:,} requests", "MiB", "≤ 48 MiB, flat", [last], bases)
