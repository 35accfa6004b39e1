"""What a writer waits for: durability."""

from collections.abc import Iterator
from statistics import median

from bench.commit import commits
from bench.effort import Bench
from bench.figures import Figure
from bench.machine import pinned
from bench.processes import SERVER_CORE, Pod
from bench.sample import sample

_SIZES = {64: "64 B", 2**20: "1 MiB"}


def post(bench: Bench) -> Iterator[Figure]:
    """One POST at a time, against the bare commit in the same directory and a bare server that makes it."""
    with bench.processes() as processes:
        pod, server = processes.pod(), processes.bare(commits=True)
        for size, shown in _SIZES.items():
            ours, served, bare = [], [], []
            for each in (pod, server):
                sample(each, "/", 1, bench.effort.warm_up, size=size)
            for _ in range(bench.effort.rounds):
                ours.append(sample(pod, "/", 1, bench.effort.seconds, size=size).load.p50)
                served.append(sample(server, "/", 1, bench.effort.seconds, size=size).load.p50)
                bare.append(median(_commits(pod, size, bench)))
            bases = {"commit": bare, "bare server": served}
            yield Figure(f"one POST of {shown}", "p50 ms", "≤ 1.3 times the bare commit", ours, bases)


def writers(bench: Bench) -> Iterator[Figure]:
    """Acknowledged writes of many, against the bare commits that one can make."""
    shared, single, bare = [], [], []
    with bench.processes() as processes:
        pod = processes.pod()
        sample(pod, "/", 64, bench.effort.warm_up, size=64)
        for _ in range(bench.effort.rounds):
            shared.append(sample(pod, "/", 64, bench.effort.seconds, size=64).load.rate)
            single.append(sample(pod, "/", 1, bench.effort.seconds, size=64).load.rate)
            bare.append(len(_commits(pod, 64, bench)) / bench.effort.seconds)
    bases = {"commit": bare, "1 writer": single}
    yield Figure("64 writers, 64 B", "writes/s", "≥ 5 times the bare commits", shared, bases)


def _commits(pod: Pod, size: int, bench: Bench) -> list[float]:
    with pinned(SERVER_CORE):
        return commits(pod.volume, size, bench.effort.seconds)
