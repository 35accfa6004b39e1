"""How `GET /` grows with the number of peers."""

import time
from collections.abc import Iterator

from bench.effort import Bench
from bench.figures import Figure
from bench.neighbours import Neighbours
from bench.processes import Pod, ask, said
from bench.sample import Sample, Samples, p50, rate, sample


def curve(bench: Bench) -> Iterator[Figure]:
    """Real peers as far as they go, then simulated ones: the pod that asks them does the work."""
    effort = bench.effort
    seen: dict[tuple[int, int], Samples] = {}
    with bench.processes() as processes:
        neighbours = Neighbours(processes, real=effort.pods, most=max(effort.curve))
        servers = {"ours": neighbours.pod, "bare": processes.bare()}
        for a_round in range(effort.rounds + 1):
            for peers in effort.curve:
                neighbours.resize(peers)
                for connections in (1, 16):
                    samples = seen.setdefault((peers, connections), {name: [] for name in servers})
                    for name, server in servers.items():
                        found = sample(
                            server, "/", connections, effort.seconds if a_round else effort.warm_up
                        )
                        samples[name] += [found] if a_round else []
    for (peers, connections), samples in seen.items():
        name = f"GET / with {peers} peers, {connections} connections"
        compared = samples | {"1 peer": seen[effort.curve[0], connections]["ours"]}
        if connections == 1:
            yield p50(name, f"≤ {peers} times 1 peer's", compared, peers=peers)
        else:
            yield rate(name, f"≥ 1/{peers} of 1 peer's", compared, peers=peers)


def crowd(bench: Bench) -> Iterator[Figure]:
    """Every one of very many peers in the answer, and the event loop free for others."""
    peers, effort = bench.effort.crowd, bench.effort
    with bench.processes() as processes:
        neighbours = Neighbours(processes, real=1, most=peers, command="bench.watched")
        pod = neighbours.pod
        neighbours.resize(peers)
        _held(pod)
        lines = ask(pod.url).count("\n- ")
        first = _held(pod)[0] * 1000
        holds: dict[str, list[tuple[float, float]]] = {"idle": [], "loaded": []}
        samples: list[Sample] = []
        for _ in range(effort.rounds):
            time.sleep(effort.seconds)
            holds["idle"].append(_held(pod))
            samples.append(sample(pod, "/", 16, effort.seconds))
            holds["loaded"].append(_held(pod))
    yield Figure(f"GET / with {peers} peers", "values in the answer", f"{peers}", [lines])
    yield Figure(f"event loop held by the first GET / with {peers} peers", "ms", "never > 20 ms", [first])
    yield p50(f"GET / with {peers} peers, 16 connections", "", {"ours": samples})
    for index, what in enumerate(("ms", "ms of CPU time")):
        series = {name: [hold[index] * 1000 for hold in found] for name, found in holds.items()}
        name = f"event loop held with {peers} peers, longest"
        yield Figure(name, what, "never > 20 ms", series["loaded"], {"idle": series["idle"]})


def _held(pod: Pod) -> tuple[float, float]:
    """The longest hold since the last call: seconds, and seconds of CPU time."""
    assert pod.process is not None  # noqa: S101 - it is one that we started
    seconds, cpu_seconds = map(float, said(pod.process, "").split())
    return seconds, cpu_seconds
