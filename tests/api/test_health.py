"""`kubia-pet health`: what HEALTHCHECK runs."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.bad_peers import Behaviour, answers, peer, says
from tests.support.pod import Pod, until


async def health(*options: str, **env: str) -> tuple[int | None, str]:
    """Exit status and output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kubia_pet", "health", *options), stdout=-1, stderr=-2, env=os.environ | env
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_a_pod_that_serves_is_alive(pod: Pod) -> None:
    port = pod.url.rpartition(":")[2]
    assert await health(f"--port={port}") == (0, f"The pod at 127.0.0.1 port {port} is alive.\n")


async def test_port_and_address_come_from_the_servers_own_variables(pod: Pod) -> None:
    port = pod.url.rpartition(":")[2]
    assert (await health(KUBIAPET_PORT=port, KUBIAPET_HOST="127.0.0.1"))[0] == 0


async def test_a_pod_whose_volume_is_gone_is_alive(pod: Pod) -> None:
    pod.data_dir.rename(pod.data_dir.with_name("elsewhere"))
    assert (await health(f"--port={pod.url.rpartition(':')[2]}"))[0] == 0


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


DEAD = {
    "answers 503.": answers(b"", "503 Service Unavailable"),
    "does not answer: timed out.": silent,
    "does not answer: Remote end closed connection without response.": says(b""),
    "answers something that is not HTTP.": says(b"SSH-2.0-x\r\n"),
}


@pytest.mark.parametrize(("sentence", "behaviour"), DEAD.items(), ids=DEAD)
async def test_any_other_answer_is_said_in_one_sentence(sentence: str, behaviour: Behaviour) -> None:
    async with peer(behaviour) as port:
        status, output = await health(f"--port={port}")
    assert (status, output.count("\n")) == (1, 1)
    assert output.startswith(f"The pod at 127.0.0.1 port {port} {sentence}")


async def test_nobody_listening_is_said_too(unused_tcp_port_factory: Callable[[], int]) -> None:
    port = unused_tcp_port_factory()
    status, output = await health(f"--port={port}")
    assert (status, output) == (1, f"The pod at 127.0.0.1 port {port} does not answer: Connection refused.\n")


@pytest.fixture
def container(tmp_path: Path, unused_tcp_port: int) -> Iterator[tuple[int, list[str]]]:
    """A pod that is process 1, its port an option: (port, what runs a program beside it)."""
    program = str(Path(sys.executable).with_name("kubia-pet"))
    command = [program, "serve", f"--port={unused_tcp_port}", "--host", "127.0.0.1", "--service="]
    space = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if shutil.which("unshare") is None or subprocess.run([*space, "true"], check=False).returncode:
        pytest.skip("only root has process numbers of its own")
    with subprocess.Popen([*space, *command, f"--data-dir={tmp_path}"]) as unshare:
        children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children")
        until("process 1", children.read_text)
        yield unused_tcp_port, ["nsenter", "--pid", "--mount", "--target", children.read_text().strip()]
        os.kill(int(children.read_text()), signal.SIGKILL)


def test_the_port_that_process_1_was_told_is_the_one_that_is_asked(
    container: tuple[int, list[str]],
) -> None:
    port, beside = container

    def said() -> str:
        command = [*beside, sys.executable, "-m", "kubia_pet", "health"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    until("it to be alive", lambda: said() == f"The pod at 127.0.0.1 port {port} is alive.\n")
