"""`kubia-pet check` on the cluster: from everywhere it passes; each cause that can be made there is named."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import IMAGE, ROOT, image_under_test, missing, set_image
from tests.e2e.firewall import dropped
from tests.e2e.kubectl import Namespace, eventually, kubectl
from tests.support.pod import until
from tests.support.verdict import PROGRAM, Verdict, check

pytestmark = pytest.mark.timeout(420)
Deploy = Callable[..., None]
Figure = Callable[[str], None]
PODS = ["kubia-0", "kubia-1", "kubia-2"]
THREE = {"replicas": [{"name": "kubia", "count": 3}]}


def outside(namespace: Namespace, *arguments: str, timeout: float = 60) -> Verdict:
    """As from a laptop."""
    return check("--namespace", namespace.name, *arguments, timeout=timeout)


def inside(namespace: Namespace, *arguments: str, pod: str = "kubia-0") -> Verdict:
    """As in the pod itself."""
    command = ["kubectl", "--namespace", namespace.name, "exec", pod, "--", "kubia-pet", "check"]
    done = subprocess.run(
        [*command, "--output=json", *arguments], capture_output=True, text=True, timeout=90, check=False
    )
    assert done.stdout, done.stderr
    return Verdict(done.returncode, json.loads(done.stdout))


def patch(kind: str, name: str, *operations: dict[str, Any]) -> dict[str, object]:
    """Changes of an object of k8s/, as a kustomization says them."""
    return {"target": {"kind": kind, "name": f"^{name}$"}, "patch": json.dumps(operations)}


def set_to(path: str, value: object) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


def removed(path: str) -> dict[str, Any]:
    return {"op": "remove", "path": path}


def started(namespace: Namespace, count: int = 2) -> None:
    """Waits until the pods' containers run, ready or not."""
    pods = [f"kubia-{number}" for number in range(count)]
    eventually("containers to run", lambda: all(_runs(namespace, pod) for pod in pods), 120)


def _runs(namespace: Namespace, pod: str) -> bool:
    found = namespace.pod(pod)
    states = (found or {}).get("status", {}).get("containerStatuses", [])
    return bool(states) and all(each.get("started") for each in states)


# Well


def test_a_healthy_set_passes_from_a_laptop_from_inside_and_as_a_job(
    namespace: Namespace, deploy: Deploy, tmp_path: Path, figure: Figure
) -> None:
    deploy(namespace, **THREE)
    namespace.settled("kubia")
    namespace.post("kubia-1", "before")
    eventually("all to list all", lambda: all(namespace.listed(pod) == PODS for pod in PODS))
    for where, verdict in (("kubectl", outside(namespace)), ("exec", inside(namespace))):
        assert (verdict.exit, set(verdict.statuses.values())) == (0, {"passed"}), verdict.members
        assert verdict.members["seconds"] < 10
        figure(f"check of 3 pods, by {where}: {verdict.members['seconds']:.1f} s")

    shutil.copytree(ROOT / "k8s" / "check", tmp_path / "check")
    set_image(tmp_path / "check" / "kustomization.yaml", image_under_test())
    namespace.kubectl("apply", "-k", str(tmp_path / "check"))
    namespace.kubectl("wait", "--for=condition=Complete", "job/kubia-check", "--timeout=120s")
    log = namespace.kubectl("logs", "job/kubia-check")
    assert " 13 passed, in " in log, log
    assert namespace.value("kubia-1") == "before"
    assert namespace.get("kubia-0", "/data").status == 404


def test_a_job_fails_where_a_check_fails(namespace: Namespace, deploy: Deploy, tmp_path: Path) -> None:
    deploy(namespace, patches=[patch("Service", "kubia-public", set_to("/spec/selector", {"app": "none"}))])
    namespace.settled("kubia")
    shutil.copytree(ROOT / "k8s" / "check", tmp_path / "check")
    set_image(tmp_path / "check" / "kustomization.yaml", image_under_test())
    namespace.kubectl("apply", "-k", str(tmp_path / "check"))
    namespace.kubectl("wait", "--for=condition=Failed", "job/kubia-check", "--timeout=150s")
    assert "public-fails" in namespace.kubectl("logs", "job/kubia-check")


# What is wrong


