"""The witness: a roll-out, a drain and a cut node, and nothing that was acknowledged is lost."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e import nodes
from tests.e2e.conftest import missing
from tests.e2e.helper_pod import HelperPod, result
from tests.e2e.kubectl import Namespace, eventually, kubectl
from tests.e2e.test_node_failure import cables

__all__ = ["cables"]  # a fixture
pytestmark = pytest.mark.timeout(600)
Deploy = Callable[..., None]
Figure = Callable[[str], None]
PODS = ["kubia-0", "kubia-1", "kubia-2"]
LOSSES = ("lost", "stale", "torn", "misdirected", "overwritten")


@pytest.fixture
def probe(namespace: Namespace, deploy: Deploy) -> "subprocess.Popen[str]":
    """Inside the cluster, writing to each of three pods; on a node that no test takes."""
    deploy(namespace, replicas=[{"name": "kubia", "count": 3}])
    namespace.settled("kubia")
    for pod in PODS:
        namespace.post(pod, f"value of {pod}")
    eventually("all to list all", lambda: all(namespace.listed(pod) == PODS for pod in PODS))
    helper = HelperPod(namespace)
    running = helper.probe("--service=kubia")
    eventually("the first values", lambda: all("probe" in namespace.value(pod) for pod in PODS))
    return running


def told(seen: dict[str, Any]) -> str:
    """The account in a line for each pod."""
    lines = [
        f"  {pod}: {json.dumps(counts)}" for pod, counts in (*seen["pods"].items(), ("all", seen["total"]))
    ]
    return "\n".join(lines)


def settled(namespace: Namespace, seen: dict[str, Any]) -> None:
    """Nothing acknowledged was lost, and everybody has its value back."""
    assert (seen["verdict"], seen["unverified"], seen["notes"]) == ("kept", [], []), told(seen)
    assert {word: seen["total"][word] for word in LOSSES} == dict.fromkeys(LOSSES, 0), told(seen)
    assert all(seen["pods"][pod]["acknowledged"] > 20 for pod in PODS), told(seen)
    assert {pod: namespace.value(pod) for pod in PODS} == {pod: f"value of {pod}" for pod in PODS}


def test_a_roll_out_loses_nothing(
    namespace: Namespace, probe: "subprocess.Popen[str]", figure: Figure
) -> None:
    namespace.kubectl("rollout", "restart", "statefulset/kubia")
    namespace.settled("kubia")
    seen = result(probe, timeout=120)
    figure(f"probe through a roll-out:\n{told(seen)}")
    settled(namespace, seen)


@pytest.mark.alone
def test_a_drained_node_loses_nothing(
    namespace: Namespace, probe: "subprocess.Popen[str]", figure: Figure
) -> None:
    node = _node_of(namespace, "kubia-1")
    if node == _node_of(namespace, "helper"):
        node = next((other for pod in PODS if (other := _node_of(namespace, pod)) != node), "")
    if not node:
        missing("all pods are on the probe's node: two nodes are needed")
    try:
        kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=150s", timeout=180)
    finally:
        kubectl("uncordon", node)
    namespace.settled("kubia")
    seen = result(probe, timeout=120)
    figure(f"probe through a drain:\n{told(seen)}")
    settled(namespace, seen)


@pytest.mark.alone
def test_a_node_that_is_cut_off_loses_nothing(
    namespace: Namespace, probe: "subprocess.Popen[str]", cables: nodes.Cables, figure: Figure
) -> None:
    own = _node_of(namespace, "helper")
    lost = next((pod for pod in PODS if _node_of(namespace, pod) != own), None)
    if lost is None:
        missing("all pods are on the probe's node: two nodes are needed")
        return
    node = _node_of(namespace, lost)
    cables.cut(node)
    kubectl("wait", "--for=condition=Ready=Unknown", f"node/{node}", "--timeout=120s")
    cables.heal(node)
    kubectl("wait", "--for=condition=Ready", f"node/{node}", "--timeout=120s")
    namespace.settled("kubia")
    eventually("all to list all", lambda: all(namespace.listed(pod) == PODS for pod in PODS), 90)
    seen = result(probe, timeout=120)
    figure(f"probe through a cut of the node of {lost}:\n{told(seen)}")
    settled(namespace, seen)
    assert seen["pods"][lost]["longest_without_answer"] > 5


def _node_of(namespace: Namespace, pod: str) -> str:
    found = namespace.pod(pod)
    return str(found["spec"].get("nodeName", "")) if found else ""
