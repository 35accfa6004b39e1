"""Pods that are broken on purpose, and what Kubernetes does about it."""

from collections.abc import Callable, Collection
from typing import Any

import pytest

from tests.e2e.kubectl import Namespace, eventually

pytestmark = pytest.mark.timeout(240)
Deploy = Callable[..., None]
FAULTS = "../k8s/faults"


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        ("crash", {137}),
        ("not-alive", {0}),
        ("hang", {0, 137}),  # it may be through with its goodbye before the kubelet has lost patience, or not
    ],
)
def test_a_container_is_restarted_in_its_pod_and_has_its_value(
    fault: str, statuses: Collection[int], namespace: Namespace, deploy: Deploy
) -> None:
    deploy(namespace, components=[FAULTS])
    namespace.settled("kubia")
    namespace.post("kubia-1", "kept")
    before = pod(namespace)

    set_fault(namespace, fault)
    eventually("a restart", lambda: container(namespace)["restartCount"] >= 1)
    eventually("it to be ready", lambda: namespace.ready("kubia-1"))

    assert container(namespace)["lastState"]["terminated"]["exitCode"] in statuses
    assert pod(namespace)["metadata"]["uid"] == before["metadata"]["uid"]
    assert namespace.value("kubia-1") == "kept"


def test_a_pod_that_is_not_ready_on_purpose_leaves_the_list_is_not_restarted_and_comes_back(
    namespace: Namespace, deploy: Deploy
) -> None:
    deploy(namespace, components=[FAULTS])
    namespace.settled("kubia")
    eventually("both to be listed", lambda: namespace.listed("kubia-0") == ["kubia-0", "kubia-1"])

    set_fault(namespace, "not-ready")
    eventually("it to leave the list", lambda: namespace.listed("kubia-0") == ["kubia-0"])
    eventually("it to come back", lambda: namespace.listed("kubia-0") == ["kubia-0", "kubia-1"])

    assert container(namespace)["restartCount"] == 0


def set_fault(namespace: Namespace, fault: str) -> None:
    """For the default time; nobody answers for a crash."""
    namespace.proxy.request("PUT", f"/api/v1/namespaces/{namespace.name}/pods/kubia-1/proxy/faults/{fault}")


def pod(namespace: Namespace) -> dict[str, Any]:
    found = namespace.pod("kubia-1")
    assert found is not None
    return found


def container(namespace: Namespace) -> dict[str, Any]:
    status: dict[str, Any] = pod(namespace)["status"]["containerStatuses"][0]
    return status
