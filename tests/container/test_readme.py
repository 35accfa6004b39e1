"""The README's `docker run` lines, word for word."""

import re
import shlex
import socket
import subprocess
from collections.abc import Iterator

import docker
import docker.errors
import pytest

from tests.container.engine import ROOT, answer
from tests.support.pod import until

pytestmark = pytest.mark.timeout(300)
HEADING = "## Run it in a container"
GREETING = "Hey there! This greeting was submitted to kubia."


def commands() -> list[str]:
    _, found, section = (ROOT / "README.md").read_text().partition(f"\n{HEADING}\n")
    assert found, f"the README has no {HEADING}"
    block = re.search(r"```shell\n(.*?)```", section, re.DOTALL)
    assert block
    return block[1].splitlines()


@pytest.fixture
def unused(client: docker.DockerClient) -> Iterator[None]:
    """The name, volume and port of the README's lines, which may be somebody's: then the test fails."""
    with pytest.raises(docker.errors.NotFound):
        client.containers.get("kubia")
    with pytest.raises(docker.errors.NotFound):
        client.volumes.get("kubia-data")
    with socket.create_server(("127.0.0.1", 8080)):
        pass
    yield
    try:
        client.containers.get("kubia").remove(force=True, v=True)
        client.volumes.get("kubia-data").remove()
    except docker.errors.NotFound:
        pass  # the test says which line failed


def run(command: str) -> str:
    if command.startswith("curl"):  # a reader is slower than this test
        until("the pet to be ready", _ready, 30)
    words = shlex.split(command)
    if words[0] == "curl":
        words.insert(1, "--silent")
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def _ready() -> bool:
    try:
        return answer("http://localhost:8080/readyz")[0] == 200
    except OSError:
        return False


@pytest.mark.usefixtures("unused")
def test_the_lines_work_and_the_value_outlives_the_container() -> None:
    outputs = [(command, run(command)) for command in commands()]
    shown = [output.splitlines() for command, output in outputs if command == "curl localhost:8080"]
    posted = [output for command, output in outputs if "-X POST" in command]
    containers = [output for command, output in outputs if command.startswith("docker run")]
    hosts = [container[:12] for container in containers]
    assert hosts[0] != hosts[-1]
    assert shown[0] == [f"You've hit {hosts[0]}", "Data stored on this pod: No data posted yet"]
    assert posted == [f"Data stored on pod {hosts[0]}\n"]
    assert shown[-1] == [f"You've hit {hosts[-1]}", f"Data stored on this pod: {GREETING}"]
