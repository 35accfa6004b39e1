"""What ledgers and witnesses say on a real cluster: each verdict, and none where nothing happened."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.kubectl import Namespace, eventually, kubectl

pytestmark = pytest.mark.timeout(300)
Deploy = Callable[..., None]
PODS = ["kubia-0", "kubia-1"]
NO_DOUBT = 20.0  # seconds: from a start to the witnesses' words, and some more


def test_a_claim_that_is_deleted_and_made_anew_is_a_lost_volume_until_it_is_adopted(
    namespace: Namespace, deploy: Deploy
) -> None:
    deploy(namespace)
    namespace.settled("kubia")
    _all_remember_all(namespace)
    before = ledger(namespace, "kubia-0")["volume"]["id"]
    uid = _uid(namespace, "kubia-0")

    namespace.kubectl("delete", "pvc", "data-kubia-0", "--wait=false")
    namespace.kubectl("delete", "pod", "kubia-0")
    eventually("a successor", lambda: _uid(namespace, "kubia-0") not in (None, uid))
    namespace.settled("kubia")

    _becomes(namespace, "kubia-0", "lost")
    found = ledger(namespace, "kubia-0")
    assert found["volume"]["id"] != before
    assert before in found["verdict"]["evidence"][0]
    assert verdict(namespace, "kubia-1") == "good"
    namespace.delete("kubia-0")
    eventually("it to be gone", lambda: _uid(namespace, "kubia-0") != found["start"]["pod_uid"])
    namespace.settled("kubia")
    _becomes(namespace, "kubia-0", "lost")  # through a restart, too
    _adopt(namespace, "kubia-0")
    _becomes(namespace, "kubia-0", "good")


def test_an_empty_dir_is_no_volume(namespace: Namespace, deploy: Deploy) -> None:
    deploy(namespace, patches=[_volume({"emptyDir": {}})])
    namespace.settled("kubia")
    _becomes(namespace, "kubia-0", "not-a-volume")
    namespace.kubectl("delete", "statefulset", "kubia")
    deploy(namespace, patches=[_volume({"emptyDir": {"medium": "Memory"}})])
    namespace.settled("kubia")
    _becomes(namespace, "kubia-1", "not-a-volume")
    assert ledger(namespace, "kubia-1")["volume"]["mount"]["kind"] == "memory"


def test_what_the_runtime_mounts_for_the_image_where_the_pod_mounts_nothing_is_no_volume(
    namespace: Namespace, deploy: Deploy
) -> None:
    forgotten = ("/spec/volumeClaimTemplates", "/spec/template/spec/containers/0/volumeMounts")
    operations = [{"op": "remove", "path": path} for path in forgotten]
    deploy(namespace, patches=[{"target": {"kind": "StatefulSet"}, "patch": json.dumps(operations)}])
    namespace.settled("kubia")
    _becomes(namespace, "kubia-0", "not-a-volume")


def test_of_two_pods_on_one_host_path_one_waits_and_finds_it_swapped(
    namespace: Namespace, deploy: Deploy
) -> None:
    namespace.unrestrict()
    path = f"/var/tmp/kubia-pet-{uuid.uuid4()}"  # noqa: S108 - on the node
    root = {"runAsUser": 0, "runAsNonRoot": False}
    together = {"matchLabels": {"app": "kubia"}}
    affinity = {"labelSelector": together, "topologyKey": "kubernetes.io/hostname"}
    pod = {
        "affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [affinity]}},
        "topologySpreadConstraints": None,
        "securityContext": root,
    }
    deploy(
        namespace,
        patches=[
            _volume({"hostPath": {"path": path, "type": "DirectoryOrCreate"}}),
            {"target": {"kind": "StatefulSet"}, "patch": json.dumps(_strategic(pod))},
        ],
    )
    eventually("one to be ready", lambda: len(_ready(namespace)) == 1, 90)
    (first,) = _ready(namespace)
    (second,) = set(PODS) - {first}
    eventually(
        "the other one to say why it waits",
        lambda: "locked by another process" in namespace.get(second, "/readyz").text,
    )
    namespace.post(first, f"value of {first}")

    namespace.kubectl("delete", "statefulset", "kubia", "--cascade=orphan")  # so that it has no successor
    namespace.kubectl("delete", "pod", first)
    eventually("the other one to be ready", lambda: namespace.ready(second), 60)

    _becomes(namespace, second, "swapped")
    assert first in ledger(namespace, second)["verdict"]["evidence"][0]
    assert namespace.value(second) == f"value of {first}"


def test_a_set_moved_to_another_namespace_finds_its_volumes_swapped_until_they_are_adopted(
    namespace: Namespace, new_namespace: Callable[[str], Namespace], deploy: Deploy
) -> None:
    deploy(namespace, replicas=[{"name": "kubia", "count": 1}])
    namespace.settled("kubia")
    namespace.post("kubia-0", "moved")
    claim = json.loads(namespace.kubectl("get", "pvc", "data-kubia-0", "-o", "json"))
    volume = claim["spec"]["volumeName"]
    _reclaim(volume, "Retain")
    try:
        namespace.kubectl("delete", "statefulset", "kubia")
        namespace.kubectl("wait", "--for=delete", "pod/kubia-0", "--timeout=60s")
        namespace.kubectl("delete", "pvc", "data-kubia-0")
        free = [{"op": "remove", "path": "/spec/claimRef"}]
        kubectl("patch", "pv", volume, "--type=json", "--patch", json.dumps(free))
        other = new_namespace(f"{namespace.name[:40]}-moved")
        spec = {key: claim["spec"][key] for key in ("accessModes", "resources", "storageClassName")}
        other.apply(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": "data-kubia-0", "labels": {"app": "kubia"}},
                "spec": spec | {"volumeName": volume},
            }
        )
        deploy(other, replicas=[{"name": "kubia", "count": 1}])
        other.settled("kubia")

        assert other.value("kubia-0") == "moved"
        _becomes(other, "kubia-0", "swapped")
        assert namespace.name in ledger(other, "kubia-0")["verdict"]["evidence"][0]
        _adopt(other, "kubia-0")
        _becomes(other, "kubia-0", "good")
        other.delete("kubia-0")
        other.settled("kubia")
        _becomes(other, "kubia-0", "good")
    finally:
        _reclaim(volume, "Delete")


def test_scaling_roll_outs_forced_deletes_and_kubectl_cp_raise_no_alarm(
    namespace: Namespace, deploy: Deploy
) -> None:
    deploy(namespace)
    namespace.settled("kubia")
    _all_remember_all(namespace)
    namespace.scale("kubia", 3)
    _all_good(namespace, [*PODS, "kubia-2"])
    namespace.scale("kubia", 2)
    namespace.scale("kubia", 3)
    _all_good(namespace, [*PODS, "kubia-2"])
    namespace.kubectl("rollout", "restart", "statefulset/kubia")
    namespace.settled("kubia")
    _all_good(namespace, [*PODS, "kubia-2"])
    assert "restart" in ledger(namespace, "kubia-2")["verdict"]["survived"]
    for _ in range(3):
        _delete_by_force(namespace, "kubia-1")
        namespace.settled("kubia")
        _all_good(namespace, PODS)
    write = "open('/var/data/kubia.txt', 'wb').write(b'by exec')"
    namespace.kubectl("exec", "kubia-0", "--", "python", "-c", write)
    assert verdict(namespace, "kubia-0") == "changed-outside"
    assert namespace.ready("kubia-0")
    namespace.post("kubia-0", "by POST")
    _all_good(namespace, PODS)


def ledger(namespace: Namespace, pod: str) -> dict[str, Any]:
    answer = namespace.get(pod, "/ledger")
    assert answer.status == 200, answer.text
    members: dict[str, Any] = json.loads(answer.body)
    return members


def verdict(namespace: Namespace, pod: str) -> str:
    found: str = ledger(namespace, pod)["verdict"]["verdict"]
    return found


def _becomes(namespace: Namespace, pod: str, expected: str) -> None:
    eventually(f"{pod} to be {expected}", lambda: verdict(namespace, pod) == expected, NO_DOUBT)


def _all_good(namespace: Namespace, pods: list[str]) -> None:
    """Also after their peers were asked: until then it is unknown."""
    for pod in pods:
        namespace.post(pod, f"value of {pod}")
        _becomes(namespace, pod, "good")


def _all_remember_all(namespace: Namespace) -> None:
    for pod in PODS:
        namespace.post(pod, f"value of {pod}")
    eventually("both to list both", lambda: all(namespace.listed(pod) == PODS for pod in PODS), 90)
    eventually(
        "both to remember each other",
        lambda: all(len(ledger(namespace, pod)["witnesses"]) == 1 for pod in PODS),
    )


def _delete_by_force(namespace: Namespace, pod: str) -> None:
    uid = _uid(namespace, pod)
    namespace.kubectl("delete", "pod", pod, "--grace-period=0", "--force")
    eventually("a successor", lambda: _uid(namespace, pod) not in (None, uid))


def _reclaim(volume: str, policy: str) -> None:
    """What happens to a volume whose claim is deleted."""
    spec = {"persistentVolumeReclaimPolicy": policy}
    kubectl("patch", "pv", volume, "--patch", json.dumps({"spec": spec}))


def _adopt(namespace: Namespace, pod: str) -> None:
    said = namespace.kubectl("exec", pod, "--", "kubia-pet", "adopt")
    assert f"{pod}.kubia.{namespace.name}.svc" in said


def _uid(namespace: Namespace, pod: str) -> str | None:
    found = namespace.pod(pod)
    return found["metadata"]["uid"] if found else None


def _ready(namespace: Namespace) -> list[str]:
    return [pod for pod in PODS if namespace.ready(pod)]


def _volume(source: dict[str, Any]) -> dict[str, Any]:
    """A patch by which the set has this in the place of a claim."""
    operations = [
        {"op": "remove", "path": "/spec/volumeClaimTemplates"},
        {"op": "add", "path": "/spec/template/spec/volumes", "value": [{"name": "data"} | source]},
    ]
    return {"target": {"kind": "StatefulSet"}, "patch": json.dumps(operations)}


def _strategic(pod: dict[str, Any]) -> dict[str, Any]:
    names = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "kubia"}}
    return names | {"spec": {"template": {"spec": pod}}}
