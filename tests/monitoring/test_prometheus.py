"""A real Prometheus in front of a local set: all is scraped, and an alert fires when its fault is there."""

import os
import shutil
import signal
import socket
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.monitoring.prometheus import Prometheus
from tests.monitoring.test_metrics import QUERIES, filled
from tests.support.local_set import LocalSet
from tests.support.pod import until

pytestmark = pytest.mark.timeout(180)


class Watched:
    """A local set of three, and the Prometheus that scrapes its pods."""

    def __init__(self, pets: LocalSet, prometheus: Prometheus) -> None:
        self.pets = pets
        self.prometheus = prometheus

    def instance(self, ordinal: int) -> str:
        return f"127.0.0.1:{self.pets.ports[ordinal]}"

    def ask(self, ordinal: int, path: str = "/", value: bytes | None = None) -> None:
        """What clients do all the time: GET, or POST a value; errors are answers, too."""
        with suppress(OSError):
            urllib.request.urlopen(f"{self.pets.url(ordinal)}{path}", value, timeout=10).close()  # noqa: S310 - http

    def set_fault(self, ordinal: int, fault: str) -> None:
        self._request("PUT", f"{self.pets.url(ordinal)}/faults/{fault}?for=3m")

    def end_faults(self, ordinal: int) -> None:
        self._request("DELETE", f"{self.pets.url(ordinal)}/faults")

    def _request(self, method: str, url: str) -> None:
        urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10).close()  # noqa: S310 - http

    def fires(self, alert: str, ordinal: int) -> bool:
        return (alert, self.instance(ordinal)) in self.prometheus.firing()

    def until_quiet(self, alert: str, ordinal: int) -> None:
        until(f"{alert} to end for {self.instance(ordinal)}", lambda: not self.fires(alert, ordinal), 60)

    def until_firing(self, alert: str, ordinal: int, meanwhile: Callable[[], object] = lambda: None) -> None:
        def fires() -> bool:
            meanwhile()
            return self.fires(alert, ordinal)

        until(f"{alert} to fire for {self.instance(ordinal)}", fires, 60)


@contextmanager
def watching(directory: Path) -> Iterator[Watched]:
    with LocalSet(directory, 3, "--faults") as pets:
        targets = [f"127.0.0.1:{port}" for port in pets.ports]
        with Prometheus(directory, targets) as prometheus:
            yield Watched(pets, prometheus)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with watching(tmp_path) as watched:
        yield watched


def test_every_pod_is_scraped_every_query_of_the_dashboard_answers_and_no_alert_fires(
    watched: Watched,
) -> None:
    prometheus = watched.prometheus
    for ordinal in range(3):
        watched.ask(ordinal, value=b"a value")

    watched.ask(0, "/nothing")
    with socket.create_connection(("127.0.0.1", watched.pets.ports[0])) as stranger:
        stranger.sendall(b"no HTTP\r\n\r\n")
        stranger.recv(1000)

    def samples() -> bool:
        for ordinal in range(3):
            watched.ask(ordinal)
        counted = prometheus.query("min(count_over_time(kubia_pet_ready[1m]))")
        return bool(counted) and float(counted[0]["value"][1]) >= 6

    until("each pod to be scraped some times", samples, 60)
    assert prometheus.query("sum(kubia_pet_ready)")[0]["value"][1] == "3"
    assert {each["value"][1] for each in prometheus.query("kubia_pet_peers_listed")} == {"3"}
    empty = [query for query in QUERIES if not prometheus.query(filled(query))]
    assert [query for query in empty if "kubia_pet_fault{" not in query] == []  # nobody has set one
    assert prometheus.firing() == set()


FAULTS = {
    "disk-full": "KubiaPetVolumeFull",
    "disk-slow": "KubiaPetVolumeHung",
    "disk-error": "KubiaPetVolumeUnavailable",
    "not-ready": "KubiaPetNotReady",
}


def test_each_fault_that_is_set_on_purpose_fires_its_alert_and_ends_with_it(watched: Watched) -> None:
    for fault, alert in FAULTS.items():
        watched.set_fault(1, fault)
        # Clients go on: what is wrong with a disk shows when it is used.
        watched.until_firing(alert, 1, lambda: watched.ask(1, value=b"a value"))
        assert watched.prometheus.query(f'kubia_pet_fault{{fault="{fault}"}} == 1'), fault
        if fault == "disk-full":
            watched.until_firing("KubiaPetCommitsFailing", 1, lambda: watched.ask(1, value=b"a value"))
        watched.end_faults(1)
        watched.until_quiet(alert, 1)


def test_a_peer_that_gives_no_answer_on_purpose_fires_for_who_asks_it(watched: Watched) -> None:
    watched.set_fault(2, "unreachable")
    watched.until_firing("KubiaPetPeersFailing", 0, lambda: watched.ask(0))


def test_a_volume_that_is_gone_fires_and_is_quiet_when_it_is_back(watched: Watched) -> None:
    volume = watched.pets.data_dir / "data-kubia-1"
    volume.rename(volume.with_name("elsewhere"))
    try:
        watched.until_firing("KubiaPetVolumeUnavailable", 1)
        watched.until_firing("KubiaPetNotReady", 1)
        assert {instance for _, instance in watched.prometheus.firing()} == {watched.instance(1)}
    finally:
        volume.with_name("elsewhere").rename(volume)
    until("all alerts to end", lambda: not watched.prometheus.firing(), 60)


def test_volumes_that_were_swapped_and_one_that_was_put_back_fire(tmp_path: Path) -> None:
    with LocalSet(tmp_path, 3) as pets:
        volumes = [pets.data_dir / f"data-kubia-{ordinal}" for ordinal in range(3)]
    shutil.copytree(volumes[2], tmp_path / "snapshot")
    with watching(tmp_path) as watched:
        for ordinal in range(3):
            watched.ask(ordinal, value=b"a value")
            watched.ask(ordinal)  # and each sees what the others have
    shutil.rmtree(volumes[2])
    (tmp_path / "snapshot").rename(volumes[2])
    volumes[0].rename(tmp_path / "swapped")
    volumes[1].rename(volumes[0])
    (tmp_path / "swapped").rename(volumes[1])
    with watching(tmp_path) as watched:
        watched.until_firing("KubiaPetVolumeForeign", 0, lambda: watched.ask(0))
        watched.until_firing("KubiaPetVolumeForeign", 1, lambda: watched.ask(1))
        watched.until_firing("KubiaPetVolumeRolledBack", 2, lambda: watched.ask(2))


def test_a_name_server_that_does_not_answer_and_a_peer_that_hangs_fire_for_who_asks_them(
    watched: Watched,
) -> None:
    supervisor, hung = watched.pets.process.pid, watched.pets.pids()["kubia-2"]
    watched.ask(0)
    for each in (supervisor, hung):  # the supervisor is the name server, and would take the pod off the list
        os.kill(each, signal.SIGSTOP)
    try:
        watched.until_firing("KubiaPetPeersFailing", 0, lambda: watched.ask(0))
        watched.until_firing("KubiaPetDiscoveryFailing", 0, lambda: watched.ask(0))
        watched.until_firing("KubiaPetDown", 2)
    finally:
        for each in (hung, supervisor):
            os.kill(each, signal.SIGCONT)
