"""What the program counts, for Prometheus; one registry for each application."""

import time
from collections.abc import Callable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from kubia_pet.model.ledger import Kind

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The observer of store, discovery, cluster and HTTP edge."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        # Those with labels are kept by them: diagnostic one takes longer than counting with it.
        labels = ("route", "method", "status")
        self._requests = cache(
            Histogram(
                "kubia_pet_request_seconds", "Time to answer, by route template.", labels,
                buckets=_FAST, registry=self._registry,
            ).labels
        )  # fmt: skip
        self._commits = cache(
            Histogram(
                "kubia_pet_commit_seconds", "Time of a durable write or removal.", ("outcome",),
                buckets=_FAST, registry=self._registry,
            ).labels
        )  # fmt: skip
        self._shared = Counter(
            "kubia_pet_commits_shared", "Writes that shared another one's commit.", registry=self._registry
        )
        self._peers = cache(
            Counter(
                "kubia_pet_peers_asked", "Peers asked for their value, by outcome.", ("outcome",),
                registry=self._registry,
            ).labels
        )  # fmt: skip
        self._lookups = cache(
            Histogram(
                "kubia_pet_discovery_seconds", "Time of a DNS look-up.", ("outcome",),
                buckets=_FAST, registry=self._registry,
            ).labels
        )  # fmt: skip
        self._size = 0
        Gauge(
            "kubia_pet_value_bytes", "Size of the value when last seen.", registry=self._registry
        ).set_function(lambda: self._size)
        self._verdicts = cache(
            Gauge(
                "kubia_pet_verdict", "1 for the verdict on the volume, 0 for the others.", ("verdict",),
                registry=self._registry,
            ).labels
        )  # fmt: skip
        for verdict in Kind:
            self._verdicts(verdict)
        self._discovered_at = float("nan")
        Gauge(
            "kubia_pet_discovery_age_seconds", "Since the last good DNS answer.", registry=self._registry
        ).set_function(lambda: time.monotonic() - self._discovered_at)

    def answers(self, route: str, method: str, status: int) -> Callable[[float], None]:
        """What counts such a request, told how many seconds its answer took; `route` is its template."""
        observe: Callable[[float], None] = self._requests(route, method, status).observe
        return observe

    def committed(self, writers: int, seconds: float, *, ok: bool) -> None:
        """Counts a commit that `writers` requests shared."""
        self._commits("ok" if ok else "failed").observe(seconds)
        self._shared.inc(writers - 1)

    def holds(self, size: int) -> None:
        """Notes the value's size, in bytes."""
        self._size = size

    def looked_up(self, seconds: float, *, ok: bool) -> None:
        """Counts a DNS look-up."""
        self._lookups("ok" if ok else "failed").observe(seconds)
        if ok:
            self._discovered_at = time.monotonic()

    def asked(self, outcome: str) -> None:
        """Counts a peer's answer; `outcome` is ok or the error's code."""
        self._peers(outcome).inc()

    def judged(self, verdict: str) -> None:
        """Notes the verdict on the volume."""
        for each in Kind:
            self._verdicts(each).set(each == verdict)

    def render(self) -> bytes:
        """All of it in the text format."""
        return generate_latest(self._registry)
