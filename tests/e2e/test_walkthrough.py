"""docs/walkthrough.md, command by command, as a reader would type it."""

import shutil
import socket
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import ROOT, image_under_test, set_image
from tests.e2e.kubectl import kubectl
from tests.e2e.nodes import commands, require_commands
from tests.support.console import Section, sections
from tests.support.reader import PATIENCE, Reader
from tests.support.shell import Shell

NAMESPACE = "walkthrough"
DOCUMENT = ROOT / "docs" / "walkthrough.md"
SECTIONS = sections(DOCUMENT.read_text())
pytestmark = [pytest.mark.alone, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """In a checkout whose k8s/ names the image under test, logged in by a configuration of their own."""
    home = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "k8s", home / "k8s")
    image = image_under_test()
    for kustomization in ("kustomization.yaml", "check/kustomization.yaml"):
        set_image(home / "k8s" / kustomization, image)
    (home / "kubeconfig").write_text(kubectl("config", "view", "--raw", "--flatten"))
    (home / ".curlrc").write_text("silent\nshow-error\n")  # no progress meter, as on a terminal
    env = {"KUBECONFIG": str(home / "kubeconfig"), "CURL_HOME": str(home), "LC_ALL": "C.UTF-8", **commands()}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Shell(home, env) as shell:
        typed = {"localhost:8001": f"localhost:{port}", "kubectl proxy": f"kubectl proxy --port={port}"}
        reader = Reader(shell, DOCUMENT, typed, {f":{port}": ":8001"})
        yield reader
        if reader.stuck_at:
            shell.run('test -z "$there" || $NODE_HEAL $there', PATIENCE)
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.heading)
def test_every_command_prints_what_the_document_shows(reader: Reader, section: Section) -> None:
    if any("$NODE_CUT" in step.command for step in section.steps):
        require_commands()
    reader.follow(section)
