"""Two processes on one volume."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.durability.asking import STORED, ask, get, is_ready, post
from tests.support.pod import Pod, until


def test_a_second_process_ends_with_a_sentence_and_changes_nothing(tmp_path: Path) -> None:
    with Pod(tmp_path / "data") as first:
        post(first, b"the first one's")
        second = Pod(first.data_dir, "--lock-wait=300ms", name="second").launch()
        assert second.process.wait(10) == 1
        assert f"{first.data_dir} is locked by another process" in second.log.read_text()
        assert "Traceback" not in second.log.read_text()
        assert get(first) == (STORED, b"the first one's")
        assert is_ready(first)


@pytest.mark.parametrize("end", [Pod.kill, Pod.terminate], ids=["killed", "terminated"])
def test_a_second_process_never_serves_while_the_first_lives_and_takes_over_when_it_is_gone(
    tmp_path: Path, end: Callable[[Pod], object]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Pod(tmp_path / "data") as first:
        second = Pod(first.data_dir, "--lock-wait=30s", f"--port={port}", name="second").launch()
        second.url = f"http://127.0.0.1:{port}"
        try:
            until("the second to start", lambda: connects(port), 20)
            for number in range(20):
                assert post(first, b"%d" % number).status == STORED
                with pytest.raises(TimeoutError):
                    ask(second, "GET", "/healthz", timeout=0.05)
            end(first)
            until("the second to serve", lambda: "listens on" in second.log.read_text())
            assert get(second) == (STORED, b"19")
            assert is_ready(second)
        finally:
            second.kill()


def connects(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
