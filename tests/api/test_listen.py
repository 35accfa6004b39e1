"""Where a pod listens."""

import socket
from pathlib import Path

import pytest

from kubia_pet.config import Settings
from kubia_pet.web.listener import listen
from tests.hostile.clients.raw_http import address_of, statuses
from tests.support.pod import Pod
from tests.support.streams import ask


def test_a_taken_port_is_a_clear_sentence(tmp_path: Path) -> None:
    with Pod(tmp_path / "data") as pod:
        _, port = address_of(pod.url)
        second = Pod(tmp_path / "other", f"--port={port}", name="kubia-1").launch()
        assert second.process.wait(20) == 1
        (line,) = second.log.read_text().splitlines()
        assert line.endswith(f" ERROR Cannot listen on 127.0.0.1, port {port}: Address already in use.")


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_without_a_host_it_listens_on_ipv4_and_ipv6() -> None:
    with listen(Settings(port=0)) as listener:
        listener.settimeout(5)
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, listener.getsockname()[1]), 5), listener.accept()[0]:
                pass


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_an_ipv6_host_is_served_and_shown_in_brackets(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", "--host=::1") as pod:
        assert pod.url.startswith("http://[::1]:")
        assert statuses(await ask(pod.url, "GET", "/healthz")) == [200]
