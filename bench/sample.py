"""One look at one server under load, and the rounds in which servers take turns."""

from collections.abc import Mapping, Sequence
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
    return _figure(name, "requests/s", goal, {k: [x.load.rate for x in v] for k, v in samples.items()}, peers)


def p50(name: str, goal: str, samples: Samples, *, peers: int | None = None) -> Figure:
    """The median latency."""
    return _figure(name, "p50 ms", goal, {k: [x.load.p50 for x in v] for k, v in samples.items()}, peers)


def p99(name: str, goal: str, samples: Samples) -> Figure:
    """The latency that one in a hundred exceeds."""
    return _figure(name, "p99 ms", goal, {k: [x.load.p99 for x in v] for k, v in samples.items()})


def cpu(name: str, goal: str, samples: Samples) -> list[Figure]:
    """CPU time a request; nothing where ours is not known."""
    known = {k: [x.cpu for x in v if x.cpu is not None] for k, v in samples.items()}
    complete = {k: v for k, v in known.items() if len(v) == len(samples[k])}
    return [_figure(name, "CPU µs", goal, complete)] if "ours" in complete else []


def _figure(
    name: str, unit: str, goal: str, series: Mapping[str, Sequence[float]], peers: int | None = None
) -> Figure:
    bases = {base: values for base, values in series.items() if base != "ours"}
    return Figure(name, unit, goal, series["ours"], bases, peers)
