"""What a StatefulSet promises, and what the pet makes of it: pods go and come back, data stays."""

import json
import statistics
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from kubia_pet.config import Settings
from kubia_pet.limits import DRAIN_TIME
from tests.e2e.helper_pod import HelperPod, result
from tests.e2e.kubectl import Namespace, eventually

pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]
Deploy = Callable[..., None]
Figure = Callable[[str], None]


def test_a_deleted_pod_is_ready_again_within_3_s_of_its_grace_with_its_name_claim_and_value(
    namespace: Namespace, deploy: Deploy, figure: Figure
) -> None:
    deploy(namespace)
    namespace.settled("kubia")
    greeting = "Hey there! This greeting was submitted to kubia-0."
    assert namespace.post("kubia-0", greeting).text == "Data stored on pod kubia-0\n"

    times = [_delete(namespace, "kubia-0") for _ in range(3)]

    assert namespace.value("kubia-0") == greeting
    grace = DRAIN_TIME
    for gone, ready in times:
        figure(f"delete -> ready: {ready:.1f} s; {grace:g} s of grace, gone after {gone:.1f} s")
    # Its grace is over when the pod is gone. What a kubelet, which looks at its containers once a second,
    # takes to notice that is no time of the pet's; what it takes to see the next one ready is counted.
    assert statistics.median(ready - gone for gone, ready in times) <= 3
    assert statistics.median(gone for gone, _ in times) <= grace + 2


def _delete(namespace: Namespace, name: str) -> tuple[float, float]:
    """Deletes the pod; the seconds until it is gone, and until the next one, on its claim, is ready."""
    first = namespace.pod(name)
    assert first is not None
    eventually(f"{name} to have been there for a while", lambda: _age(first) > 5)
    namespace.delete(name)
    began = time.monotonic()
    namespace.kubectl("wait", "--for=delete", f"pod/{name}", "--timeout=60s")
    gone = time.monotonic() - began
    for step in ("create", "condition=Ready"):
        namespace.kubectl("wait", f"--for={step}", f"pod/{name}", "--timeout=60s")
    ready = time.monotonic() - began

    second = namespace.pod(name)
    assert second is not None
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert _claims(second) == _claims(first) == [f"data-{name}"]
    return gone, ready


def _age(pod: dict[str, Any]) -> float:
    """Seconds since its container was started: a kubelet is slow to end a pod that it is still starting."""
    started = pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
    return time.time() - datetime.fromisoformat(started).timestamp()


def _claims(pod: dict[str, Any]) -> list[str]:
    volumes = pod["spec"]["volumes"]
    return [each["persistentVolumeClaim"]["claimName"] for each in volumes if "persistentVolumeClaim" in each]


def test_a_set_scaled_up_is_on_everybodys_list_as_soon_as_dns_has_it_and_old_values_come_back(
    namespace: Namespace, deploy: Deploy, figure: Figure
) -> None:
    deploy(namespace)
    helper = HelperPod(namespace)
    namespace.settled("kubia")
    for pod in ("kubia-0", "kubia-1"):
        assert namespace.listed(pod)  # so that they, and DNS, have an old answer

    _scale_to_5(namespace, helper, figure, "2 -> 5")
    pods = [f"kubia-{number}" for number in range(5)]
    for pod in pods:
        namespace.post(pod, f"value of {pod}")

    namespace.scale("kubia", 2)
    seen = result(helper.start("watch", "kubia", "2"), timeout=250)
    assert len(seen["lists"]) == 2, f"those that are gone stayed on a list: {seen}"
    _scale_to_5(namespace, helper, figure, "2 -> 5 again")
    for pod in pods:
        values = {
            peer["name"].partition(".")[0]: peer.get("value") for peer in namespace.overview(pod)["peers"]
        }
        assert values == {each: f"value of {each}" for each in pods}


def _scale_to_5(namespace: Namespace, helper: HelperPod, figure: Figure, how: str) -> None:
    namespace.kubectl("scale", "statefulset/kubia", "--replicas=5")
    seen = result(helper.start("watch", "kubia", "5"), timeout=250)
    assert seen["pods"] == 5, f"DNS never had 5 pods: {seen}"
    assert len(seen["lists"]) == 5, f"not everybody listed 5 pods: {seen}"
    last = max(seen["lists"].values())
    figure(f"scaled {how}: in DNS after {seen['dns']:.1f} s, on everybody's list {last:.1f} s later")
    assert last <= Settings().dns_max_age + 1.5, (
        seen
    )  # the time that asking five pods takes on a busy machine
    namespace.settled("kubia")


def test_every_pod_gives_the_same_list(namespace: Namespace, deploy: Deploy) -> None:
    deploy(namespace, replicas=[{"name": "kubia", "count": 3}])
    namespace.settled("kubia")
    pods = ["kubia-0", "kubia-1", "kubia-2"]
    namespace.post("kubia-0", "one\nvalue of\ttwo lines")
    namespace.post("kubia-2", "grüß di")
    eventually("all to be listed", lambda: all(namespace.listed(pod) == pods for pod in pods))

    expected = "".join(
        f"- {pod}.kubia.{namespace.name}.svc.cluster.local: {value}\n"
        for pod, value in zip(
            pods, (r"one\nvalue of\ttwo lines", "No data posted yet", "grüß di"), strict=True
        )
    )
    lists = {namespace.get(pod).text.partition("Data stored in the cluster:\n")[2] for pod in pods}
    assert lists == {expected}
    peers = [[{**peer, "self": None} for peer in namespace.overview(pod)["peers"]] for pod in pods]
    assert peers[0] == peers[1] == peers[2]


def test_kubectl_alone_reaches_a_pod_through_the_api_server(namespace: Namespace, deploy: Deploy) -> None:
    deploy(namespace)
    namespace.settled("kubia")
    path = f"/api/v1/namespaces/{namespace.name}/pods/kubia-1/proxy"
    stored = namespace.kubectl("create", "--raw", f"{path}/", "-f", "-", stdin="by kubectl")
    assert stored == "Data stored on pod kubia-1\n"
    assert namespace.kubectl("get", "--raw", f"{path}/data") == "by kubectl"
    assert namespace.kubectl("exec", "kubia-1", "--", "cat", "/var/data/kubia.txt") == "by kubectl"
    peers = json.loads(namespace.kubectl("get", "--raw", f"{path}/peers"))
    assert peers["service"] == f"kubia.{namespace.name}.svc.cluster.local"
