"""The install manifest and the released chart run one image, by its digest, and are otherwise the tree's."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from kubia_pet import __version__
from release import ROOT, ReleaseError, chart, manifests
from tests.chart.helm import by_name, rendered
from tests.support.tools import tool

REPOSITORY, DIGEST = "registry.example/owner/kubia-pet", "sha256:" + "0123456789abcdef" * 4
IMAGE = f"{REPOSITORY}@{DIGEST}"


def test_one_file_is_what_kustomize_makes_with_that_image(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    (tmp_path / "own").mkdir()
    images = [{"name": "kubia-pet", "newName": REPOSITORY, "digest": DIGEST}]
    own = {"resources": ["../k8s"], "images": images}
    (tmp_path / "own" / "kustomization.yaml").write_text(json.dumps(own))
    done = subprocess.run(
        [tool("kubectl"), "kustomize", tmp_path / "own"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert by_name(manifests.one_file(IMAGE)) == by_name(done.stdout)


def test_one_file_keeps_the_comments_that_explain_it() -> None:
    assert "# How a pod ends" in manifests.one_file(IMAGE)


def test_a_kustomization_that_does_more_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    path = tmp_path / "k8s" / "kustomization.yaml"
    path.write_text(path.read_text() + "namePrefix: my-\n")
    with pytest.raises(ReleaseError, match="namePrefix"):
        manifests.one_file(IMAGE, tmp_path / "k8s")


def test_the_released_chart_runs_that_image_and_is_otherwise_the_trees(tmp_path: Path) -> None:
    made = tmp_path / "kubia-pet"
    chart.with_image(REPOSITORY, DIGEST, made)
    text = json.dumps(rendered(chart=made))
    ours = json.dumps(rendered())
    assert text.count(IMAGE) == ours.count(f"kubia-pet:{__version__}") == 2  # the set's, and its test's
    assert text == ours.replace(f"kubia-pet:{__version__}", IMAGE)
    values = yaml.safe_load((made / "values.yaml").read_text())
    assert values["image"] == {
        "repository": REPOSITORY,
        "tag": "",
        "digest": DIGEST,
        "pullPolicy": "IfNotPresent",
    }
    assert not [each for each in made.rglob("*") if each.is_symlink()]


@pytest.mark.parametrize("image", ["kubia-pet", "kubia-pet:1.1.0", f"kubia-pet@{DIGEST[:-1]}"])
def test_an_image_without_a_digest_is_refused(image: str, tmp_path: Path) -> None:
    runs = (manifests.main, [image]), (chart.main, [image, str(tmp_path / "chart")])
    for command, arguments in runs:
        done = CliRunner().invoke(command, arguments)
        assert done.exit_code == 1
        assert "names no digest" in done.output
    assert not list(tmp_path.iterdir())
