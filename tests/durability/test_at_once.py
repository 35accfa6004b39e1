"""Looks that are answered from the kernel's memory, on real file systems: that they wait for nothing."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kubia_pet.store.at_once import LARGEST, NotAtOnceError
from kubia_pet.store.volume import Volume
from tests.durability.asking import STORED, get, post
from tests.durability.machine import needs_strace
from tests.durability.strace import RECEIVES, SENDS, Strace, parsed
from tests.durability.volumes import ext4, fuse, run, unmount
from tests.pods import Pod

LIMIT = 1 << 20


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    """A volume on ext4, which tells what it has in memory, with a value that was read once."""
    with ext4(tmp_path / "data") as path:
        volume = Volume(path, LIMIT)
        volume.open(0)
        volume.replace(b"value")
        volume.read()
        yield volume
        volume.close()


def test_a_value_in_memory_is_read_at_once(volume: Volume) -> None:
    assert volume.read_at_once() == b"value"


@pytest.mark.parametrize("data", [b"", b"\xff\x00", b"v" * LARGEST])
def test_so_is_each_new_one_byte_for_byte(volume: Volume, data: bytes) -> None:
    volume.replace(data)
    assert volume.read_at_once() == data
    (volume.path / "kubia.txt").write_bytes(data + b"!")
    assert volume.read() == data + b"!"


def test_that_there_is_none_is_told_at_once_too(volume: Volume) -> None:
    volume.remove()
    assert volume.read() is None
    assert volume.read_at_once() is None


def test_bytes_that_are_not_in_memory_are_not_waited_for(volume: Volume) -> None:
    with (volume.path / "kubia.txt").open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with pytest.raises(NotAtOnceError):
        volume.read_at_once()
    assert volume.read() == b"value"
    assert volume.read_at_once() == b"value"


def test_a_path_that_leads_through_a_file_system_that_hangs_is_not_waited_for(
    volume: Volume, tmp_path: Path
) -> None:
    (tmp_path / "outer.source" / "data").mkdir(parents=True)
    with fuse(tmp_path / "outer") as outer:
        inner = Volume(outer.path / "data", LIMIT)
        run("mount", "--bind", volume.path, inner.path)
        volume.close()
        try:
            inner.open(0)
            assert inner.read() == b"value"
            with outer.hung(), pytest.raises(NotAtOnceError):
                inner.read_at_once()
            assert inner.read() == b"value"
            inner.close()
        finally:
            unmount(inner.path)


def test_no_time_of_access_is_noted_as_that_would_wait_for_the_journal(volume: Volume) -> None:
    file = volume.path / "kubia.txt"
    os.utime(file, ns=(0, file.stat().st_mtime_ns))
    assert volume.read_at_once() == b"value"
    assert file.stat().st_atime_ns == 0
    file.read_bytes()
    assert file.stat().st_atime_ns > 0


def put_elsewhere(volume: Volume) -> None:
    there = volume.path.with_name("elsewhere")
    there.mkdir()
    (there / "kubia.txt").write_bytes(b"of another volume")
    volume.path = there


def put_link(volume: Volume) -> None:
    (volume.path / "kubia.txt").rename(volume.path / "other.txt")
    (volume.path / "kubia.txt").symlink_to("other.txt")


def put_fifo(volume: Volume) -> None:
    (volume.path / "kubia.txt").unlink()
    os.mkfifo(volume.path / "kubia.txt")


def put_large(volume: Volume) -> None:
    (volume.path / "kubia.txt").write_bytes(b"v" * (LARGEST + 1))


@pytest.mark.parametrize("change", [put_elsewhere, put_link, put_fifo, put_large, Volume.close])
def test_what_is_no_small_file_of_ours_is_left_to_a_look_that_may_wait(
    volume: Volume, change: Callable[[Volume], None]
) -> None:
    change(volume)
    with pytest.raises(NotAtOnceError):
        volume.read_at_once()


def test_a_value_over_the_limit_is_left_to_a_look_that_may_wait(volume: Volume) -> None:
    strict = Volume(volume.path, 4)
    volume.close()
    strict.open(0)
    (volume.path / "kubia.txt").write_bytes(b"four")
    assert strict.read() == strict.read_at_once() == b"four"
    (volume.path / "kubia.txt").write_bytes(b"fives")
    with pytest.raises(NotAtOnceError):
        strict.read_at_once()
    strict.close()


def test_a_file_system_that_does_not_tell_is_not_asked(tmp_path: Path) -> None:
    with fuse(tmp_path / "data") as mirrored:
        volume = Volume(mirrored.path, LIMIT)
        volume.open(0)
        volume.replace(b"value")
        assert volume.read() == b"value"
        with mirrored.hung(), pytest.raises(NotAtOnceError):
            volume.read_at_once()
        volume.close()


def test_a_request_for_a_value_in_memory_is_answered_by_one_thread_that_waits_for_no_other(
    tmp_path: Path,
) -> None:
    needs_strace()
    trace = tmp_path / "trace"
    with ext4(tmp_path / "data") as path, Pod(path) as pod:
        post(pod, b"value")
        get(pod)
        with Strace(trace, "-y", "-s", "200", pod=pod):
            assert get(pod) == (STORED, b"value")
    calls = parsed(trace.read_text().splitlines())
    (began,) = (i for i, call in enumerate(calls) if call.name in RECEIVES and "GET /data" in call.arguments)
    (ended,) = (i for i, call in enumerate(calls) if call.is_answer(STORED))
    between = calls[began : ended + 1]
    assert {call.tid for call in between} == {pod.process.pid}
    assert [call.name for call in between if "kubia.txt" in call.arguments] == [
        "openat2", "newfstatat", "preadv2", "close",
    ]  # fmt: skip
    assert not [call for call in between if call.name in {"futex", *SENDS} and not call.is_answer(STORED)]
