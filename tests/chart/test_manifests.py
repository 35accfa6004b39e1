"""The chart and k8s/ say the same, object by object: with the defaults, and with each of the components."""

import json
import re
import shutil
import subprocess
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.helm import ROOT, Rendered, by_name, rendered
from tests.support.tools import tool

COMPONENTS: dict[str, dict[str, Any]] = {
    "faults": {"faults": True},
    "network-policy": {"networkPolicy": {"enabled": True}},
    "network-policy/cluster-dns": {"networkPolicy": {"enabled": True, "clusterDns": True}},
    "network-policy/namespace-clients": {"networkPolicy": {"enabled": True, "namespaceClients": True}},
    "openshift": {"openshift": True},
    "token": {"token": {"secret": "kubia-token"}},
}
NOT_OF_A_SET = {"check"}  # a Job beside the set; what stands for it in the chart is its test


def kustomized(directory: Path, *components: str) -> Rendered:
    """What kubectl makes of k8s/ and those of its components."""
    shutil.copytree(ROOT / "k8s", directory / "k8s")
    own = directory / "own"
    own.mkdir()
    members = {"resources": ["../k8s"], "components": [f"../k8s/{each}" for each in components]}
    (own / "kustomization.yaml").write_text(json.dumps(members))
    done = subprocess.run(
        [tool("kubectl"), "kustomize", own], capture_output=True, text=True, timeout=30, check=True
    )
    return by_name(done.stdout)


def told_apart(objects: Rendered) -> Rendered:
    """The objects without what may differ: Helm's labels and hooks, the image's tag, order."""

    def bare(member: Any) -> Any:
        if isinstance(member, list):
            return [bare(each) for each in member]
        if not isinstance(member, dict):
            return member
        kept = {
            key: bare(value)
            for key, value in member.items()
            if not key.startswith(("app.kubernetes.io/", "helm.sh/"))
        }
        if isinstance(kept.get("image"), str):
            kept["image"] = re.sub(r":[\w.-]+$", "", kept["image"])
        for named in {"env", "volumes", "volumeMounts"} & kept.keys():
            kept[named].sort(key=itemgetter("name"))
        return kept

    return {
        name: bare(each)
        for name, each in objects.items()
        if "helm.sh/hook" not in each["metadata"].get("annotations", {})
    }


def test_with_the_defaults_as_release_kubia_it_is_k8s(tmp_path: Path) -> None:
    assert told_apart(rendered()) == told_apart(kustomized(tmp_path))


@pytest.mark.parametrize("component", COMPONENTS)
def test_with_a_components_value_it_is_k8s_with_that_component(component: str, tmp_path: Path) -> None:
    made = told_apart(rendered(COMPONENTS[component]))
    outer = [component.partition("/")[0]] if "/" in component else []
    assert made == told_apart(kustomized(tmp_path, *outer, component))
    assert made != told_apart(rendered())


def test_every_component_of_k8s_has_its_value() -> None:
    found = (ROOT / "k8s").glob("*/**/kustomization.yaml")
    directories = {str(each.parent.relative_to(ROOT / "k8s")) for each in found}
    assert directories - NOT_OF_A_SET == set(COMPONENTS)


def test_helm_test_runs_what_the_job_of_k8s_runs_and_keeps_its_log() -> None:
    job = yaml.safe_load((ROOT / "k8s" / "check" / "job.yaml").read_text())["spec"]
    pod = rendered()["Pod kubia-check"]
    (ours,), (theirs,) = (spec.pop("containers") for spec in (pod["spec"], job["template"]["spec"]))
    assert pod["spec"] == job["template"]["spec"] | {"activeDeadlineSeconds": job["activeDeadlineSeconds"]}
    assert ours.pop("args") == [*theirs.pop("args"), "--public=kubia-public", "--replicas=2"]
    assert ours.pop("image").partition(":")[0] == theirs.pop("image")
    assert ours == theirs
    assert "app" not in pod["metadata"]["labels"], "a Service would lead to it"
    assert "kubia-client" in pod["metadata"]["labels"], "the network policy would keep it out"
    assert pod["metadata"]["annotations"] == {
        "helm.sh/hook": "test",
        "helm.sh/hook-delete-policy": "before-hook-creation",
    }


def test_helm_test_runs_where_the_set_may() -> None:
    objects = rendered({"nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "dedicated"}]})
    places = (objects["Pod kubia-check"]["spec"], objects["StatefulSet kubia"]["spec"]["template"]["spec"])
    for spec in places:
        assert (spec["nodeSelector"], spec["tolerations"]) == ({"disk": "ssd"}, [{"key": "dedicated"}])


@pytest.mark.parametrize("openshift", [False, True], ids=["anywhere", "on OpenShift"])
def test_whoever_mounts_the_token_is_of_the_group_that_may_read_it(*, openshift: bool) -> None:
    objects = rendered({"token": {"secret": "mine"}, "openshift": openshift})
    for spec in (
        objects["Pod kubia-check"]["spec"],
        objects["StatefulSet kubia"]["spec"]["template"]["spec"],
    ):
        assert [each["secret"]["defaultMode"] for each in spec["volumes"]] == [0o440]
        groups = {spec["securityContext"].get(each) for each in ("runAsGroup", "fsGroup")}
        assert groups == ({None} if openshift else {10001}), "there the namespace gives one"


def test_two_releases_fit_one_namespace() -> None:
    options = ("networkPolicy", "podMonitor", "prometheusRule", "dashboard")
    everything = {option: {"enabled": True} for option in options}
    ours, theirs = rendered(everything), rendered(everything, release="zoo")
    assert not ours.keys() & theirs.keys()
    for objects, name in ((ours, "kubia"), (theirs, "zoo")):
        spec = objects[f"StatefulSet {name}"]["spec"]
        assert spec["serviceName"] == name
        assert spec["template"]["metadata"]["labels"]["app"] == name
        for selector in selectors(list(objects.values())):
            assert selector == {"app": name}


def selectors(member: Any) -> list[dict[str, str]]:
    """Everything in the objects that selects pods."""
    if isinstance(member, list):
        return [found for each in member for found in selectors(each)]
    if not isinstance(member, dict):
        return []
    found = [
        value.get("matchLabels", value)
        for key, value in member.items()
        if key in {"selector", "labelSelector", "podSelector"} and "matchExpressions" not in value
    ]
    return found + [each for value in member.values() for each in selectors(value)]


def test_no_object_names_a_namespace() -> None:
    assert not [name for name, each in rendered().items() if "namespace" in each["metadata"]]
