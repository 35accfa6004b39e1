"""What a reader waits for: `GET /data` and `GET /`."""

from collections.abc import Iterator

from bench.bare import VALUE
from bench.effort import Bench
from bench.figures import Figure
from bench.neighbours import Neighbours
from bench.processes import ask
from bench.sample import cpu, in_turns, p50, p99, rate


def data(bench: Bench) -> Iterator[Figure]:
    """The value alone, over 16 connections."""
    with bench.processes() as processes:
        servers = bench.opposed(processes.pod(), processes.bare())
        for name in servers.keys() - {"bare"}:
            ask(servers[name].url, VALUE)
        samples = in_turns(servers, "/data", 16, bench.effort)
    name = "GET /data, 16 at a time"
    yield rate(name, "near the bare protocol", samples)
    yield from cpu(name, "≤ 1/1.5 of the original's", samples)


def overview(bench: Bench) -> Iterator[Figure]:
    """All values of a set of real pods."""
    pods = bench.effort.pods
    with bench.processes() as processes:
        neighbours = Neighbours(processes, real=pods, most=pods)
        neighbours.resize(pods)
        servers = bench.opposed(neighbours.pod, processes.bare())
        for connections, rate_goal, p50_goal in (
            (1, "", "≤ 1/3 of the original's"),
            (16, "≥ 10 times the original's", ""),
            (64, "≥ 20 times the original's", ""),
        ):
            samples = in_turns(servers, "/", connections, bench.effort)
            name = f"GET / with {pods} peers, {connections} at a time"
            yield rate(name, rate_goal, samples)
            yield p50(name, p50_goal, samples)
            yield p99(name, "", samples)
            yield from cpu(name, "", samples)
