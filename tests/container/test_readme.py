"""The README's `docker run` lines, word for word, pasted as one piece."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import docker
import docker.errors
import pytest

from tests.container.engine import ROOT
from tests.support.paste import paste, shell_blocks

pytestmark = pytest.mark.timeout(300)
GREETING = "Hey there! This greeting was submitted to kubia."


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


@pytest.mark.usefixtures("unused")
def test_the_lines_work_when_pasted_as_one_piece_and_the_value_outlives_the_container(
    tmp_path: Path,
) -> None:
    (lines,) = [block for block in shell_blocks() if block.startswith("docker build")]
    (tmp_path / ".curlrc").write_text("silent\n")
    shown = paste(lines, ROOT, env={"CURL_HOME": str(tmp_path)}, timeout=250)
    hosts = [container[:12] for container in re.findall(r"^[0-9a-f]{64}$", shown, re.MULTILINE)]
    assert len(set(hosts)) == 2
    first, last = hosts
    tail = shown[shown.index(f"You've hit {first}") :]
    assert [line for line in tail.splitlines() if not re.fullmatch(r"[0-9a-f]{64}", line)] == [
        f"You've hit {first}",
        "Data stored on this pod: No data posted yet",
        f"Data stored on pod {first}",
        "kubia",  # removed
        f"You've hit {last}",
        f"Data stored on this pod: {GREETING}",
    ]
