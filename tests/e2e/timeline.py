"""What every pod of a set says of every other, all the time, beside what the API server knows."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from tests.e2e.kubectl import Namespace, is_ready

INTERVAL = 0.05  # seconds between two looks at a pod


@dataclass(frozen=True)
class Look:
    """One pod's list at one moment: each peer's value, or the code of its error in parentheses."""

    at: float
    pod: str
    peers: dict[str, str]


class Timeline:
    """Looks at all ready pods of a set, each from a thread of its own, from its entry to its exit.

    `looks` has all so far; `ready` since when each pod has been ready, without those that are not.
    """

    def __init__(self, namespace: Namespace, statefulset: str) -> None:
        self.looks: list[Look] = []
        self.ready: dict[str, float] = {}
        self._instances: dict[str, str] = {}
        self._namespace = namespace
        self._pods = f"/api/v1/namespaces/{namespace.name}/pods?labelSelector=app%3D{statefulset}"
        self._ended = threading.Event()
        self._threads: dict[str, threading.Thread] = {}

    def __enter__(self) -> Self:
        self._start("", self._watch)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for each in list(self._threads.values()):
            each.join()

    def last(self, wrong: Callable[[Look], bool], *, since: float) -> float:
        """Seconds from `since` to the last look that was wrong; 0 where none was."""
        return max((look.at - since for look in self.looks if look.at >= since and wrong(look)), default=0.0)

    def _start(self, name: str, watch: Callable[[], None]) -> None:
        self._threads[name] = threading.Thread(target=watch)
        self._threads[name].start()

    def _watch(self) -> None:
        while not self._ended.wait(INTERVAL):
            now = time.monotonic()
            answer = self._namespace.proxy.request("GET", self._pods)
            if answer.status == 200:
                pods = {each["metadata"]["name"]: each for each in json.loads(answer.body)["items"]}
                self._note(now, {name: pod for name, pod in pods.items() if is_ready(pod)})

    def _note(self, now: float, ready: dict[str, dict[str, Any]]) -> None:
        for gone in self.ready.keys() - ready.keys():
            del self.ready[gone], self._instances[gone]
        for name, pod in ready.items():
            instance = f"{pod['metadata']['uid']} {pod['status']['containerStatuses'][0]['containerID']}"
            if self._instances.get(name) != instance:
                self.ready[name], self._instances[name] = now, instance
            if name not in self._threads:
                self._start(name, lambda name=name: self._look_at(name))  # type: ignore[misc] # a default

    def _look_at(self, name: str) -> None:
        while not self._ended.wait(INTERVAL):
            if name in self.ready:
                began = time.monotonic()
                answer = self._namespace.get(name, accept="application/json")
                if answer.status == 200:
                    self.looks.append(Look(began, name, _peers(json.loads(answer.body))))


def _peers(overview: dict[str, Any]) -> dict[str, str]:
    return {
        peer["name"].partition(".")[0]: f"({peer['error']['code']})"
        if "error" in peer
        else str(peer["value"])
        for peer in overview["peers"]
    }
