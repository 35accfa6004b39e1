"""The chart and k8s/ say the same, object by object: with the defaults, and with each of the components."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.chart.helm import ROOT, Rendered, by_name, rendered
from tests.support.tools import tool

COMPONENTS: dict[str, dict[str, Any]] = {
    "network-policy": {"networkPolicy": {"enabled": True}},
    "openshift": {"openshift": True},
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
    """The objects without what may differ: Helm's labels, the image's tag, and Helm's hooks."""

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
    assert made == told_apart(kustomized(tmp_path, component))
    assert made != told_apart(rendered())


def test_every_component_of_k8s_has_its_value() -> None:
    directories = {each.parent.name for each in (ROOT / "k8s").glob("*/kustomization.yaml")}
    assert directories - NOT_OF_A_SET == set(COMPONENTS)


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
        if key in {"selector", "labelSelector", "podSelector"}
    ]
    return found + [each for value in member.values() for each in selectors(value)]


def test_no_object_names_a_namespace() -> None:
    assert not [name for name, each in rendered().items() if "namespace" in each["metadata"]]
