"""What a pod costs its node: time to start, and memory."""

import time
from collections.abc import Iterator

from bench.effort import Bench
from bench.figures import Figure
from bench.load import Request, load
from bench.machine import resident_mib
from bench.servers import ask, of

_PEERS = 3


def start(bench: Bench) -> Iterator[Figure]:
    """From the command to the first ready answer."""
    ours = []
    for _ in range(bench.effort.rounds):
        with bench.servers() as servers:
            began = time.perf_counter()
            ask(f"{servers.pod().url}/readyz")
            ours.append(time.perf_counter() - began)
    yield Figure("start → ready", "s", "≤ 0.3 s", ours)


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
