"""What a writer waits for: durability."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.commit import commits
from bench.effort import Bench
from bench.figures import Figure
from bench.load import Request, load
from bench.machine import SERVER_CORE, pinned
from bench.servers import of

_SIZES = {64: ("64 B", "≤ 1.15 the commit"), 2**20: ("1 MiB", "≤ 1.3 the commit")}


def post(bench: Bench) -> Iterator[Figure]:
    """One POST at a time, against the bare commit in the same directory and a bare server that makes it."""
    effort = bench.effort
    with bench.servers() as servers:
        pod, server = servers.pod(), servers.bare("--commit", str(servers.volume()))
        for size, (shown, goal) in _SIZES.items():
            ours, served, bare = [], [], []
            for turn in effort.turns:
                times = [
                    load(Request(each, "/", "POST", size=size), 1, effort.seconds).p50
                    for each in (of(pod), server)
                ]
                taken = median(_commits(pod.data_dir, size, effort.seconds))
                if turn >= 0:
                    ours.append(times[0])
                    served.append(times[1])
                    bare.append(taken)
            yield Figure(
                f"one POST of {shown}", "p50 ms", goal, ours, {"commit": bare, "bare server": served}
            )


def writers(bench: Bench) -> Iterator[Figure]:
    """Acknowledged writes of many, against the bare commits that one can make."""
    seconds = bench.effort.seconds
    with bench.servers() as servers:
        pod = servers.pod()
        write = Request(of(pod), "/", "POST", size=64)
        shared, single, bare = [], [], []
        for _ in range(bench.effort.rounds):
            shared.append(load(write, 64, seconds).rate)
            single.append(load(write, 1, seconds).rate)
            bare.append(len(_commits(pod.data_dir, 64, seconds)) / seconds)
    bases = {"commit": bare, "1 writer": single}
    yield Figure("64 writers, 64 B", "writes/s", "≥ 5 bare commits", shared, bases)


def _commits(volume: Path, size: int, seconds: float) -> list[float]:
    with pinned(SERVER_CORE):
        return commits(volume, size, seconds)
