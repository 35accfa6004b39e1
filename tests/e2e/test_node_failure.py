"""A node is cut off: the others go on, a forced successor is kept out by the volume's lock."""

import json
import time
from collections.abc import Callable, Iterator

import pytest

from kubia_pet.config import Settings
from tests.e2e import nodes
from tests.e2e.conftest import missing
from tests.e2e.kubectl import Namespace, eventually, kubectl

PODS = ["kubia-0", "kubia-1", "kubia-2"]


@pytest.fixture
def cables() -> Iterator[nodes.Cables]:
    """Those of a cluster that can lose a node."""
    nodes.require_commands()
    if len(json.loads(kubectl("get", "nodes", "-o", "json"))["items"]) < 2:
        missing("the cluster has one node: two are needed")
    cables = nodes.Cables()
    yield cables
    cables.heal_all()
    kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=90s")


@pytest.mark.alone
@pytest.mark.timeout(420)
def test_a_lost_node_costs_its_pods_lines_only_and_a_forced_successor_waits_for_its_volume(
    namespace: Namespace,
    deploy: Callable[..., None],
    cables: nodes.Cables,
    figure: Callable[[str], None],
) -> None:
    deploy(namespace, replicas=[{"name": "kubia", "count": 3}])
    namespace.settled("kubia")
    for pod in PODS:
        namespace.post(pod, f"value of {pod}")
    eventually("all to list all", lambda: all(namespace.listed(pod) == PODS for pod in PODS))
    node = _node_of(namespace, "kubia-1")
    lost = [pod for pod in PODS if _node_of(namespace, pod) == node]
    left = [pod for pod in PODS if pod not in lost]
    assert left, "all pods are on one node"

    cables.cut(node)

    # DNS does not know yet: each answer is in time, the lost are labelled.
    began = time.monotonic()
    overview = namespace.overview(left[0])
    seconds = time.monotonic() - began
    figure(f"GET / right after a node was lost: {seconds:.2f} s")
    assert seconds < Settings().gather_timeout + 1
    outcomes = {
        peer["name"].partition(".")[0]: peer.get("error", {}).get("code") for peer in overview["peers"]
    }
    assert {pod: code for pod, code in outcomes.items() if code} == dict.fromkeys(lost, "timeout")
    assert namespace.post(left[0], "written meanwhile").status == 200

    # The cluster notices: they leave the list.
    kubectl("wait", "--for=condition=Ready=Unknown", f"node/{node}", "--timeout=120s")
    eventually(
        "the lost pods to leave the list", lambda: len(namespace.overview(left[0])["peers"]) == len(left), 90
    )
    assert namespace.listed(left[0]) == left

    # A force delete is a lie: kubia-1 still runs over there, and holds its volume.
    namespace.kubectl("delete", "pod", "kubia-1", "--force", "--grace-period=0")
    eventually("a successor on another node", lambda: _node_of(namespace, "kubia-1") not in ("", node), 30)
    locked = "/var/data is locked by another process"
    eventually("the lock to keep it out", lambda: locked in _log(namespace, "kubia-1"))
    assert not namespace.ready("kubia-1")
    assert namespace.get("kubia-1", "/data").status != 200

    cables.heal(node)
    began = time.monotonic()
    eventually("kubia-1 to be ready", lambda: namespace.ready("kubia-1"), 120)
    figure(f"node healed -> the successor of its force-deleted pod ready: {time.monotonic() - began:.1f} s")
    namespace.settled("kubia")
    assert _node_of(namespace, "kubia-1") != node
    expected = {pod: f"value of {pod}" for pod in PODS} | {left[0]: "written meanwhile"}
    assert {pod: namespace.value(pod) for pod in PODS} == expected
    eventually("all to be listed", lambda: all(namespace.listed(pod) == PODS for pod in PODS), 90)


def _node_of(namespace: Namespace, pod: str) -> str:
    found = namespace.pod(pod)
    return found["spec"].get("nodeName", "") if found else ""


def _log(namespace: Namespace, pod: str) -> str:
    """What its container says, and the one before it said."""
    path = f"/api/v1/namespaces/{namespace.name}/pods/{pod}/log"
    return "".join(
        namespace.proxy.request("GET", f"{path}?previous={when}").text for when in ("false", "true")
    )