def test_no_service_name(namespace: Namespace, deploy: Deploy) -> None:
    """Optional since Kubernetes 1.34: nothing warns of it."""
    try:
        deploy(namespace, patches=[patch("StatefulSet", "kubia", removed("/spec/serviceName"))])
    except AssertionError as error:
        if "serviceName" in str(error):
            missing("this version of Kubernetes wants a serviceName")
        raise
    namespace.settled("kubia")
    for verdict in (outside(namespace), inside(namespace)):
        assert (verdict.exit, verdict.cause) == (1, "no-service-name"), verdict.members


def test_another_service_name(namespace: Namespace, deploy: Deploy) -> None:
    deploy(namespace, patches=[patch("StatefulSet", "kubia", set_to("/spec/serviceName", "kubai"))])
    namespace.settled("kubia")
    for verdict in (outside(namespace), inside(namespace)):
        assert (verdict.exit, verdict.cause) == (1, "nobody"), verdict.members
    job = inside(namespace, "--service=kubia")  # as the Job asks
    assert job.cause == "wrong-service-name", job.members


def test_a_service_with_an_address_of_its_own(namespace: Namespace, deploy: Deploy) -> None:
    deploy(namespace, patches=[patch("Service", "kubia", removed("/spec/clusterIP"))])
    namespace.settled("kubia")
    eventually("the finding", lambda: "not-headless" in namespace.get("kubia-0", "/peers").text)
    for verdict in (outside(namespace), inside(namespace)):
        assert (verdict.exit, verdict.cause) == (1, "not-headless"), verdict.members
        assert {"dns.srv", "dns.roundtrip", "dns.steady", "cluster.view"} <= verdict.followed


def test_an_empty_dir(namespace: Namespace, deploy: Deploy) -> None:
    volume = {"op": "add", "path": "/spec/template/spec/volumes", "value": [{"name": "data", "emptyDir": {}}]}
    deploy(namespace, patches=[patch("StatefulSet", "kubia", removed("/spec/volumeClaimTemplates"), volume)])
    namespace.settled("kubia")
    for verdict in (outside(namespace), inside(namespace)):
        assert (verdict.exit, verdict.cause) == (1, "not-a-volume"), verdict.members
    refused = outside(namespace, "--disrupt=delete", "--yes")
    assert refused.statuses["disrupt.delete"] == "unknown"
    assert "Refused" in refused.evidence("disrupt.delete")


def _on_one_host_path(namespace: Namespace, deploy: Deploy, *, mended: bool) -> None:
    """Both pods on one node, with one directory of it; `mended` lets their user write there."""
    namespace.unrestrict()
    nodes = json.loads(kubectl("get", "nodes", "-o", "json"))["items"]
    free = [node["metadata"]["name"] for node in nodes if not node["spec"].get("taints")]
    path = f"/var/tmp/kubia-pet-{namespace.name}"  # noqa: S108 - on the node
    volume = {"name": "data", "hostPath": {"path": path, "type": "DirectoryOrCreate"}}
    root = {"runAsUser": 0, "runAsNonRoot": False}
    opened = {
        "name": "opened",
        "image": IMAGE,
        "command": ["python", "-c", "import os; os.chmod('/var/data', 0o777)"],
        "securityContext": root,
        "volumeMounts": [{"name": "data", "mountPath": "/var/data"}],
    }
    operations = [
        removed("/spec/volumeClaimTemplates"),
        {"op": "add", "path": "/spec/template/spec/volumes", "value": [volume]},
        {"op": "add", "path": "/spec/template/spec/nodeName", "value": free[-1]},
    ]
    if mended:
        operations.append({"op": "add", "path": "/spec/template/spec/initContainers", "value": [opened]})
    deploy(namespace, patches=[patch("StatefulSet", "kubia", *operations)])


def test_one_host_path_for_two_pods(namespace: Namespace, deploy: Deploy) -> None:
    _on_one_host_path(namespace, deploy, mended=True)
    eventually("one of them to serve", lambda: any(map(namespace.ready, PODS[:2])), 120)
    started(namespace)
    verdict = outside(namespace)
    assert (verdict.exit, verdict.cause) == (1, "shared"), verdict.members


