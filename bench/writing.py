"""What a writer waits for: durability."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median

from bench.baseline import commits
from bench.effort import Bench
from bench.figures import Figure
from bench.load import Request, Server, load
from bench.machine import SERVER_CORE, pinned
from bench.servers import of

_SIZES = {64: ("64 B", "≤ 1.15 the commit"), 2**20: ("1 MiB", "≤ 1.3 the commit")}


def post(bench: Bench) -> Iterator[Figure]:
    """One POST at a time, against the bare commit in the same directory and bare servers that make it."""
    seconds = bench.effort.seconds
    with bench.servers() as servers:
        pod, holding = servers.pod(), servers.bare("--commit", str(servers.volume()))
        threaded = servers.bare("--commit", str(servers.volume()), "--thread")

        def posted(to: Server, size: int) -> float:
            return load(Request(to, "/", "POST", size=size), 1, seconds).p50

        def committed(size: int) -> float:
            return median(_commits(pod.data_dir, size, seconds))

        for size, (shown, goal) in _SIZES.items():
            times = bench.in_turns(
                {
                    "ours": partial(posted, of(pod), size),
                    "bare server": partial(posted, holding, size),
                    "the same by a thread": partial(posted, threaded, size),
                    "commit": partial(committed, size),
                }
            )
            yield Figure(f"one POST of {shown}", "p50 ms", goal, times.pop("ours"), times)


def writers(bench: Bench) -> Iterator[Figure]:
    """Acknowledged writes of many, against the bare commits that one can make."""
    seconds = bench.effort.seconds
    with bench.servers() as servers:
        pod = servers.pod()
        write = Request(of(pod), "/", "POST", size=64)
        rates = bench.in_turns(
            {
                "ours": lambda: load(write, 64, seconds).rate,
                "1 writer": lambda: load(write, 1, seconds).rate,
                "commit": lambda: len(_commits(pod.data_dir, 64, seconds)) / seconds,
            }
        )
    yield Figure("64 writers, 64 B", "writes/s", "≥ 5 bare commits", rates.pop("ours"), rates)


def _commits(volume: Path, size: int, seconds: float) -> list[float]:
    with pinned(SERVER_CORE):
        return commits(volume, size, seconds)
