"""The labs that need a cluster, command by command, as a learner would type them."""

import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, image_under_test, set_image
from tests.e2e.kubectl import kubectl
from tests.e2e.nodes import commands, require_commands
from tests.support.console import sections
from tests.support.labs import LABS, make_desk, needs_cluster
from tests.support.reader import PATIENCE, Reader
from tests.support.shell import Shell

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def reader(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reader]:
    """In a clone whose k8s/ names the image under test, logged in by a configuration of their own."""
    text = request.param.read_text()
    (namespace,) = re.findall(r"^\$ kubectl create namespace (\S+)$", text, re.MULTILINE)
    if "$NODE_CUT" in text:
        require_commands()
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    set_image(tmp_path / "k8s" / "kustomization.yaml", image_under_test())
    (tmp_path / "kubeconfig").write_text(kubectl("config", "view", "--raw", "--flatten"))
    env = {"KUBECONFIG": str(tmp_path / "kubeconfig"), **make_desk(tmp_path), **commands()}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    typed = {"localhost:8001": f"localhost:{port}", "kubectl proxy": f"kubectl proxy --port={port}"}
    with Shell(tmp_path, env) as shell:
        reader = Reader(shell, request.param, typed, {f":{port}": ":8001"})
        yield reader
        if reader.stuck_at:
            shell.run('test -z "$there" || { $NODE_HEAL $there; kubectl uncordon $there; }', PATIENCE)
    kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=false")


@pytest.mark.parametrize(
    "reader", [lab for lab in LABS if needs_cluster(lab)], ids=lambda lab: lab.stem, indirect=True
)
def test_every_command_prints_what_the_lab_shows(reader: Reader) -> None:
    for section in sections(reader.document.read_text()):
        reader.follow(section)