def test_a_volume_that_belongs_to_somebody_else(namespace: Namespace, deploy: Deploy) -> None:
    _on_one_host_path(namespace, deploy, mended=False)
    eventually("a log", lambda: "cannot be" in _log(namespace, "kubia-0"), 120)
    verdict = outside(namespace)
    assert (verdict.exit, verdict.cause) == (1, "not-permitted"), verdict.members


def _log(namespace: Namespace, pod: str) -> str:
    path = f"/api/v1/namespaces/{namespace.name}/pods/{pod}/log"
    return "".join(
        namespace.proxy.request("GET", f"{path}?previous={when}").text for when in ("false", "true")
    )


def test_a_public_service_that_selects_nobody(namespace: Namespace, deploy: Deploy) -> None:
    deploy(namespace, patches=[patch("Service", "kubia-public", set_to("/spec/selector", {"app": "none"}))])
    namespace.settled("kubia")
    assert inside(namespace).cause == "public-fails"


# Volumes that were exchanged by hand


def _with_claims(namespace: Namespace, program: str) -> None:
    """Runs a Python program in a pod that has both claims, at /a and /b, while the set has no pods."""
    namespace.kubectl("scale", "statefulset/kubia", "--replicas=0")
    namespace.kubectl("wait", "--for=delete", "pod/kubia-0", "pod/kubia-1", "--timeout=90s")
    volumes = [
        {"name": name, "persistentVolumeClaim": {"claimName": f"data-kubia-{number}"}}
        for number, name in enumerate("ab")
    ]
    container = {
        "name": "hand",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", program],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": name, "mountPath": f"/{name}"} for name in "ab"],
    }
    user = {"runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001}
    context = user | {"seccompProfile": {"type": "RuntimeDefault"}}
    spec = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": volumes,
        "securityContext": context,
    }
    namespace.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hand"}, "spec": spec})
    namespace.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/hand", "--timeout=90s")
    namespace.kubectl("delete", "pod", "hand")


def _up_again(namespace: Namespace) -> None:
    namespace.kubectl("scale", "statefulset/kubia", "--replicas=2")
    started(namespace)
    eventually("the verdicts", lambda: all(_verdict(namespace, pod) != "unknown" for pod in PODS[:2]), 60)


def _verdict(namespace: Namespace, pod: str) -> str:
    answer = namespace.get(pod, "/ledger")
    return str(json.loads(answer.body)["verdict"]["verdict"]) if answer.status == 200 else "unknown"


@pytest.fixture
def known(namespace: Namespace, deploy: Deploy) -> Namespace:
    """Two pods with values, that have seen each other."""
    deploy(namespace)
    namespace.settled("kubia")
    for pod in PODS[:2]:
        namespace.post(pod, f"value of {pod}")
    eventually("verdicts", lambda: all(_verdict(namespace, pod) == "good" for pod in PODS[:2]), 60)
    return namespace


SWAP = """
import os, shutil
for name in (".kubia-pet", "kubia.txt"):
    for place in "ab":
        os.rename(f"/{place}/{name}", f"/{place}/{name}.was")
    for here, there in ("ab", "ba"):
        copy = shutil.copytree if os.path.isdir(f"/{here}/{name}.was") else shutil.copy2
        copy(f"/{here}/{name}.was", f"/{there}/{name}")
"""


def test_volumes_that_were_swapped_by_hand(known: Namespace) -> None:
    _with_claims(known, SWAP)
    _up_again(known)
    verdict = outside(known)
    assert (verdict.exit, verdict.cause) == (1, "swapped"), verdict.members


def test_a_volume_that_was_restored_from_a_copy(known: Namespace) -> None:
    keep = (
        "import shutil; shutil.copytree('/a/.kubia-pet', '/a/kept'); "
        "shutil.copy2('/a/kubia.txt', '/a/kept.txt')"
    )
    back = (
        "import shutil; shutil.rmtree('/a/.kubia-pet'); shutil.copytree('/a/kept', '/a/.kubia-pet'); "
        "shutil.copy2('/a/kept.txt', '/a/kubia.txt')"
    )
    _with_claims(known, keep)
    _up_again(known)
    known.post("kubia-0", "a newer value")
    eventually("kubia-1 to have seen it", lambda: "a newer value" in known.get("kubia-1").text)
    _with_claims(known, back)
    _up_again(known)
    eventually("the witness", lambda: _verdict(known, "kubia-0") == "rolled-back", 60)
    verdict = outside(known)
    assert (verdict.exit, verdict.cause) == (1, "rolled-back"), verdict.members


