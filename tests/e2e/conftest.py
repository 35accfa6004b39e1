"""What the tests on a cluster share: see README.md beside this file for what they read and need."""

import itertools
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.kubectl import Namespace, Proxy, kubectl, proxy

ROOT = Path(__file__).parents[2]
IMAGE = os.environ.get("KUBIA_PET_IMAGE", "kubia-pet:dev")
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
_FIGURES = pytest.StashKey[list[str]]()


def missing(sentence: str) -> None:
    """Skips the test for the reason given; fails it where nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture(scope="session", autouse=True)
def cluster() -> None:
    """The cluster that KUBECONFIG names: never one that a developer merely happens to be logged in to."""
    if not os.environ.get("KUBECONFIG"):
        missing("KUBECONFIG names no cluster: see tests/e2e/README.md")
    if not shutil.which("kubectl"):
        missing("kubectl is not installed")
    kubectl("version", "--request-timeout=10s")


@pytest.fixture(scope="session")
def api() -> Iterator[Proxy]:
    with proxy() as running:
        yield running


@pytest.fixture
def new_namespace(api: Proxy) -> Iterator[Callable[[str], Namespace]]:
    """Makes namespaces that enforce the restricted Pod Security Standard, and removes them afterwards."""
    made = []

    def make(name: str) -> Namespace:
        named = {"name": name, "labels": RESTRICTED}
        kubectl(
            "create",
            "-f",
            "-",
            stdin=json.dumps({"kind": "Namespace", "apiVersion": "v1", "metadata": named}),
        )
        made.append(name)
        return Namespace(name, api)

    yield make
    for name in made:
        kubectl("delete", "namespace", name, "--wait=false")


_numbers = itertools.count()


@pytest.fixture
def namespace(new_namespace: Callable[[str], Namespace], request: pytest.FixtureRequest) -> Namespace:
    """A namespace of this test's own."""
    words = re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())
    return new_namespace(f"{words[:44].strip('-')}-{os.getpid()}-{next(_numbers)}")


@pytest.fixture
def deploy(tmp_path: Path) -> Callable[..., None]:
    """Applies k8s/ to a namespace, with the image under test and the kustomization's members given."""

    def apply(namespace: Namespace, **members: Any) -> None:
        shutil.copytree(ROOT / "k8s", tmp_path / "k8s", dirs_exist_ok=True)
        overlay = tmp_path / "overlay"
        overlay.mkdir(exist_ok=True)
        (overlay / "kustomization.yaml").write_text(
            json.dumps({"resources": ["../k8s"], "images": [image_under_test()]} | members)
        )
        namespace.kubectl("apply", "-k", str(overlay))

    return apply


def image_under_test() -> dict[str, str]:
    """KUBIA_PET_IMAGE in the place of the manifests' image, as a kustomization says it."""
    name, _, tag = IMAGE.rpartition(":")
    return {"name": manifests_image(), "newName": name, "newTag": tag}


def set_image(kustomization: Path, image: dict[str, str]) -> None:
    """The same, where one keeps k8s/ as it is but for the image."""
    text = kustomization.read_text()
    assert "newTag: dev" in text
    name = f"newName: {image['newName']}\n    newTag: {image['newTag']}"
    kustomization.write_text(text.replace("newTag: dev", name))


def manifests_image() -> str:
    """The name, without its tag, of the image that the StatefulSet runs."""
    rendered = kubectl("kustomize", str(ROOT / "k8s"))
    found = re.search(r"\bimage: ([^\s@]+?)(:[^/\s]+)?$", rendered, re.MULTILINE)
    assert found, "k8s/ names no image"
    return found[1]


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Notes a line that is printed after the tests."""
    return request.config.stash.setdefault(_FIGURES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(_FIGURES, []):
        terminalreporter.write_line(f"measured: {line}")
