"""What the program counts, for Prometheus; one registry for each application."""

import time
from collections.abc import Callable, Iterator
from functools import cache, partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from kubia_pet import __version__, logs
from kubia_pet.model.diagnostic import PEER_ERRORS
from kubia_pet.model.fault import Fault, Faults
from kubia_pet.model.ledger import Kind
from kubia_pet.store import FaultKind

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The observer of store, discovery, cluster and HTTP."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, faults: Faults | None = None) -> None:
        self._registry = CollectorRegistry()
        self._on_purpose = faults
        if faults is not None:
            gauge = Gauge(
                "kubia_pet_fault",
                "1 for each fault that is set on purpose.",
                ("fault",),
                registry=self._registry,
            )
            for fault in Fault:
                gauge.labels(fault).set_function(partial(faults.has, fault))
        # Those with labels are kept by them: to find one takes longer than to count with it.
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
        for outcome in ("ok", "failed"):  # from the start: an increase from nothing is none
            self._commits(outcome)
            self._lookups(outcome)
        for outcome in ("ok", *PEER_ERRORS):
            self._peers(outcome)
        self._ready = Gauge(
            "kubia_pet_ready",
            "1 while the pod is ready; each scrape asks the volume.",
            registry=self._registry,
        )
        self._faults = Gauge(
            "kubia_pet_volume_fault", "1 for the fault that the volume has, by its kind.", ("fault",),
            registry=self._registry,
        )  # fmt: skip
        self._peers_listed = Gauge(
            "kubia_pet_peers_listed",
            "Peers that the DNS named last, this pod included.",
            registry=self._registry,
        )
        self._peers_listed.set(float("nan"))  # nobody has asked: no comparison holds
        self._refused = cache(
            Counter(
                "kubia_pet_refused", "Refused by the parser (not-http), or for want of room.", ("what",),
                registry=self._registry,
            ).labels
        )  # fmt: skip
        for what in ("not-http", "requests", "bodies", "answers", "watchers"):
            self._refused(what)
        self._evicted = Counter(
            "kubia_pet_connections_evicted", "Connections that made room for others.", registry=self._registry
        )
        self._cut = Counter(
            "kubia_pet_answers_cut",
            "Answers whose clients did not take them in time.",
            registry=self._registry,
        )
        self._registry.register(_DroppedLines())
        self._size = 0
        Gauge(
            "kubia_pet_value_bytes", "Size of the value when last seen.", registry=self._registry
        ).set_function(lambda: self._size)
        self._watchers = 0
        Gauge("kubia_pet_watchers", "Clients that watch this pod.", registry=self._registry).set_function(
            lambda: self._watchers
        )
        self._verdicts = cache(
            Gauge(
                "kubia_pet_verdict", "1 for the verdict on the volume, 0 for the others.", ("verdict",),
                registry=self._registry,
            ).labels
        )  # fmt: skip
        self._verdict: str | None = None
        for verdict in Kind:
            self._verdicts(verdict).set_function(partial(self._is_verdict, verdict))
        self._discovered_at = float("nan")
        Gauge(
            "kubia_pet_discovery_age_seconds", "Since the last good DNS answer.", registry=self._registry
        ).set_function(lambda: time.monotonic() - self._discovered_at)
        build = Info("kubia_pet_build", "Which version runs.", registry=self._registry)
        build.info({"version": __version__})

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

    def watched(self, watchers: int) -> None:
        """Notes how many watch."""
        self._watchers = watchers

    def readiness(self, *, ready: bool, fault: FaultKind | None) -> None:
        """Notes whether the pod is ready, and what fault its volume has."""
        self._ready.set(ready)
        for kind in FaultKind:
            self._faults.labels(kind).set(kind is fault)

    def looked_up(self, seconds: float, peers: int, *, ok: bool) -> None:
        """Counts a DNS look-up, after which so many peers are on the list."""
        self._peers_listed.set(peers)
        self._lookups("ok" if ok else "failed").observe(seconds)
        if ok:
            self._discovered_at = time.monotonic()

    def asked(self, outcome: str, number: int) -> None:
        """Counts peers' answers; `outcome` is ok or the errors' code."""
        self._peers(outcome).inc(number)

    def refused(self, what: str) -> None:
        """Counts what was not HTTP ("not-http"), or what had no room: requests, bodies, answers, watchers."""
        self._refused(what).inc()

    def evicted(self) -> None:
        """Counts a connection that made room for another."""
        self._evicted.inc()

    def cut(self) -> None:
        """Counts an answer whose client did not take it in time."""
        self._cut.inc()

    def judged(self, verdict: str) -> None:
        """Notes the verdict on the volume."""
        self._verdict = verdict

    def _is_verdict(self, verdict: str) -> bool:
        return verdict == self._verdict

    def render(self) -> bytes:
        """All of it in the text format."""
        return generate_latest(self._registry)


class _DroppedLines(Collector):
    """What the log counts: it is there before any application is."""

    def collect(self) -> Iterator[CounterMetricFamily]:
        yield CounterMetricFamily(
            "kubia_pet_log_lines_dropped", "Lines of the log that nobody took in time.", value=logs.dropped()
        )
