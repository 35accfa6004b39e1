"""Several containers as peers over a real network, found by SRV records."""

import time
from functools import partial
from pathlib import Path

import pytest
from docker.models.images import Image

from tests.container.engine import HARDENED, Engine, Pet, log_of
from tests.support.dns_server import NAME
from tests.support.pod import until

pytestmark = pytest.mark.timeout(300)
PODS = [f"kubia-{ordinal}" for ordinal in range(4)]


@pytest.fixture
def pets(engine: Engine, image: Image) -> list[Pet]:
    """kubia-0 to kubia-3; Docker writes their full names to /etc/hosts, as Kubernetes does."""
    network = engine.network().name
    script = (Path(__file__).parent / "name_server.py").read_text()
    environment = {"PODS": " ".join(PODS), "SERVICE": f"{NAME}."}
    server = engine.start(
        image, script, entrypoint=["python", "-c"], network=network, environment=environment, **HARDENED
    )
    until("the name server to listen", lambda: "ready" in log_of(server), 20)
    server.reload()
    address = server.attrs["NetworkSettings"]["Networks"][network]["IPAddress"]

    def start(pod: str) -> Pet:
        return engine.pet(
            image,
            hostname=pod,
            domainname=NAME,
            network=network,
            networking_config={network: engine.client.api.create_endpoint_config(aliases=[pod])},
            environment={"KUBIAPET_NAMESERVER": f"{address}:5353"},
            **HARDENED,
        )

    return [start(pod) for pod in PODS]


def cluster(pet: Pet) -> list[str]:
    """The lines on the cluster, each without the service's name."""
    _, found, lines = pet.get().partition("Data stored in the cluster:\n")
    assert found
    return lines.replace(f".{NAME}", "").splitlines()


def _shows(pet: Pet, lines: list[str]) -> bool:
    return cluster(pet) == lines


def test_containers_find_each_other_and_one_that_hangs_costs_only_its_line(pets: list[Pet]) -> None:
    for number, pet in enumerate(pets):
        pet.post(f"value {number}")
    everybody = [f"- kubia-{number}: value {number}" for number in range(4)]
    for pet in pets:
        until("all to be found", partial(_shows, pet, everybody))

    pets[1].container.pause()
    began = time.monotonic()
    assert cluster(pets[0]) == [everybody[0], "! kubia-1: no answer within 1 s", *everybody[2:]]
    assert time.monotonic() - began < 3  # what one answer may take altogether
    pets[1].container.unpause()
    until("it to be back", partial(_shows, pets[0], everybody))

    pets[3].container.remove(force=True, v=True)
    until("the one that is gone to leave the list", partial(_shows, pets[0], everybody[:3]))
