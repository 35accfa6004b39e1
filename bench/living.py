"""What a pod costs its node: time to start, and memory."""

import time
from collections.abc import Callable, Iterator

from bench.effort import Bench
from bench.figures import Figure
from bench.load import Request, Server, load
from bench.machine import resident_mib
from bench.servers import ask, of

_PEERS = 3


def start(bench: Bench) -> Iterator[Figure]:
    """From the command to the first ready answer."""
    ours, bare = [], []
    for _ in range(bench.effort.rounds):
        with bench.servers() as servers:
            ours.append(_started(lambda: of(servers.pod())))
            bare.append(_started(servers.bare))
    yield Figure("start → ready", "s", "≤ 0.3 s", ours, {"bare": bare})


def memory(bench: Bench) -> Iterator[Figure]:
    """Resident after the start, and after many requests, half of them for all values of a small set."""
    requests, effort = bench.effort.requests, bench.effort
    with bench.servers() as servers:
        bare, pod = servers.bare(), of(servers.crowded(_PEERS))
        seen, asked = [resident_mib(pod.pid)], 0
        for part in (0.1, 1.0):
            while asked < requests * part:
                asked += sum(load(Request(pod, path), 16, effort.seconds).requests for path in ("/", "/data"))
            seen.append(resident_mib(pod.pid))
        smallest = resident_mib(bare.pid)
    at_start, first, last = seen
    if at_start and first and last and smallest:
        goal = "≤ 48 MiB"
        yield Figure("resident after the start", "MiB", goal, [at_start], {"bare": [smallest]})
        bases = {"a tenth of them": [first], "start": [at_start]}
        yield Figure(f"resident after {requests:,} requests", "MiB", f"{goal}, flat", [last], bases)


def _started(server: Callable[[], Server]) -> float:
    """Seconds until it has answered."""
    began = time.perf_counter()
    ask(f"{server().url}/readyz")
    return time.perf_counter() - began
