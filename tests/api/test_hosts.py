"""Whom a pod answers for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kubia_pet.config import Settings
from kubia_pet.model.ledger_state import Identity
from kubia_pet.web.app import build
from tests.hostile.clients.raw_http import body_of, exchange, request, statuses
from tests.support.dns_server import NAME
from tests.support.pod import Pod
from tests.support.serving import serving

PATHS = ("/", "/data", "/peers", "/healthz", "/nowhere")


def served(directory: Path, service: str, *options: str) -> Pod:
    nowhere = "--nameserver=127.0.0.1:1"
    return Pod(directory / "data", f"--service={service}", nowhere, "--dns-timeout=100ms", *options)


@pytest.fixture(scope="module")
def member(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with served(tmp_path_factory.mktemp("member"), f"{NAME}.") as started:
        yield started


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with served(tmp_path_factory.mktemp("short"), "kubia") as started:
        yield started


async def status(pod: Pod, host: str, path: str = "/healthz", method: str = "GET") -> int:
    (found,) = statuses(await exchange(pod.url, request(method, path, host=host)))
    return found


@pytest.mark.parametrize(
    "host",
    [
        f"kubia-1.{NAME}",
        f"kubia-1.{NAME}:8080",
        f"KUBIA-1.{NAME}.",
        f"kubia-10.{NAME}",
        f"kubia-00.{NAME}",
        "kubia-1.kubia.default.svc",
        "kubia-1.kubia.default",
        "kubia-1.kubia",
    ],
)
async def test_a_pod_that_is_asked_for_by_another_ones_name_says_so(
    member: Pod, short: Pod, host: str
) -> None:
    for pod in (member, short):
        for path in PATHS:
            answer = await exchange(pod.url, request("GET", path, host=host))
            assert statuses(answer) == [421], path
            name = host.lower().partition(".")[0]
            assert body_of(answer) == f"This is kubia-0, not {name}, which was asked for.\n".encode()
        for method in ("POST", "PUT", "DELETE"):
            assert await status(pod, host, "/", method) == 421


@pytest.mark.parametrize(
    "host",
    [
        f"kubia-0.{NAME}",
        f"kubia-0.{NAME}:8080",
        f"KUBIA-0.{NAME}.",
        "kubia-0.kubia",
        NAME,
        "kubia",
        "kubia-public",
        "kubia-1",  # no name that leads to another pod
        "kubia-1.kubia.example.com",  # an ingress's
        "kubia-1.other.default.svc.cluster.local",
        "other-1.kubia",  # one of a set in another namespace, or an ingress's
        "10.0.0.1:8080",
        "[fd00::1]:8080",
        "evil.example",
        "",
    ],
)
async def test_every_other_host_is_answered_for(member: Pod, short: Pod, host: str) -> None:
    assert await status(member, host) == 200
    assert await status(short, host) == 200


async def test_a_target_that_names_a_host_says_it_whatever_host_is(member: Pod) -> None:
    for target, expected in {
        f"http://kubia-1.{NAME}/healthz": 421,
        f"HTTP://me@KUBIA-1.{NAME}:80/healthz": 421,
        f"http://kubia-0.{NAME}/healthz": 200,
    }.items():
        for host in (f"kubia-0.{NAME}", f"kubia-1.{NAME}"):
            answer = await exchange(member.url, request("GET", target, host=host))
            assert (target, statuses(answer)) == (target, [expected])


@pytest.mark.parametrize("host", [f"other-1.{NAME}", f"green.{NAME}:8080", "OTHER-1.kubia.default.svc."])
async def test_so_it_does_for_another_sets_pod_behind_the_same_service(member: Pod, host: str) -> None:
    assert await status(member, host, "/data") == 421


async def test_where_the_service_is_an_alias_the_own_name_tells_the_others(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, nameserver=("127.0.0.1", 1), dns_timeout=0.1)
    name = f"kubia-0.{NAME}"
    app = build(settings, pod="kubia-0", service="pets.example", port=8080, identity=Identity(name))
    async with serving(app) as (url, _):
        for host, expected in {
            f"kubia-1.{NAME}": 421,
            "kubia-1.pets.example": 421,
            f"kubia-0.{NAME}": 200,
            "kubia-0.pets.example": 200,
            "other.pets.example": 200,
        }.items():
            answer = await exchange(url, request("GET", "/healthz", host=host))
            assert (host, statuses(answer)) == (host, [expected])


async def test_allowed_hosts_are_off_unless_they_are_set_and_then_all_others_are_refused(
    tmp_path: Path,
) -> None:
    with served(tmp_path, f"{NAME}.", "--allowed-host=pet.example", "--allowed-host=*.pets.example") as pod:
        for host, expected in {
            "pet.example": 200,
            "PET.example.:443": 200,
            "a.pets.example": 200,
            "localhost:8001": 200,
            "127.0.0.1": 200,  # where the client came to: what probes and peers say
            f"kubia-0.{NAME}": 200,
            "kubia.default": 200,
            "pets.example": 421,
            "evil-pets.example": 421,
            "pet.example.evil": 421,
            "10.0.0.1": 421,
            "": 421,
        }.items():
            assert (host, await status(pod, host)) == (host, expected)
            assert (host, await status(pod, host, "/", "DELETE")) == (host, expected)
        assert statuses(await exchange(pod.url, b"GET /healthz HTTP/1.0\r\n\r\n")) == [200]


async def test_they_are_a_variable_too(tmp_path: Path) -> None:
    env = {"KUBIAPET_ALLOWED_HOST": "pet.example, *.pets.example"}
    with Pod(tmp_path / "data", env=env) as pod:
        hosts = {"pet.example": 200, "a.pets.example": 200, "evil.example": 421}
        assert {host: await status(pod, host) for host in hosts} == hosts
