"""docs/walkthrough.md, command by command, as a reader would type it."""

import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.e2e.conftest import ROOT, image_under_test, set_image
from tests.e2e.console import Section, Step, sections
from tests.e2e.kubectl import kubectl
from tests.e2e.nodes import commands, require_commands
from tests.e2e.shell import Shell

NAMESPACE = "walkthrough"
SECTIONS = sections((ROOT / "docs" / "walkthrough.md").read_text())
PATIENCE = 150.0  # seconds for one command, or for one that is run again to print what it should
pytestmark = pytest.mark.timeout(600)


@dataclass
class Reader:
    """One who follows the document, and has a port of their own for `kubectl proxy`."""

    shell: Shell
    port: int
    stuck_at: str = field(default="")

    def follow(self, step: Step) -> None:
        """Types the command, and compares what it prints."""
        deadline = time.monotonic() + PATIENCE
        output, status = self._type(step)
        while step.again and not step.printed_by(output) and time.monotonic() < deadline:
            time.sleep(1)
            output, status = self._type(step)
        assert step.printed_by(output), (
            f"docs/walkthrough.md:{step.line}: $ {step.command}\n--- should print\n{step.output}\n"
            f"--- printed\n{output}"
        )
        assert (status != 0) == step.fails, f"docs/walkthrough.md:{step.line}: exit status {status}"

    def _type(self, step: Step) -> tuple[str, int]:
        own = f"localhost:{self.port}"
        command = step.command.replace("localhost:8001", own)
        command = command.replace("kubectl proxy", f"kubectl proxy --port={self.port}")
        shows = step.printed_by if step.in_background else None
        printed, status = self.shell.run(
            command, PATIENCE, shows=shows and (lambda text: shows(self._own(text)))
        )
        return self._own(printed), status

    def _own(self, printed: str) -> str:
        return printed.replace(f":{self.port}", ":8001")


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
        reader = Reader(shell, port)
        yield reader
        if reader.stuck_at:
            shell.run('test -z "$there" || $NODE_HEAL $there', PATIENCE)
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.heading)
def test_every_command_prints_what_the_document_shows(reader: Reader, section: Section) -> None:
    if any("$NODE_CUT" in step.command for step in section.steps):
        require_commands()
    if reader.stuck_at:
        pytest.fail(f"not reached: the reader is stuck at {reader.stuck_at!r}", pytrace=False)
    reader.stuck_at = section.heading
    for step in section.steps:
        reader.follow(step)
    reader.stuck_at = ""
