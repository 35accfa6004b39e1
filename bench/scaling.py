"""How `GET /` grows with the number of peers."""

import time
from collections.abc import Iterator

from bench.effort import Bench
from bench.figures import Figure
from bench.neighbours import Neighbours
from bench.processes import Pod, ask, said
from bench.sample import Sample, Samples, cpu, p50, rate, sample

_ROUNDS = 5  # at most, of the curve: each has many turns


def curve(bench: Bench) -> Iterator[Figure]:
    """Real peers as far as they go, then simulated ones: the pod that asks them does the work."""
    effort = bench.effort
    ours: dict[tuple[int, int], list[Sample]] = {}
    bare: dict[int, list[Sample]] = {}
    with bench.processes() as processes:
        neighbours = Neighbours(processes, real=effort.pods, most=max(effort.curve))
        protocol = processes.bare()
        for a_round in range(min(effort.rounds, _ROUNDS) + 1):
            seconds = effort.seconds if a_round else effort.warm_up
            for peers in effort.curve:
                neighbours.resize(peers)
                for connections in (1, 16):
                    seen = sample(neighbours.pod, "/", connections, seconds)
                    ours.setdefault((peers, connections), []).append(seen)
            for connections in (1, 16):
                bare.setdefault(connections, []).append(sample(protocol, "/", connections, seconds))
    fewer = None
    for (peers, connections), samples in ours.items():
        compared: Samples = {"ours": samples[1:], "bare": bare[connections][1:]}
        times = "1"
        if fewer is not None:
            compared[_shown(fewer)] = ours[fewer, connections][1:]
            times = f"{peers / fewer:.2g}"
        name = f"GET / with {_shown(peers)}, {connections} at a time"
        if connections == 1:
            yield p50(name, f"≤ {times} times" if fewer else "", compared, peers=peers)
            yield from cpu(name, f"≤ {times} times" if fewer else "", compared, peers=peers)
        else:
            yield rate(name, f"≥ 1/{times}" if fewer else "", compared, peers=peers)
            fewer = peers


def crowd(bench: Bench) -> Iterator[Figure]:
    """Every one of very many peers in the answer, and the event loop free for others."""
    peers, effort = bench.effort.crowd, bench.effort
    samples: Samples = {"ours": []}
    loaded: list[tuple[float, float]] = []
    idle: list[tuple[float, float]] = []
    with bench.processes() as processes:
        neighbours = Neighbours(processes, real=1, most=peers, command="bench.watched")
        pod = neighbours.pod
        neighbours.resize(peers)
        _held(pod)
        values = ask(pod.url).count("\n- ")
        first = _held(pod)[0]
        for _ in range(effort.rounds):
            samples["ours"].append(sample(pod, "/", 16, effort.seconds))
            loaded.append(_held(pod))
            ask(pod.url)  # what the load left behind has come to its end
            _held(pod)
            time.sleep(effort.seconds)
            idle.append(_held(pod))
    shown = f"GET / with {peers} peers"
    yield Figure(f"{shown}: their values", "in the answer", f"{peers}", [values])
    yield p50(f"{shown}, 16 at a time", "", samples)
    yield Figure("loop held by the first of them", "ms", "never > 20 ms", [first])
    for index, unit in enumerate(("ms", "ms of CPU time")):
        bases = {"idle": [held[index] for held in idle]}
        yield Figure(
            "loop held, longest of a round", unit, "never > 20 ms", [held[index] for held in loaded], bases
        )


def _held(pod: Pod) -> tuple[float, float]:
    """The longest hold since the last call: ms, and ms of CPU time."""
    longest, most = map(float, said(pod.process, "").split())
    return longest * 1000, most * 1000


def _shown(peers: int) -> str:
    return "1 peer" if peers == 1 else f"{peers} peers"
