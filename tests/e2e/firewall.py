"""One direction of a network: what a node drops, by its own iptables."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.helper_pod import idle_pod
from tests.e2e.kubectl import Namespace

NAME = "firewall"


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
        "securityContext": {"privileged": True, "runAsUser": 0, "runAsGroup": 0},
        "volumeMounts": [{"name": "node", "mountPath": "/node"}],
    }
    volume = {"name": "node", "hostPath": {"path": "/"}}
    return idle_pod(NAME, container, nodeName=node, hostNetwork=True, volumes=[volume])
