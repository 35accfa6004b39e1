"""The users' own tool, kubectl, and its proxy: how these tests reach the cluster."""

import http.client
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


def eventually(what: str, holds: Callable[[], object], seconds: float = 60) -> None:
    """Asks the cluster until it holds, without keeping it busy; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"gave up after {seconds:g} s waiting for {what}"
        time.sleep(0.25)


def kubectl(*arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
    """What `kubectl` prints; fails the test with what it complains about."""
    done = subprocess.run(
        ["kubectl", *arguments], input=stdin, capture_output=True, text=True, timeout=timeout, check=False
    )
    if done.returncode:
        raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr or done.stdout}")
    return done.stdout


@dataclass(frozen=True)
class Answer:
    """A response that came through the API server."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Proxy:
    """`kubectl proxy`: plain HTTP to the API server, and through it to pods and services."""

    def __init__(self, port: int) -> None:
        self._port = port

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        accept: str = "*/*",
        timeout: float = 30,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout)
        try:
            connection.request(method, path, body, {"Accept": accept, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, response.read())
        finally:
            connection.close()


@contextmanager
def proxy() -> Iterator[Proxy]:
    """`kubectl proxy` on a free port, for as long as it is needed."""
    process = subprocess.Popen(
        ["kubectl", "proxy", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert found, "kubectl proxy did not start"
        yield Proxy(int(found[1]))
    finally:
        process.terminate()
        process.communicate()


class Namespace:
    """One namespace, and how to reach what is in it."""

    def __init__(self, name: str, proxy: Proxy) -> None:
        self.name = name
        self.proxy = proxy
        self._api = f"/api/v1/namespaces/{name}"

    def url(self, what: str) -> str:
        """Where a browser finds `pods/NAME` or `services/NAME`, without a last slash."""
        return f"{self.proxy.url}{self._api}/{what}/proxy"

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        return kubectl("--namespace", self.name, *arguments, stdin=stdin, timeout=timeout)

    def succeeds(self, *arguments: str) -> bool:
        """Whether the command ends well."""
        try:
            self.kubectl(*arguments)
        except AssertionError:
            return False
        return True

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", stdin="---\n".join(json.dumps(each) + "\n" for each in objects))

    def get(self, pod: str, path: str = "/", *, accept: str = "*/*") -> Answer:
        return self.proxy.request("GET", f"{self._api}/pods/{pod}/proxy{path}", accept=accept)

    def post(self, pod: str, value: str, **headers: str) -> Answer:
        """A change through the API server; an underscore in a header's name is a hyphen."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.proxy.request("POST", f"{self._api}/pods/{pod}/proxy/", value.encode(), headers=named)

    def overview(self, pod: str) -> dict[str, Any]:
        """`GET /` of the pod, as JSON."""
        answer = self.get(pod, accept="application/json")
        assert answer.status == 200, answer.text
        members: dict[str, Any] = json.loads(answer.body)
        return members

    def value(self, pod: str) -> str:
        """`GET /data` of the pod."""
        answer = self.get(pod, "/data")
        assert answer.status == 200, answer.text
        return answer.text

    def unrestrict(self) -> None:
        """Pods may do all from now on that the restricted standard forbids."""
        kubectl(
            "label", "--overwrite", "namespace", self.name, "pod-security.kubernetes.io/enforce=privileged"
        )

    def pod(self, name: str) -> dict[str, Any] | None:
        """What the API server knows of the pod; None where it knows of none."""
        answer = self.proxy.request("GET", f"{self._api}/pods/{name}")
        return json.loads(answer.body) if answer.status == 200 else None

    def delete(self, name: str) -> None:
        """Deletes the pod; returns as soon as the API server knows."""
        answer = self.proxy.request("DELETE", f"{self._api}/pods/{name}")
        assert answer.status == 200, answer.text

    def ready(self, name: str) -> bool:
        pod = self.pod(name)
        return pod is not None and is_ready(pod)

    def settled(self, statefulset: str) -> None:
        """Waits until all of its pods run its newest template and are ready."""
        self.kubectl("rollout", "status", f"statefulset/{statefulset}", "--timeout=150s", timeout=180)

    def scale(self, statefulset: str, replicas: int) -> None:
        """Scales, and waits until exactly so many pods are there and ready."""
        self.kubectl("scale", f"statefulset/{statefulset}", f"--replicas={replicas}")
        self.kubectl("wait", "--for=delete", f"pod/{statefulset}-{replicas}", "--timeout=90s")
        self.settled(statefulset)

    def listed(self, pod: str) -> list[str]:
        """The peers that the pod lists with an answer, by their host names' first labels."""
        return [peer["name"].partition(".")[0] for peer in self.overview(pod)["peers"] if "error" not in peer]


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether the pod's condition says so, and nobody has deleted it."""
    conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", ())}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]
