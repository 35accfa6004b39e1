"""A StatefulSet on the loopback device, of any size, seen by the pod that is measured."""

import json
import time

from bench.bare import VALUE
from bench.processes import OTHER_CORES, Processes, ask, said

_PATIENCE = 30.0  # seconds until the pod sees all its peers


class Neighbours:
    """Up to `most` pods, all with a value.

    `pod` is kubia-0, alone on its core. The first `real` ones are processes like it, the others simulated.
    """

    def __init__(self, processes: Processes, *, real: int, most: int, command: str = "kubia_pet") -> None:
        nameserver, self._names = processes.names()
        self.pod = processes.pod(nameserver=nameserver, command=command)
        pods = [self.pod]
        pods += [
            processes.pod(f"kubia-{ordinal}", nameserver=nameserver, on=OTHER_CORES)
            for ordinal in range(1, min(real, most))
        ]
        for pod in pods:
            ask(pod.url, VALUE)
        ports = [int(pod.url.rpartition(":")[2]) for pod in pods]
        ports += processes.crowd(most - len(pods)) if most > len(pods) else []
        self._known = {f"kubia-{ordinal}": ("127.0.0.1", port) for ordinal, port in enumerate(ports)}

    def resize(self, number: int) -> None:
        """Makes the set have so many pods; returns when kubia-0 sees them."""
        said(self._names, json.dumps(dict(list(self._known.items())[:number])))
        deadline = time.monotonic() + _PATIENCE
        while len(json.loads(ask(f"{self.pod.url}/peers"))["peers"]) != number:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.pod.url} does not see {number} peers")
            time.sleep(0.05)
