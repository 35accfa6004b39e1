"""Changes by others while the pod serves, also to something that is no file of ours."""

import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kubia_pet.limits import MAX_STORED_BYTES
from tests.durability.asking import NOT_FOUND, STORED, UNAVAILABLE, ask, get, is_ready, post
from tests.durability.machine import needs
from tests.durability.volumes import tmpfs
from tests.support.pod import Pod

SECONDS = 2.0
TOO_LARGE = 413
MEMORY = 8 << 20  # bytes: some copies of the largest value


def directory(path: Path) -> None:
    path.mkdir()


def filled_directory(path: Path) -> None:
    path.mkdir()
    (path / "file").write_text("in it")


def fifo(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    os.chdir(path.parent)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path.name)


def link_elsewhere(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def two_gibibytes(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2 << 30)


def endless_device(path: Path) -> None:
    needs("mount", root=True)
    os.mknod(path, 0o20666, os.makedev(1, 5))  # /dev/zero


ODD = [
    directory,
    filled_directory,
    fifo,
    unix_socket,
    link_elsewhere,
    link_to_itself,
    dangling_link,
    two_gibibytes,
    endless_device,
]


def peak_memory(pod: Pod) -> int:
    """The most memory, in bytes, that the pod has had so far; 0 where the kernel does not say."""
    status = Path(f"/proc/{pod.process.pid}/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) * 1024 if found else 0


@pytest.mark.parametrize("put", ODD)
def test_something_odd_in_the_values_place_is_told_in_bounded_time_and_memory_and_a_post_replaces_it(
    pod: Pod, put: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pod.data_dir)
    file = pod.data_dir / "kubia.txt"
    post(pod, b"v" * (1 << 20))
    get(pod)
    before = peak_memory(pod)
    file.unlink()
    put(file)
    began = time.monotonic()

    replies = [ask(pod, "GET", path) for path in ("/data", "/", "/readyz")]

    assert time.monotonic() - began < SECONDS
    assert peak_memory(pod) - before < MEMORY
    for reply in replies:
        assert reply.status == UNAVAILABLE
        assert str(file) in reply.body.decode()
        assert "remove it" in reply.body.decode()
    assert ask(pod, "GET", "/healthz").status == STORED
    if put in (directory, filled_directory):
        refused = post(pod, b"new")
        assert refused.status == UNAVAILABLE
        assert b"Is a directory" in refused.body
        (pod.data_dir / "file").unlink(missing_ok=True)
        file.rename(pod.data_dir / "moved away")
    assert post(pod, b"new").status == STORED
    assert get(pod) == (STORED, b"new")
    assert is_ready(pod)
    assert "Traceback" not in pod.log.read_text()


@pytest.mark.parametrize("put", ODD)
def test_a_pod_starts_with_something_odd_in_the_values_place_and_says_so(
    tmp_path: Path, put: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    monkeypatch.chdir(data_dir)
    put(data_dir / "kubia.txt")
    with Pod(data_dir) as pod:
        assert get(pod).status == UNAVAILABLE
        assert not is_ready(pod)
        assert ask(pod, "GET", "/healthz").status == STORED


def test_a_directory_under_the_name_of_the_temporary_file_is_moved_away_with_what_is_in_it(
    tmp_path: Path,
) -> None:
    data_dir = tmp_path / "data"
    temporary = data_dir / ".kubia.txt.tmp"
    filled_directory(make(temporary.parent) / temporary.name)
    with Pod(data_dir) as pod:
        assert is_ready(pod)
        assert post(pod, b"value").status == STORED
        filled_directory(temporary)
        assert get(pod) == (STORED, b"value")
        assert post(pod, b"new").status == STORED
        assert get(pod) == (STORED, b"new")
        for number in range(2):
            moved = data_dir / f".kubia.txt.tmp.moved-{number}"
            assert (moved / "file").read_text() == "in it"
            assert moved.name in pod.log.read_text()


def test_a_directory_there_that_cannot_be_moved_is_named_in_answers_and_log(tmp_path: Path) -> None:
    temporary = make(tmp_path / "data") / ".kubia.txt.tmp"
    with Pod(tmp_path / "data") as pod, tmpfs(temporary):  # a mount point: busy
        assert post(pod, b"value").status == UNAVAILABLE
        assert f"{temporary.name} is a directory" in post(pod, b"value").body.decode()
        assert get(pod).status == NOT_FOUND
        assert not is_ready(pod)
        assert f"{temporary.name} is a directory" in pod.log.read_text()


def make(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_value_over_a_limit_that_was_lowered_is_still_served_and_only_new_ones_are_bounded(
    tmp_path: Path,
) -> None:
    for value in (b"v" * 11, b"v" * MAX_STORED_BYTES):
        with Pod(tmp_path / "data", "--max-value=16MiB") as pod:
            assert post(pod, value).status == STORED
        with Pod(tmp_path / "data", "--max-value=10") as pod:
            assert is_ready(pod)
            assert get(pod) == (STORED, value)
            shown = ask(pod, "GET", "/")
            assert shown.status == STORED
            assert value in shown.body
            assert post(pod, value).status == TOO_LARGE
            assert get(pod) == (STORED, value)
            assert is_ready(pod)
            assert post(pod, b"v" * 10).status == STORED
            assert get(pod) == (STORED, b"v" * 10)


def test_one_over_what_is_ever_served_is_told(pod: Pod) -> None:
    with (pod.data_dir / "kubia.txt").open("wb") as file:
        file.truncate(MAX_STORED_BYTES + 1)
    refused = get(pod)
    assert refused.status == UNAVAILABLE
    assert f"over the limit of {MAX_STORED_BYTES} bytes" in refused.body.decode()


def test_what_others_write_rename_or_remove_shows_in_the_next_get(pod: Pod) -> None:
    file = pod.data_dir / "kubia.txt"
    file.write_bytes(b"by kubectl exec")
    assert get(pod) == (STORED, b"by kubectl exec")
    beside = pod.data_dir / "beside"
    beside.write_bytes(b"by kubectl cp")
    beside.rename(file)
    assert get(pod) == (STORED, b"by kubectl cp")
    file.write_bytes(b"")
    assert get(pod) == (STORED, b"")
    file.unlink()
    assert get(pod).status == NOT_FOUND
    assert is_ready(pod)