# A network that drops one direction


def test_a_network_that_drops_one_direction(namespace: Namespace, deploy: Deploy) -> None:
    deploy(namespace, **THREE)
    namespace.settled("kubia")
    eventually("all to list all", lambda: all(namespace.listed(pod) == PODS for pod in PODS))
    asking, *others = json.loads(namespace.kubectl("get", "pods", "-l", "app=kubia", "-o", "json"))["items"]
    elsewhere = [pod for pod in others if pod["spec"]["nodeName"] != asking["spec"]["nodeName"]]
    if not elsewhere:
        missing("the cluster has one node that takes pods: two are needed")
    asked = elsewhere[0]
    name = asked["metadata"]["name"]
    with dropped(namespace, asking, asked):
        verdict = outside(namespace)
    assert (verdict.exit, verdict.cause) == (1, "one-way"), verdict.members
    told = f"kubia-0 does not reach {name} (timeout), while {name} reaches kubia-0"
    assert told in verdict.evidence("cluster.view")


# Disrupted


@pytest.mark.alone
@pytest.mark.parametrize("kind", ["delete", "scale", "rollout", "move"])
def test_a_set_survives_each_disruption(
    namespace: Namespace, deploy: Deploy, figure: Figure, kind: str
) -> None:
    deploy(namespace)
    namespace.settled("kubia")
    namespace.post("kubia-1", "before")
    nodes = json.loads(kubectl("get", "nodes", "-o", "json"))["items"]
    verdict = outside(namespace, f"--disrupt={kind}", "--yes", timeout=400)
    if kind == "move" and "no other node" in verdict.evidence("disrupt.move"):
        missing("the cluster has one node that takes pods: two are needed")
    assert verdict.exit == 0, verdict.members
    figure(f"check --disrupt {kind}: {verdict.evidence(f'disrupt.{kind}').splitlines()[0]}")
    namespace.settled("kubia")
    assert namespace.value("kubia-1") == "before"
    assert namespace.get("kubia-0", "/data").status == 404
    after = json.loads(kubectl("get", "nodes", "-o", "json"))["items"]
    assert [node["spec"].get("unschedulable") for node in after] == [
        node["spec"].get("unschedulable") for node in nodes
    ]


def test_a_disruption_that_would_destroy_is_refused(namespace: Namespace, deploy: Deploy) -> None:
    path = "/spec/persistentVolumeClaimRetentionPolicy/whenScaled"
    deploy(namespace, patches=[patch("StatefulSet", "kubia", set_to(path, "Delete"))])
    namespace.settled("kubia")
    before = namespace.kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.uid}")
    verdict = outside(namespace, "--disrupt=scale", "--yes")
    assert (verdict.exit, verdict.statuses["disrupt.scale"]) == (3, "unknown")
    assert "whenScaled is Delete" in verdict.evidence("disrupt.scale")
    assert namespace.kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.uid}") == before


@pytest.mark.parametrize("kind", ["delete", "scale", "rollout"])
def test_a_watch_judges_what_it_said_to_type(
    namespace: Namespace, deploy: Deploy, tmp_path: Path, kind: str
) -> None:
    deploy(namespace)
    namespace.settled("kubia")
    namespace.post("kubia-1", "before")
    said = tmp_path / "said"
    with said.open("w") as output:
        watching = subprocess.Popen(
            [
                *PROGRAM,
                "check",
                "--namespace",
                namespace.name,
                "--watch",
                f"--disrupt={kind}",
                "--output=json",
            ],
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            env=os.environ,
        )
        until("to be told what to type", lambda: "Watching" in said.read_text(), 30)
        typed = [line for line in said.read_text().splitlines() if line.startswith("  kubectl ")]
        subprocess.run(["bash", "-c", "\n".join(typed)], check=True, timeout=120)
        printed, _ = watching.communicate(timeout=180)
    verdict = Verdict(watching.returncode, json.loads(printed))
    assert (verdict.exit, verdict.statuses) == (0, {f"disrupt.{kind}": "passed"}), verdict.members
    pods = "kubia-0, kubia-1" if kind == "rollout" else "kubia-1"
    assert verdict.evidence(f"disrupt.{kind}").startswith(f"{pods} came back ")
