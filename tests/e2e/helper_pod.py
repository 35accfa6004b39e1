"""Pods of the tests' own, which run the pet's image: a cluster needs no other."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.e2e.conftest import IMAGE
from tests.e2e.kubectl import Namespace, eventually

INSIDE = Path(__file__).parent / "inside"
NAME = "helper"


def source(program: str) -> str:
    """The text of a program under inside/."""
    return (INSIDE / f"{program}.py").read_text()


class HelperPod:
    """A pod in which programs of inside/ run, under the restricted standard."""

    def __init__(self, namespace: Namespace, node: str | None = None) -> None:
        self._namespace = namespace
        namespace.apply(_pod(node))
        namespace.kubectl("wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=60s")

    def start(self, program: str, *arguments: str) -> "subprocess.Popen[str]":
        """Starts it; its standard input stays open."""
        command = ["kubectl", "--namespace", self._namespace.name, "exec", "--stdin", NAME]
        command += ["--", "python", "-c", source(program), *arguments]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def reaches(self, service: str) -> None:
        """Waits until the Service takes connections: a node learns of a new one in its own time."""
        connect = f"import socket; socket.create_connection(({service!r}, 80), 5).close()"
        eventually(
            f"{service} to be reached",
            lambda: self._namespace.succeeds("exec", NAME, "--", "python", "-c", connect),
        )

    def probe(self, *arguments: str) -> "subprocess.Popen[str]":
        """Starts `kubia-pet probe`, which ends, with its account as JSON, when its standard input does."""
        until_end = 'kubia-pet probe --output=json "$@" & probe=$!; cat; kill -INT $probe; wait $probe'
        command = ["kubectl", "--namespace", self._namespace.name, "exec", "--stdin", NAME]
        command += ["--", "sh", "-c", until_end, "probe", *arguments]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def result(running: "subprocess.Popen[str]", timeout: float) -> Any:
    """Ends the program's input, waits for its end, and reads the JSON that it printed."""
    printed, _ = running.communicate(timeout=timeout)
    assert running.returncode == 0, printed
    return json.loads(printed)


def idle_pod(name: str, container: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A pod that waits for its end, with these members of its container and of its spec."""
    idle = {
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", "import signal; signal.sigwait({signal.SIGTERM})"],
    }
    spec = {"containers": [idle | container], "terminationGracePeriodSeconds": 1} | spec
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def _pod(node: str | None) -> dict[str, Any]:
    container = {"securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}
    user = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    place = {"nodeName": node} if node else {}
    return idle_pod(NAME, container, securityContext=user, **place)
