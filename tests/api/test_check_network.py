"""What goes wrong between pods: `check` shows who reaches whom."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.durability.machine import needs
from tests.support.verdict import PetSet, check

pytestmark = pytest.mark.timeout(120)
GROUP = 61327  # whose connections are dropped


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


def test_a_pod_that_hangs_is_not_reached_by_anybody(tmp_path: Path) -> None:
    with PetSet(tmp_path, "--faults", replicas=3) as pets:
        subprocess.run(
            ["curl", "-sf", "-X", "PUT", f"{pets.pods[2].url}/faults/unreachable?for=60s"], check=True
        )
        verdict = check(*pets.inside)
    assert verdict.statuses["cluster.view"] == "failed", verdict.members
    assert "kubia-0 does not reach kubia-2" in verdict.evidence("cluster.view")
