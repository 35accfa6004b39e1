"""What Helm says at an installation: the notes, and a refusal of what a StatefulSet cannot change."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.chart.api_server import api_server
from tests.chart.helm import CHART, NEWEST, ROOT, HelmError, Manifest, by_name, helm, rendered


def installed(directory: Path, values: Any, *there: Manifest) -> str:
    """What `helm install` of release kubia prints in namespace zoo, which has the StatefulSets given."""
    empty = directory / "releases.yaml"
    empty.write_text("[]")
    with api_server(*there) as url:
        return helm(
            *(
                "install",
                "kubia",
                str(CHART),
                "--namespace=zoo",
                "--dry-run=server",
                f"--kube-apiserver={url}",
            ),
            values=values,
            env={"HELM_DRIVER": "memory", "HELM_MEMORY_DRIVER_DATA": str(empty)},
        )


def notes(directory: Path, values: Any) -> str:
    return installed(directory, values).partition("\nNOTES:\n")[2]


@pytest.mark.parametrize(
    ("storage", "grow", "stay"),
    [
        ({"size": "2Gi"}, True, False),
        ({"size": "512Mi"}, False, True),
        ({"className": "fast"}, False, True),
        ({"accessMode": "ReadWriteOncePod"}, False, True),
        ({"size": "2Gi", "className": "fast"}, True, True),
    ],
)
def test_another_claim_is_refused_before_with_what_to_do(
    tmp_path: Path, storage: dict[str, str], *, grow: bool, stay: bool
) -> None:
    there = rendered({"ordinals": {"start": 3}})["StatefulSet kubia"]
    with pytest.raises(HelmError) as caught:
        installed(tmp_path, {"storage": storage, "ordinals": {"start": 3}}, there)
    said = str(caught.value)
    assert "The claims of StatefulSet kubia are of 1Gi, the default class, ReadWriteOnce" in said
    assert "kubectl --namespace zoo delete statefulset kubia --cascade=orphan" in said
    assert ("patch persistentvolumeclaim data-kubia-3" in said) is grow
    assert ("the claims that are there stay as they are" in said) is stay
    assert f" {3 + (grow and stay)}. run this command again" in said


@pytest.mark.parametrize("size", ["1Gi", "1024Mi", "1048576Ki", "1073741824"])
def test_the_same_claim_in_another_unit_is_not_refused(tmp_path: Path, size: str) -> None:
    assert "kubia has 2 pods" in installed(
        tmp_path, {"storage": {"size": size}}, rendered()["StatefulSet kubia"]
    )


def test_a_set_without_claims_is_left_to_helms_own_word(tmp_path: Path) -> None:
    there = rendered()["StatefulSet kubia"]
    del there["spec"]["volumeClaimTemplates"]
    assert "kubia has 2 pods" in installed(tmp_path, {}, there)


def test_the_set_of_another_release_does_not_matter(tmp_path: Path) -> None:
    assert "kubia has 2 pods" in installed(
        tmp_path, {"storage": {"size": "2Gi"}}, rendered(release="other")["StatefulSet other"]
    )


@pytest.mark.parametrize(
    ("values", "way"),
    [
        ({}, "kubectl get --raw /api/v1/namespaces/zoo/services/kubia-public/proxy/"),
        ({"token": {"secret": "mine"}}, "/api/v1/namespaces/zoo/pods/kubia-0/proxy/"),
        ({"networkPolicy": {"enabled": True}}, "port-forward kubia-0 8080"),
    ],
    ids=["open", "with a token", "behind a policy"],
)
def test_the_notes_show_a_way_that_these_values_leave_open(tmp_path: Path, values: Any, way: str) -> None:
    said = notes(tmp_path, values)
    assert way in said
    assert ("get secret mine -o 'go-template={{.data.token | base64decode}}'" in said) is ("token" in values)
    assert '!"' not in said, "zsh would take the quote away"
    for command in re.findall(r"^    (.*)$", said, re.MULTILINE):
        subprocess.run(["bash", "-n", "-c", command], check=True)


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_readmes_helm_line_runs_the_image_that_it_puts_on_the_nodes(readme: str) -> None:
    text = (ROOT / readme).read_text()
    (image,) = re.findall(r"`make image && kind load docker-image (\S+)`", text)
    (line,) = re.findall(r"`helm install (kubia charts/kubia-pet\b.*?)`", text)
    objects = by_name(helm("template", *line.split(), "--kube-version", NEWEST))
    (container,) = objects["StatefulSet kubia"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == image


def test_the_notes_name_the_release_its_namespace_and_its_first_pod(tmp_path: Path) -> None:
    said = notes(tmp_path, {"replicas": 3, "ordinals": {"start": 4}})
    assert "kubia has 3 pods" in said
    assert "/api/v1/namespaces/zoo/pods/kubia-4/proxy/" in said
    assert "helm test kubia --namespace zoo" in said
    assert "{{" not in said
    assert "<no value>" not in said


@pytest.mark.parametrize("what", ["Retain", "Delete"])
def test_the_notes_say_whether_the_values_outlive_the_release(tmp_path: Path, what: str) -> None:
    said = notes(tmp_path, {"claimRetention": {"whenDeleted": what}})
    assert ("The values outlive `helm uninstall`" in said) is (what == "Retain")
    assert ("`helm uninstall` deletes the values, too" in said) is (what == "Delete")
    assert "kubia-check" in said, "Helm leaves the pod of its test"
