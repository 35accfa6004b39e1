"""Two processes on one volume."""

import json
import socket
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from kubia_pet.limits import LOCK_WAIT, WITNESS_GRACE
from kubia_pet.model.ledger import Sighting
from tests.durability.asking import STORED, UNAVAILABLE, ask, get, is_ready, post
from tests.durability.machine import needs
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


@pytest.fixture
def cluster(tmp_path: Path) -> list[str]:
    """Starts a process whose /etc/hosts is that of a StatefulSet's pod kubia-0."""
    needs("unshare", "mount", root=True)
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n127.0.0.1 kubia-0.kubia.default.svc.cluster.local kubia-0\n")
    return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts)]


@pytest.mark.parametrize("end", [Pod.kill, Pod.terminate], ids=["killed", "terminated"])
def test_in_a_cluster_a_second_process_waits_alive_and_not_ready_and_takes_over_within_a_second(
    tmp_path: Path, cluster: list[str], end: Callable[[Pod], object]
) -> None:
    unset = {"KUBIAPET_LOCK_WAIT": ""}
    with Pod(tmp_path / "data", name="first") as first:
        post(first, b"the first one's")
        with Pod(first.data_dir, prefix=cluster, env=unset) as second:
            locked = f"{first.data_dir} is locked by another process: a kubia-pet that is still ending, "
            for number in range(10):
                assert ask(second, "GET", "/healthz").status == STORED
                refused = ask(second, "GET", "/readyz")
                assert refused.status == UNAVAILABLE
                assert locked in refused.body.decode()
                for reply in (get(second), ask(second, "GET", "/"), post(second, b"the second one's")):
                    assert reply.status == UNAVAILABLE
                    assert locked in reply.body.decode()
                assert post(first, b"%d" % number).status == STORED
                assert get(first) == (STORED, b"%d" % number)
                assert is_ready(first)
            assert second.log.read_text().count(locked) == 1
            end(first)
            until("the second to take over", lambda: is_ready(second), 1)
            assert get(second) == (STORED, b"9")
            assert post(second, b"the second one's").status == STORED
            third = Pod(first.data_dir, name="third").launch()
            assert third.process.wait(10) == 1  # the lock is the second one's now
        assert "Traceback" not in second.log.read_text()


def test_what_a_volume_remembers_of_peers_outlives_a_start_that_waited_for_it(
    tmp_path: Path, cluster: list[str]
) -> None:
    peer = "kubia-1.kubia.default.svc.cluster.local"
    seen = Sighting("a" * 32, "b" * 16, 3, 7, "2026-01-02T00:00:00.000Z")
    remembered = {"peer": peer, **asdict(seen)}
    with Pod(tmp_path / "data", name="first") as first:
        file = first.data_dir / ".kubia-pet" / "witness.json"
        file.write_text(json.dumps({"format": 1, "peers": {peer: [asdict(seen)]}}))
        nobody = ("--service=kubia.default.svc.cluster.local.", "--nameserver=127.0.0.1:1")
        with Pod(first.data_dir, *nobody, prefix=cluster, env={"KUBIAPET_LOCK_WAIT": ""}) as second:
            assert not is_ready(second)
            first.kill()
            until("the second to take over", lambda: is_ready(second), 2)
            until("it to remember", lambda: _witnesses(second) == [remembered], WITNESS_GRACE + 5)
            assert second.terminate() == 0
    assert json.loads(file.read_text())["peers"] == {peer: [asdict(seen)]}


def _witnesses(pod: Pod) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(ask(pod, "GET", "/ledger").body)["witnesses"]
    return found


def test_a_second_process_that_waits_ends_when_it_is_told_to(tmp_path: Path, cluster: list[str]) -> None:
    with Pod(tmp_path / "data", name="first") as first:
        second = Pod(first.data_dir, prefix=cluster, env={"KUBIAPET_LOCK_WAIT": ""}).start()
        assert second.terminate(5) == 0
        assert is_ready(first)


def test_without_a_full_name_a_second_process_ends_after_ten_seconds(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", name="first") as first:
        began = time.monotonic()
        second = Pod(first.data_dir, name="second", env={"KUBIAPET_LOCK_WAIT": ""}).launch()
        assert second.process.wait(20) == 1
        assert time.monotonic() - began >= LOCK_WAIT
        assert "is locked by another process" in second.log.read_text()


def connects(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
