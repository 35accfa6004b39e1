"""Other names, the book's own Service, and the book's own program in the set."""

import json
from collections.abc import Callable

import pytest

from tests.e2e.conftest import missing
from tests.e2e.helper_pod import NAME, HelperPod, source
from tests.e2e.kubectl import Namespace, eventually

pytestmark = pytest.mark.timeout(240)
Deploy = Callable[..., None]


def test_other_names_in_another_namespace_need_no_edit_of_the_image(
    new_namespace: Callable[[str], Namespace], deploy: Deploy
) -> None:
    zoo = new_namespace("zoo")
    deploy(
        zoo,
        patches=[
            _rename("StatefulSet", "kubia", "pets"),
            _rename("Service", "kubia", "pets-peers"),
            _patch("StatefulSet", "kubia", "/spec/serviceName", "pets-peers"),
        ],
    )
    zoo.settled("pets")
    zoo.post("pets-1", "meow")
    eventually("pets-1 to be listed", lambda: zoo.listed("pets-0") == ["pets-0", "pets-1"])
    assert zoo.get("pets-0").text == (
        "You've hit pets-0\n"
        "Data stored on this pod: No data posted yet\n"
        "Data stored in the cluster:\n"
        "- pets-0.pets-peers.zoo.svc.cluster.local: No data posted yet\n"
        "- pets-1.pets-peers.zoo.svc.cluster.local: meow\n"
    )


def test_the_books_headless_service_that_names_the_wrong_port_works(
    namespace: Namespace, deploy: Deploy
) -> None:
    deploy(namespace, patches=[_patch("Service", "kubia", "/spec/ports", [{"name": "http", "port": 80}])])
    namespace.settled("kubia")
    eventually("both to be listed", lambda: len(namespace.overview("kubia-0")["peers"]) == 2)
    ports = namespace.kubectl(
        "exec", "kubia-0", "--", "python", "-c",
        "import dns.resolver as dns; print([srv.port for srv in dns.resolve('kubia', 'SRV', search=True)])",
    )  # fmt: skip
    assert json.loads(ports) == [80, 80]
    pods = ["kubia-0", "kubia-1"]
    eventually("both to list both", lambda: all(namespace.listed(pod) == pods for pod in pods))


def test_a_pod_of_the_originals_protocol_is_a_peer_and_its_value_is_taken_over(
    namespace: Namespace, deploy: Deploy
) -> None:
    deploy(namespace)
    namespace.settled("kubia")
    namespace.post("kubia-0", "Hey there!")
    # From ordinal 1 up the set now runs the original's program, on the same claims.
    update = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    container = {"name": "kubia", "command": ["python", "-c", source("original")]}
    spec = {"updateStrategy": update, "template": {"spec": {"containers": [container]}}}
    namespace.kubectl("patch", "statefulset", "kubia", "--patch", json.dumps({"spec": spec}))
    namespace.settled("kubia")
    assert "Data stored on this pod" not in namespace.get("kubia-1").text, "kubia-1 is not the original"

    def lists(pod: str, value: str) -> bool:
        return f"- kubia-1.kubia.{namespace.name}.svc.cluster.local: {value}\n" in namespace.get(pod).text

    eventually("the original to be listed without a value", lambda: lists("kubia-0", "No data posted yet"))
    assert namespace.post("kubia-1", "from the book").text == "Data stored on pod kubia-1\n"
    assert lists("kubia-0", "from the book")
    eventually(
        "the original to list a pet",
        lambda: "svc.cluster.local: Hey there!" in namespace.get("kubia-1").text,
        60,
    )

    namespace.kubectl("rollout", "undo", "statefulset/kubia")
    namespace.settled("kubia")
    assert namespace.value("kubia-1") == "from the book"


def test_with_the_token_component_a_change_shows_it_through_the_api_server_too(
    namespace: Namespace, deploy: Deploy
) -> None:
    namespace.kubectl("create", "secret", "generic", "kubia-token", "--from-literal=token=cafe-0123456789")
    deploy(namespace, components=["../k8s/token"])
    namespace.settled("kubia")
    assert namespace.post("kubia-0", "forged").status == 401
    # The API server takes this one for itself.
    assert namespace.post("kubia-0", "forged", Authorization="Bearer cafe-0123456789").status == 401
    assert namespace.post("kubia-0", "mine", Kubia_Pet_Token="cafe-0123456789").status == 200  # noqa: S106 - of this test alone
    assert namespace.value("kubia-0") == "mine"
    namespace.kubectl("exec", "kubia-1", "--", "kubia-pet", "health")


@pytest.mark.policies
def test_the_network_policy_lets_in_peers_and_labelled_clients_and_nobody_else(
    namespace: Namespace, deploy: Deploy
) -> None:
    deploy(namespace, components=["../k8s/network-policy", "../k8s/network-policy/cluster-dns"])
    namespace.settled("kubia")
    HelperPod(namespace)
    ask = (
        "import urllib.request, urllib.error\n"
        "try: print(urllib.request.urlopen('http://{}', timeout=3).read().decode())\n"
        "except urllib.error.HTTPError: print('answered')\n"
        "except OSError: print('blocked')"
    )

    def asks(pod: str, url: str) -> str:
        return namespace.kubectl("exec", pod, "--", "python", "-c", ask.format(url))

    if "blocked" not in asks(NAME, "kubia-0.kubia:8080/healthz"):
        missing("this cluster's network enforces no policies")
    namespace.kubectl("label", "pod", NAME, "kubia-client=")
    eventually("the labelled client", lambda: "alive" in asks(NAME, "kubia-0.kubia:8080/healthz"))

    def lists_both() -> bool:
        shown = asks("kubia-0", "localhost:8080")
        return all(f"- kubia-{ordinal}.kubia." in shown for ordinal in range(2))

    eventually("the peers", lists_both, 90)
    assert "blocked" in asks("kubia-0", "kubernetes.default:443"), "they ask nobody else"


def _rename(kind: str, name: str, new: str) -> dict[str, object]:
    return _patch(kind, name, "/metadata/name", new) | {"options": {"allowNameChange": True}}


def _patch(kind: str, name: str, path: str, value: object) -> dict[str, object]:
    """One replacement in an object of k8s/, as a kustomization says it."""
    operation = {"op": "replace", "path": path, "value": value}
    return {"target": {"kind": kind, "name": f"^{name}$"}, "patch": json.dumps([operation])}
