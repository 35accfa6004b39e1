"""One look at one server under load, and the rounds in which servers take turns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.effort import Effort
from bench.figures import Figure
from bench.load import Load, load
from bench.machine import cpu_seconds, pinned
from bench.processes import OTHER_CORES, Server


@dataclass(frozen=True)
class Sample:
    """What a load saw, and the CPU time of the server in µs a request, where its process is known."""

    load: Load
    cpu: float | None


def sample(server: Server, path: str, connections: int, seconds: float, *, size: int | None = None) -> Sample:
    """Loads it: GET, or POST values of `size` bytes."""
    before = cpu_seconds(server.pid)
    with pinned(OTHER_CORES):
        seen = load(server.url.rstrip("/") + path, connections, seconds, size=size)
    after = cpu_seconds(server.pid)
    used = None if before is None or after is None else (after - before) / seen.requests * 1e6
    return Sample(seen, used)


Samples = dict[str, list[Sample]]


def in_turns(servers: Mapping[str, Server], path: str, connections: int, effort: Effort) -> Samples:
    """Samples of each server, A B A B, after a warm-up."""
    samples: Samples = {name: [] for name in servers}
    for server in servers.values():
        sample(server, path, connections, effort.warm_up)
    for _ in range(effort.rounds):
        for name, server in servers.items():
            samples[name].append(sample(server, path, connections, effort.seconds))
    return samples


def rate(name: str, goal: str, samples: Samples, *, peers: int | None = None) -> Figure:
    """Requests a second."""
    return _figure(name, "requests/s", goal, samples, lambda seen: seen.load.rate, peers=peers)


def p50(name: str, goal: str, samples: Samples, *, peers: int | None = None) -> Figure:
    """The median latency."""
    return _figure(name, "p50 ms", goal, samples, lambda seen: seen.load.p50, peers=peers)


def p99(name: str, goal: str, samples: Samples) -> Figure:
    """The latency that one in a hundred exceeds."""
    return _figure(name, "p99 ms", goal, samples, lambda seen: seen.load.p99)


def cpu(name: str, goal: str, samples: Samples, *, peers: int | None = None) -> list[Figure]:
    """CPU time a request, of those whose process is known; nothing where ours is not."""
    known = {name: seen for name, seen in samples.items() if all(each.cpu is not None for each in seen)}
    if "ours" not in known:
        return []
    return [_figure(name, "CPU µs", goal, known, lambda seen: seen.cpu or 0.0, peers=peers)]


def _figure(
    name: str,
    unit: str,
    goal: str,
    samples: Samples,
    value: Callable[[Sample], float],
    *,
    peers: int | None = None,
) -> Figure:
    series = {who: [value(each) for each in seen] for who, seen in samples.items()}
    ours = series.pop("ours")
    return Figure(name, unit, goal, ours, series, peers)
