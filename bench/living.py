"""What a pod costs its node: time to start, memory, and what it does when there is nothing to do."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from bench.effort import Bench
from bench.figures import Figure
from bench.machine import pinned, resident_mib, wake_ups
from bench.neighbours import Neighbours
from bench.processes import SERVER_CORE, Server, ask
from bench.sample import sample

_PEERS = 3


def start(bench: Bench) -> Iterator[Figure]:
    """From the command to the first ready answer, and the part of it that Python's imports take."""
    ready: dict[str, list[float]] = {"ours": [], "bare": []}
    imports: dict[str, list[float]] = {"ours": [], "bare": []}
    for _ in range(bench.effort.rounds):
        with bench.processes() as processes:
            ready["ours"].append(_started(processes.pod))
            ready["bare"].append(_started(processes.bare))
        imports["ours"].append(_imports("kubia_pet.cli, kubia_pet.web.server"))
        imports["bare"].append(_imports("bench.bare"))
    yield Figure("start → ready", "s", "≤ 0.5 s", ready["ours"], {"bare": ready["bare"]})
    yield Figure("imports", "ms", "", imports["ours"], {"bare": imports["bare"]})


def memory(bench: Bench) -> Iterator[Figure]:
    """Resident after the start, and after many requests, half of them for all values of a small set."""
    after: list[list[float]] = []
    bare = []
    for _ in range(min(bench.effort.rounds, 3)):
        with bench.processes() as processes:
            bare += _resident(processes.bare())
            neighbours = Neighbours(processes, real=1, most=_PEERS)
            pod = neighbours.pod
            neighbours.resize(_PEERS)
            seen, asked = _resident(pod), 0
            for quarter in range(1, 5):
                while asked < bench.effort.requests * quarter / 4:
                    asked += sample(pod, "/data", 16, bench.effort.seconds).load.requests
                    asked += sample(pod, "/", 16, bench.effort.seconds).load.requests
                seen += _resident(pod)
            after.append(seen)
    if bare:
        at_start, first, *_, last = zip(*after, strict=True)
        yield Figure("resident after the start", "MiB", "≤ 54 MiB", at_start, {"bare": bare})
        name = f"resident after {bench.effort.requests:,} requests"
        yield Figure(name, "MiB", "≤ 54 MiB, flat", last, {"a quarter of them": first})


def idle(bench: Bench) -> Iterator[Figure]:
    """Wake-ups of a pod that nobody asks, and the DNS look-ups of one that many ask."""
    effort = bench.effort
    woken: dict[str, list[float]] = {"ours": [], "bare": []}
    lookups = []
    with bench.processes() as processes:
        neighbours = Neighbours(processes, real=1, most=_PEERS)
        neighbours.resize(_PEERS)
        servers = {"ours": neighbours.pod, "bare": processes.bare()}
        for _ in range(min(effort.rounds, 3)):
            before = _lookups(neighbours.pod)
            seconds = sample(neighbours.pod, "/", 16, effort.seconds).load.seconds
            lookups.append((_lookups(neighbours.pod) - before) / seconds)
            time.sleep(effort.idle / 2)  # what the load left behind comes to its end
            before_idle = {name: wake_ups(server.pid) for name, server in servers.items()}
            time.sleep(effort.idle)
            for name, server in servers.items():
                now, then = wake_ups(server.pid), before_idle[name]
                woken[name] += [] if now is None or then is None else [(now - then) / effort.idle]
    if woken["ours"]:
        bases = {"bare": woken["bare"]}
        yield Figure("wake-ups of an idle pod", "a second", "≤ 1 by a task", woken["ours"], bases)
    yield Figure("DNS look-ups under load", "a second", "≤ 1, none awaited while an answer is fresh", lookups)


def _started(start: Callable[[], Server]) -> float:
    """Seconds until it has answered."""
    began = time.perf_counter()
    ask(f"{start().url}/readyz")
    return time.perf_counter() - began


def _imports(modules: str) -> float:
    """What `python -X importtime` says of them, in ms; that it is told makes it somewhat longer."""
    with pinned(SERVER_CORE):
        done = subprocess.run(  # noqa: S603 - this interpreter
            [sys.executable, "-X", "importtime", "-c", f"import {modules}"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    return sum(map(int, re.findall(r"^import time: +(\d+) \|", done.stderr, re.MULTILINE))) / 1000


def _resident(server: Server) -> list[float]:
    found = resident_mib(server.pid)
    return [] if found is None else [found]


def _lookups(pod: Server) -> float:
    counts = re.findall(
        r"^kubia_pet_discovery_seconds_count\{.*\} (\S+)$", ask(f"{pod.url}/metrics"), re.MULTILINE
    )
    return sum(map(float, counts))
