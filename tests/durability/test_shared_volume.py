"""One volume mounted on two nodes, whose locks reach to the other node or not; and none with attributes."""

from pathlib import Path

import pytest

from tests.durability.asking import STORED, ask, get, is_ready, ledger, post
from tests.durability.machine import needs_strace
from tests.durability.strace import Strace, parsed
from tests.durability.test_commit_order import TRACED, steps
from tests.durability.volumes import fuse
from tests.support.pod import Pod, until

FULL_NAME = ("--service=kubia.default.svc.cluster.local.", "--nameserver=127.0.0.1:1")


@pytest.mark.parametrize("locks", ["server", "nfs"])
def test_a_second_node_is_kept_out_by_a_lock_of_the_servers(tmp_path: Path, locks: str) -> None:
    source = tmp_path / "export"
    with (
        fuse(tmp_path / "one", source, locks),
        fuse(tmp_path / "two", source, locks),
        Pod(tmp_path / "one" / "data") as first,
    ):
        post(first, b"value")
        second = Pod(tmp_path / "two" / "data", name="second")
        with pytest.raises(AssertionError, match="locked by another process"):
            second.start()
        first.kill()
        with second:
            assert get(second) == (STORED, b"value")
            assert ledger(second)["verdict"]["verdict"] == "good"


def test_two_nodes_that_no_lock_keeps_apart_both_say_that_they_share_the_volume(tmp_path: Path) -> None:
    source = tmp_path / "export"
    with (
        fuse(tmp_path / "one", source),
        fuse(tmp_path / "two", source),
        Pod(tmp_path / "one" / "data", *FULL_NAME) as first,
        Pod(tmp_path / "two" / "data", *FULL_NAME, "--refuse-foreign-volume", name="second") as second,
    ):
        until("the first to see it", lambda: ledger(first)["verdict"]["verdict"] == "shared")
        until("the second to see it", lambda: ledger(second)["verdict"]["verdict"] == "shared")
        assert ledger(second)["start"]["id"] in "".join(ledger(first)["verdict"]["evidence"])
        assert is_ready(first)
        assert not is_ready(second)
        post(first, b"value")
        assert get(second) == (STORED, b"value")
        assert first.terminate() == second.terminate() == 0
        with Pod(tmp_path / "one" / "data", *FULL_NAME) as again:
            assert ledger(again)["verdict"]["verdict"] == "shared"


def test_without_extended_attributes_numbers_are_kept_in_a_file_by_one_fsync_more(tmp_path: Path) -> None:
    needs_strace()
    with fuse(tmp_path / "volume"):
        with Pod(tmp_path / "volume" / "data") as pod:
            trace = tmp_path / "trace"
            post(pod, b"one")
            with Strace(trace, *TRACED, pod=pod):
                assert post(pod, b"two").status == STORED
            assert [meaning for meaning, _ in steps(parsed(trace.read_text().splitlines()))] == [
                *("write", "number", "fsync of the number", "fsync of the file"),
                *("rename", "fsync of the directory", "answer"),
            ]
            before = ledger(pod)
            assert before["commit"]["count"] == 2
            pod.kill()
        for removed in (False, True):
            with Pod(tmp_path / "volume" / "data") as pod:
                found = ledger(pod)
                assert found["verdict"]["verdict"] == "good"
                assert found["commit"] == before["commit"]
                assert found["fault"] is None
                if not removed:
                    post(pod, b"three")
                    (pod.data_dir / "kubia.txt").write_bytes(b"by hand")
                    assert ledger(pod)["verdict"]["verdict"] == "changed-outside"
                    assert ask(pod, "DELETE", "/").status == STORED
                    before = ledger(pod)
                    assert before["commit"]["digest"] is None
                pod.kill()
