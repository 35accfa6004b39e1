"""The account for Prometheus, on a port of its own."""

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kubia_pet.probe.counts import Counts, Snapshot
from kubia_pet.reach.way import WrongUseError

PREFIX = "kubia_pet_probe_"
HELP = {
    "acknowledged": "Writes that were acknowledged",
    "lost": "Acknowledged writes that are gone",
    "stale": "Reads that saw less than was acknowledged before they began",
    "torn": "Values that are not byte for byte what was written",
    "misdirected": "Values or acknowledgements of another pod",
    "overwritten": "Values of the probe that somebody else replaced",
    "unknown": "Writes whose answer never came",
    "refused": "Requests that were answered with an error, or not sent",
    "reads": "Reads",
    "longest_without_answer": "Longest time without an answer so far",
}


class AccountCollector(Collector):
    """Shows the snapshot that was published last: the server's thread never sees the account itself."""

    def __init__(self) -> None:
        self._snapshot = Snapshot({}, Counts(), Counts())

    def publish(self, snapshot: Snapshot) -> None:
        """From now on this one is shown."""
        self._snapshot = snapshot

    def collect(self) -> Iterable[Metric]:
        """One family for each count, labelled by pod."""
        snapshot = self._snapshot
        for each in fields(Counts):
            if each.name == "longest_without_answer":
                name = f"{PREFIX}{each.name}_seconds"
                family: CounterMetricFamily | GaugeMetricFamily = GaugeMetricFamily(
                    name, HELP[each.name], labels=["pod"]
                )
            else:
                family = CounterMetricFamily(PREFIX + each.name, HELP[each.name], labels=["pod"])
            for pod, counts in snapshot.pods.items():
                family.add_metric([pod], getattr(counts, each.name))
            yield family


@contextmanager
def metrics_port(port: int | None) -> Iterator[Callable[[Snapshot], None]]:
    """Serves what it is given on this port, if any. Raises WrongUseError where the port is taken."""
    collector = AccountCollector()
    if port is None:
        yield collector.publish
        return
    registry = CollectorRegistry()
    registry.register(collector)
    try:
        server, thread = start_http_server(port, registry=registry)
    except OSError as error:
        reason = os.strerror(error.errno or errno.EIO)
        raise WrongUseError(f"Port {port} cannot be used for metrics: {reason}.") from error
    try:
        yield collector.publish
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
