"""What goes wrong between pods: `check` shows who reaches whom."""

import asyncio
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.durability.machine import needs
from tests.support.dns_server import NameServer, Zone
from tests.support.two_faced import two_faced
from tests.support.verdict import PetSet, check

pytestmark = pytest.mark.timeout(120)
GROUP = 61327  # whose connections are dropped


def ask(method: str, url: str, data: bytes | None = None) -> None:
    urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=10).close()  # noqa: S310 - our own


@contextmanager
def dropped(port: int) -> Iterator[None]:
    """What this group sends to the port never arrives: one direction of a network."""
    rule = ["OUTPUT", "-o", "lo", "-m", "owner", "--gid-owner", str(GROUP), "-p", "tcp", "--dport", str(port)]
    rule += ["-j", "DROP"]
    subprocess.run(["iptables", "-w", "-I", *rule], check=True)
    try:
        yield
    finally:
        subprocess.run(["iptables", "-w", "-D", *rule], check=True)


def test_a_network_that_drops_one_direction(tmp_path: Path) -> None:
    needs("iptables", "setpriv", root=True)
    with PetSet(tmp_path, replicas=3) as pets:
        pets.replace(0, prefix=("setpriv", f"--regid={GROUP}", "--clear-groups"))
        with dropped(pets.port(pets.pods[1])):
            verdict = check(*pets.inside)
    assert (verdict.cause, verdict.exit) == ("one-way", 1), verdict.members
    evidence = verdict.evidence("cluster.view")
    assert "kubia-0 does not reach kubia-1 (timeout), while kubia-1 reaches kubia-0" in evidence
    assert "kubia-0      -            timeout      ok" in evidence


def test_pods_that_do_not_reach_each_other(tmp_path: Path) -> None:
    with PetSet(tmp_path, "--faults", replicas=2) as pets:
        for pod in pets.pods:
            ask("PUT", f"{pod.url}/faults/unreachable?for=60s")
        verdict = check(*pets.inside)
    assert (verdict.cause, verdict.exit) == ("unreachable-peer", 1), verdict.members


def test_a_pod_that_hangs_is_not_reached_by_anybody(tmp_path: Path) -> None:
    with PetSet(tmp_path, "--faults", replicas=3) as pets:
        ask("PUT", f"{pets.pods[2].url}/faults/unreachable?for=60s")
        verdict = check(*pets.inside)
    assert verdict.cause == "unreachable-peer", verdict.members
    assert "kubia-0 does not reach kubia-2" in verdict.evidence("cluster.view")


def test_values_that_are_too_many_for_one_answer_are_a_warning(tmp_path: Path) -> None:
    with PetSet(tmp_path, "--max-gathered=60") as pets:  # the check's own values are too large together
        for pod in pets.pods:
            ask("PUT", f"{pod.url}/data", b"x" * 50)
        verdict = check(pets.pods[0].url)
    assert (verdict.exit, verdict.warnings) == (0, {"cluster.view": "peer-error"}), verdict.members


async def test_a_pod_that_answers_peers_with_an_error(tmp_path: Path) -> None:
    async def teapot(_: aiohttp.ClientSession) -> web.Response:
        return web.Response(status=418)

    with PetSet(tmp_path) as pets:
        async with two_faced(pets.pods[2].url, teapot) as address:
            pets.zone.add("kubia-2", pets.port(pets.pods[2]), address)
            verdict = await asyncio.to_thread(check, *pets.inside)
    assert (verdict.cause, verdict.exit) == ("peer-error", 1), verdict.members
    assert "kubia-0 got no value of kubia-2: status" in verdict.evidence("cluster.view")


def test_pods_whose_lists_differ(tmp_path: Path) -> None:
    """As where one asks a name server that knows less."""
    with NameServer(Zone(ttl=0)) as other, PetSet(tmp_path) as pets:
        known = {name: at for name, at in pets.zone.pods.items() if "kubia-2" not in name}
        other.script = Zone(known, ttl=0)
        pets.pods[0].options = (*pets.pods[0].options, "--nameserver={}:{}".format(*other.address))
        pets.replace(0)
        known |= {name: at for name, at in pets.zone.pods.items() if "kubia-0" in name}
        verdict = check(*pets.inside)
    assert (verdict.cause, verdict.exit) == ("views-differ", 1), verdict.members
    assert "kubia-0 does not list kubia-2" in verdict.evidence("cluster.view")
