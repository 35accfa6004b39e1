"""`kubia-pet health`: what HEALTHCHECK runs."""

import asyncio
import os
import sys
from collections.abc import Callable

import pytest

from tests.support.bad_peers import Behaviour, answers, peer, says
from tests.support.pod import Pod


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
