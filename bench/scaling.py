"""How `GET /` grows with the number of peers."""

import re
import signal
from collections.abc import Iterator

from bench.effort import Bench
from bench.figures import Figure, compare
from bench.load import Request, Samples, load
from bench.servers import ask, of
from tests.support.pod import Pod, until


def curve(bench: Bench) -> Iterator[Figure]:
    """Simulated peers: the pod that asks them does the work."""
    with bench.servers() as servers:
        pods = {_shown(peers): of(servers.crowded(peers)) for peers in bench.effort.curve}
        requests = {name: Request(server, "/") for name, server in pods.items()}
        requests["bare"] = Request(servers.bare())
        for connections in (1, 16):
            samples = bench.load(requests, connections)
            fewer = None
            for peers in bench.effort.curve:
                times = f"{peers / fewer:.2g}" if fewer else ""
                name = f"GET / with {_shown(peers)}, {connections} at a time"
                bases = ("bare", *([_shown(fewer)] if fewer else []))
                units = (
                    (("p50 ms", "≤ "), ("CPU µs", "≤ ")) if connections == 1 else (("requests/s", "≥ 1/"),)
                )
                for unit, bound in units:
                    goal = f"{bound}{times} of fewer" if fewer else ""
                    yield from compare(name, unit, goal, samples, _shown(peers), *bases, peers=peers)
                fewer = peers


def crowd(bench: Bench) -> Iterator[Figure]:
    """Every one of very many peers in the answer, and the event loop free for others."""
    peers = bench.effort.crowd
    seconds = max(bench.effort.seconds, peers // 200)  # for some answers to each connection
    samples: Samples = {"ours": []}
    with bench.servers() as servers:
        pod = servers.crowded(peers, "--dns-timeout=10s", "--gather-timeout=10s", module="bench.watched")
        _held(pod)
        values = ask(pod.url).count("\n- ")
        first, under_load = _held(pod), []
        for _ in range(bench.effort.rounds):
            samples["ours"].append(load(Request(of(pod), "/"), 16, seconds))
            under_load.append(_held(pod))
    shown = f"GET / with {peers} peers"
    yield Figure(f"{shown}: their values", "in the answer", f"{peers}", [values])
    yield from compare(f"{shown}, 16 at a time", "p50 ms", "", samples, "ours")
    yield Figure("event loop held by the first of them", "ms", "never > 10 ms", [first])
    yield Figure("event loop held, 16 at a time", "ms", "never > 10 ms", under_load)


def _held(pod: Pod) -> float:
    """The longest hold since the last call, in ms."""

    def told() -> list[str]:
        return re.findall(r"^held (\S+)$", pod.log.read_text(), re.MULTILINE)

    before = len(told())
    pod.process.send_signal(signal.SIGUSR1)
    until(f"{pod.name} to say how long its loop was held", lambda: len(told()) > before)
    return float(told()[-1]) * 1000


def _shown(peers: int) -> str:
    return "1 peer" if peers == 1 else f"{peers} peers"
