"""The chart on a cluster: installed, tested, upgraded under a probe, rolled back, uninstalled."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chart.helm import CHART, HelmError, helm
from tests.e2e.conftest import IMAGE
from tests.e2e.helper_pod import HelperPod, result
from tests.e2e.kubectl import Namespace, eventually
from tests.support.local_set import free_ports
from tests.support.shell import Shell
from tests.support.tools import tool

pytestmark = pytest.mark.timeout(600)
LOSSES = ("lost", "stale", "torn", "misdirected", "overwritten")
PODS = ["kubia-0", "kubia-1"]


class Release:
    """The chart, as a release in a namespace, with the image under test."""

    def __init__(self, namespace: Namespace, name: str = "kubia") -> None:
        self.namespace = namespace
        self.name = name

    def install(self, **values: Any) -> str:
        """Installs or upgrades it, waits until all pods are ready, and returns what Helm prints."""
        repository, _, tag = IMAGE.rpartition(":")
        given = {"image": {"repository": repository, "tag": tag}} | values
        return self._helm(
            "upgrade", "--install", self.name, str(CHART), "--wait", "--timeout=3m", values=given
        )

    def run(self, command: str, *words: str) -> str:
        return self._helm(command, self.name, *words)

    def _helm(self, *words: str, values: Any = None) -> str:
        return helm(*words, "--namespace", self.namespace.name, values=values, timeout=240)

    def pods(self) -> list[str]:
        """The UIDs of its pods."""
        found = self.namespace.kubectl(
            "get", "pods", "--selector=app=kubia", "--output=jsonpath={.items[*].metadata.uid}"
        )
        return found.split()

    def claims(self) -> set[str]:
        found = self.namespace.kubectl("get", "persistentvolumeclaims", "--output=name")
        return {each.partition("/")[2] for each in found.split()}


@pytest.fixture
def release(namespace: Namespace) -> Release:
    tool("helm")
    return Release(namespace)


def test_the_notes_lines_work_when_they_are_pasted(release: Release, tmp_path: Path) -> None:
    notes = release.install().partition("\nNOTES:\n")[2]
    blocks = re.findall(r"(?:^ {4}.*\n)+", notes, re.MULTILINE)
    assert len(blocks) == 5
    rollout, store_and_see, page, check, give_up = (
        re.sub(r"^ {4}", "", each, flags=re.MULTILINE) for each in blocks
    )
    path = f"{Path(tool('helm')).parent}:{os.environ['PATH']}"
    with Shell(tmp_path, {"PATH": path}) as shell:
        said, status = shell.run(rollout, 180)
        assert (status, "complete" in said or "roll out" in said) == (0, True), said

        def stored_and_seen() -> bool:
            said, status = shell.run(store_and_see, 60)
            assert status == 0, said
            assert "Data stored on pod kubia-0" in said
            seen = json.loads(said.partition("Data stored on pod kubia-0\n")[2])  # kubectl prefers JSON
            return "Hey there!\n" in [
                peer.get("value") for peer in seen["peers"] if peer["name"].startswith("kubia-0.")
            ]

        eventually("a list with it: DNS has its delays", stored_and_seen, 10)
        said, status = shell.run(check, 240)
        assert status == 0, said
        assert "Phase:          Succeeded" in said
        said, status = shell.run(page.partition("\n")[2], 10)  # without the proxy: its port may be taken
        assert status == 0, said
        assert said.startswith("http://localhost:8001/api/v1/namespaces/")
    assert "delete persistentvolumeclaims" in give_up


@pytest.mark.parametrize(
    "values",
    [{"token": {"secret": "mine"}}, {"networkPolicy": {"enabled": True}}],
    ids=["with a token", "behind a policy"],
)
def test_the_notes_lines_that_store_a_value_and_helm_test_work_with(
    release: Release, tmp_path: Path, values: dict[str, Any]
) -> None:
    release.namespace.kubectl("create", "secret", "generic", "mine", f"--from-literal=token={'0123' * 8}")
    notes = release.install(**values).partition("\nNOTES:\n")[2]
    (lines,) = [each for each in re.findall(r"(?:^ {4}.*\n)+", notes, re.MULTILINE) if "curl" in each]
    port = free_ports(1)  # the lines' own may be somebody's
    lines = re.sub(r"(port |localhost:)(8001|8080)\b", rf"\g<1>{port}", lines)
    lines = lines.replace(" 8080 &", f" {port}:8080 &")
    with Shell(tmp_path, {}) as shell:
        said, status = shell.run(lines, 60)
    assert status == 0, said
    stored, _, shown = said.partition("Data stored on pod kubia-0\n")
    assert re.search(r"^You've hit kubia-\d$", shown, re.MULTILINE), stored + shown
    assert "Phase:          Succeeded" in release.run("test", "--logs", "--timeout=4m")


def test_helm_test_runs_the_check_restricted_and_its_log_stays(release: Release) -> None:
    release.install()
    said = release.run("test", "--logs", "--timeout=4m")
    assert "Phase:          Succeeded" in said
    log = release.namespace.kubectl("logs", "kubia-check")
    assert "volume.own" in log
    assert "durable" in log


def test_an_upgrade_and_a_rollback_under_a_probe_lose_nothing(
    release: Release, figure: Callable[[str], None]
) -> None:
    release.install()
    namespace = release.namespace
    for pod in PODS:
        namespace.post(pod, f"value of {pod}")
    eventually("both to list both", lambda: all(namespace.listed(pod) == PODS for pod in PODS))
    running = HelperPod(namespace).probe("--service=kubia")
    eventually("the first values", lambda: all("probe" in namespace.value(pod) for pod in PODS))
    before = release.pods()

    release.install(extraEnv=[{"name": "KUBIAPET_LOG_FORMAT", "value": "json"}])
    namespace.settled("kubia")
    between = release.pods()
    assert not set(before) & set(between), "not every pod was replaced"
    assert all(json.loads(line) for line in namespace.kubectl("logs", "kubia-0").splitlines())

    release.run("rollback", "1", "--wait", "--timeout=3m")
    namespace.settled("kubia")
    assert not set(between) & set(release.pods()), "not every pod was replaced"

    seen = result(running, timeout=120)
    figure(f"probe through an upgrade and a rollback by Helm: {json.dumps(seen['total'])}")
    assert seen["verdict"] == "kept"
    assert {word: seen["total"][word] for word in LOSSES} == dict.fromkeys(LOSSES, 0)
    assert {pod: namespace.value(pod) for pod in PODS} == {pod: f"value of {pod}" for pod in PODS}


def test_uninstalled_it_leaves_the_claims_and_installed_again_has_its_values(release: Release) -> None:
    release.install()
    for pod in PODS:
        release.namespace.post(pod, f"value of {pod}")
    release.run("uninstall", "--wait", "--timeout=2m")
    assert {"data-kubia-0", "data-kubia-1"} <= release.claims()
    eventually("the pods to be gone", lambda: not release.pods())
    release.install()
    assert {pod: release.namespace.value(pod) for pod in PODS} == {pod: f"value of {pod}" for pod in PODS}


def test_another_size_is_refused_before_and_the_way_that_is_shown_works(release: Release) -> None:
    release.install()
    release.namespace.post("kubia-0", "a value")
    with pytest.raises(HelmError, match="Kubernetes lets nobody change that"):
        release.install(storage={"size": "2Gi"})
    # What it says: take the set away without its pods, let the claims grow where they can, and again.
    release.namespace.kubectl("delete", "statefulset", "kubia", "--cascade=orphan")
    release.install(storage={"size": "2Gi"})
    assert release.namespace.value("kubia-0") == "a value"
    template = "{.spec.volumeClaimTemplates[0].spec.resources.requests.storage}"
    assert release.namespace.kubectl("get", "statefulset", "kubia", f"--output=jsonpath={template}") == "2Gi"


def test_two_releases_live_in_one_namespace(release: Release) -> None:
    release.install()
    other = Release(release.namespace, "zoo")
    assert "zoo has 1 pod, each with" in other.install(replicas=1)
    eventually("zoo to list its own", lambda: release.namespace.listed("zoo-0") == ["zoo-0"])
    eventually("kubia to list its own", lambda: release.namespace.listed("kubia-0") == PODS)
