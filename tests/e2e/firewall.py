"""One direction of a network: what a node drops, by its own iptables."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.conftest import IMAGE
from tests.e2e.kubectl import Namespace

NAME = "firewall"
_IDLE = "import signal; signal.sigwait({signal.SIGTERM})"


@contextmanager
def dropped(namespace: Namespace, sender: dict[str, Any], receiver: dict[str, Any]) -> Iterator[None]:
    """What one pod asks another one on port 8080 never leaves its node; what it answers does."""
    namespace.unrestrict()
    namespace.apply(_privileged(sender["spec"]["nodeName"]))
    namespace.kubectl("wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=60s")
    rule = ["FORWARD", "-s", sender["status"]["podIP"], "-d", receiver["status"]["podIP"]]
    rule += ["-p", "tcp", "--dport", "8080", "-j", "DROP"]
    _iptables(namespace, "-I", *rule)
    try:
        yield
    finally:
        _iptables(namespace, "-D", *rule)


def _iptables(namespace: Namespace, *arguments: str) -> None:
    namespace.kubectl("exec", NAME, "--", "chroot", "/node", "iptables", "-w", *arguments)


def _privileged(node: str) -> dict[str, Any]:
    container = {
        "name": NAME,
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", _IDLE],
        "securityContext": {"privileged": True, "runAsUser": 0, "runAsGroup": 0},
        "volumeMounts": [{"name": "node", "mountPath": "/node"}],
    }
    spec = {
        "nodeName": node,
        "hostNetwork": True,
        "containers": [container],
        "volumes": [{"name": "node", "hostPath": {"path": "/"}}],
        "terminationGracePeriodSeconds": 1,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": NAME}, "spec": spec}
