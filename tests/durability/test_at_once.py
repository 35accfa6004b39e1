"""Looks that are answered from the kernel's memory, on real file systems: that they wait for nothing."""

import http.client
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kubia_pet.limits import MAX_NOWAIT_BYTES
from kubia_pet.store import StoreError, Volume
from kubia_pet.store.nowait import Seen, prepare
from tests.durability.asking import STORED, get, post
from tests.durability.machine import needs_strace
from tests.durability.strace import RECEIVES, Call, Strace, parsed
from tests.durability.volumes import ext4, fuse, run, unmount
from tests.hostile.clients.vitals import files
from tests.support.disk import Disk, data_of
from tests.support.pod import Pod, until

LIMIT = 1 << 20


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    """A directory on ext4, which tells what it has in memory, with a value that was read once."""
    with ext4(tmp_path / "disk") as disk:
        volume = Volume(disk / "data", LIMIT)
        volume.path.mkdir()
        volume.open(0)
        volume.replace(b"value")
        volume.read()
        yield volume
        volume.close()


def test_a_value_in_memory_is_read_at_once(volume: Volume) -> None:
    assert data_of(volume.read_nowait()) == b"value"


@pytest.mark.parametrize("data", [b"", b"\xff\x00", b"v" * MAX_NOWAIT_BYTES])
def test_so_is_each_that_was_read_once_byte_for_byte(volume: Volume, data: bytes) -> None:
    volume.replace(data)
    assert data_of(volume.read_nowait()) is None
    assert data_of(volume.read()) == data_of(volume.read_nowait()) == data


def test_what_others_write_is_never_missed(volume: Volume) -> None:
    # Before Linux 6.13 many of these have the same time of change.
    for number in range(1000):
        data = b"%d" % (number % 500)
        (volume.path / "kubia.txt").write_bytes(data)
        assert data_of(volume.read_nowait()) in (None, data)
        assert data_of(volume.read()) == data


def test_nor_is_what_they_wrote_without_another_time_of_change(volume: Volume) -> None:
    path = volume.path / "kubia.txt"
    file = os.open(path, os.O_RDWR)
    assert prepare(file)
    os.pwrite(file, b"other", 0)
    seen = Seen(file, os.fstat(file))  # as if "value" had been seen at this time, too
    assert seen.read(os.fsencode(path)) == b"other"
    seen.close()


def test_that_there_is_no_value_is_told_at_once_when_it_was_seen_before(volume: Volume) -> None:
    assert not volume.is_empty_nowait()
    volume.remove()
    assert data_of(volume.read_nowait()) is None
    assert data_of(volume.read()) is None
    assert volume.is_empty_nowait()
    (volume.path / "kubia.txt").write_bytes(b"by others")
    assert not volume.is_empty_nowait()
    (volume.path / "kubia.txt").unlink()
    assert volume.is_empty_nowait()


def test_a_file_that_was_read_and_is_gone_is_left_to_a_look_that_may_wait_and_lets_go_of_it(
    volume: Volume,
) -> None:
    held = files(os.getpid())
    (volume.path / "kubia.txt").unlink()
    assert not volume.is_empty_nowait()
    assert data_of(volume.read()) is None
    assert volume.is_empty_nowait()
    assert files(os.getpid()) == held - 1


def test_a_value_that_others_bring_is_never_missed(volume: Volume) -> None:
    volume.remove()
    volume.read()
    for _ in range(1000):
        (volume.path / "kubia.txt").write_bytes(b"there")
        assert not volume.is_empty_nowait()
        (volume.path / "kubia.txt").unlink()
        assert data_of(volume.read()) is None


def test_a_removal_that_a_crash_could_take_back_is_not_shown(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    with disk.failing("directory"), pytest.raises(StoreError):
        volume.remove()
    assert not volume.is_empty_nowait()
    volume.probe()
    assert data_of(volume.read()) is None
    assert volume.is_empty_nowait()


def test_bytes_that_are_not_in_memory_are_not_waited_for(volume: Volume) -> None:
    # To ask for them makes the kernel bring them, which may be quicker than we are.
    until("a look that came too early", lambda: data_of(dropped(volume).read_nowait()) is None)
    assert data_of(volume.read()) == b"value"
    assert data_of(volume.read_nowait()) == b"value"


def dropped(volume: Volume) -> Volume:
    """The volume, whose value the kernel has no longer in memory."""
    with (volume.path / "kubia.txt").open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return volume


@pytest.mark.parametrize("failing", ["directory", "file"])
def test_a_change_that_a_crash_could_take_back_is_not_shown(
    volume: Volume, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    disk = Disk(monkeypatch)
    with disk.failing("directory"), pytest.raises(StoreError):
        volume.replace(b"new")
    assert data_of(volume.read_nowait()) is None
    with disk.failing(failing), pytest.raises(StoreError):
        volume.probe()
    assert data_of(volume.read_nowait()) is None
    volume.probe()
    assert data_of(volume.read()) == data_of(volume.read_nowait()) == b"new"


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
            assert data_of(inner.read()) == b"value"
            with outer.hung():
                assert data_of(inner.read_nowait()) is None
            assert data_of(inner.read()) == b"value"
            inner.close()
        finally:
            unmount(inner.path)


def test_nor_is_one_where_there_is_no_value(volume: Volume, tmp_path: Path) -> None:
    volume.remove()
    (tmp_path / "outer.source" / "data").mkdir(parents=True)
    with fuse(tmp_path / "outer") as outer:
        inner = Volume(outer.path / "data", LIMIT)
        run("mount", "--bind", volume.path, inner.path)
        volume.close()
        try:
            inner.open(0)
            assert inner.read() is None
            with outer.hung():
                assert not inner.is_empty_nowait()
            inner.close()
        finally:
            unmount(inner.path)


def test_no_time_of_access_is_noted_as_that_would_wait_for_the_journal(volume: Volume) -> None:
    file = volume.path / "kubia.txt"
    run("mount", "-o", "remount,strictatime", volume.path.parent)
    volume.read()
    before = file.stat().st_atime_ns
    until("another time", lambda: time_of_new_file(volume.path / "now") > before)
    assert data_of(volume.read_nowait()) == b"value"
    assert file.stat().st_atime_ns == before
    file.read_bytes()
    assert file.stat().st_atime_ns > before


def time_of_new_file(path: Path) -> int:
    path.touch()
    return path.stat().st_mtime_ns


def put_another_directory(path: Path) -> None:
    path.rename(path.with_name("before"))
    path.mkdir()
    (path / "kubia.txt").write_bytes(b"value")


def put_another_directory_with_this_file(path: Path) -> None:
    before = path.rename(path.with_name("before"))
    path.mkdir()
    (before / "kubia.txt").rename(path / "kubia.txt")


def put_another_directory_with_a_link_to_this_file(path: Path) -> None:
    before = path.rename(path.with_name("before"))
    path.mkdir()
    (path / "kubia.txt").hardlink_to(before / "kubia.txt")


def put_empty_directory(path: Path) -> None:
    path.rename(path.with_name("before"))
    path.mkdir()


def put_link(path: Path) -> None:
    (path / "kubia.txt").rename(path / "other.txt")
    (path / "kubia.txt").symlink_to("other.txt")


def put_fifo(path: Path) -> None:
    (path / "kubia.txt").unlink()
    os.mkfifo(path / "kubia.txt")


@pytest.mark.parametrize(
    "change",
    [
        put_another_directory,
        put_another_directory_with_this_file,
        put_another_directory_with_a_link_to_this_file,
        put_link,
        put_fifo,
    ],
)
def test_what_is_not_the_file_that_was_seen_in_our_directory_is_left_to_a_look_that_may_wait(
    volume: Volume, change: Callable[[Path], None]
) -> None:
    change(volume.path)
    assert data_of(volume.read_nowait()) is None
    with suppress(StoreError):
        volume.read()
    assert data_of(volume.read_nowait()) is None


@pytest.mark.parametrize(
    "change",
    [put_empty_directory, put_another_directory, put_another_directory_with_this_file, put_link, put_fifo],
)
def test_so_is_that_there_is_none_where_something_else_was_put(
    volume: Volume, change: Callable[[Path], None]
) -> None:
    (volume.path / "kubia.txt").rename(volume.path.with_name("kept"))
    assert volume.read() is None
    assert volume.is_empty_nowait()
    if change is not put_empty_directory:
        volume.path.with_name("kept").rename(volume.path / "kubia.txt")
    change(volume.path)
    (volume.path / "kubia.txt").is_file()  # the kernel remembers what this finds
    assert not volume.is_empty_nowait()


@pytest.mark.parametrize("data", [b"v" * (MAX_NOWAIT_BYTES + 1), b"v" * (LIMIT + 1)])
def test_a_value_that_is_large_or_over_the_limit_is_left_to_it_too(volume: Volume, data: bytes) -> None:
    (volume.path / "kubia.txt").write_bytes(data)
    with suppress(StoreError):
        volume.read()
    assert data_of(volume.read_nowait()) is None


def test_a_value_with_another_name_is_left_to_it_too(volume: Volume) -> None:
    copy = volume.path.with_name("copy")
    copy.mkdir()
    (copy / "kubia.txt").hardlink_to(volume.path / "kubia.txt")
    assert data_of(volume.read()) == b"value"
    volume.path.rename(volume.path.with_name("before"))
    copy.rename(volume.path)
    assert data_of(volume.read_nowait()) is None


def test_a_limit_of_less_than_that_is_kept_too(volume: Volume) -> None:
    volume.close()
    strict = Volume(volume.path, 4)
    strict.open(0)
    for data, told in ((b"four", b"four"), (b"fives", None)):
        (volume.path / "kubia.txt").write_bytes(data)
        with suppress(StoreError):
            strict.read()
        assert data_of(strict.read_nowait()) == told
    strict.close()


def test_a_volume_that_is_closed_is_not_read(volume: Volume) -> None:
    volume.close()
    assert data_of(volume.read_nowait()) is None
    assert not volume.is_empty_nowait()


def test_a_file_system_that_does_not_tell_is_not_asked(tmp_path: Path) -> None:
    with fuse(tmp_path / "data") as mirrored:
        volume = Volume(mirrored.path, LIMIT)
        volume.open(0)
        assert volume.read() is None
        with mirrored.hung():
            assert not volume.is_empty_nowait()
        volume.replace(b"value")
        assert data_of(volume.read()) == b"value"
        with mirrored.hung():
            assert data_of(volume.read_nowait()) is None
            assert not volume.is_empty_nowait()
        volume.close()


LOOK = ["openat2", "fstat", "preadv2", "close"]


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
    (between,) = until_answered(trace)
    assert {call.tid for call in between} == {pod.process.pid}
    assert [call.name for call in between if "kubia.txt" in call.arguments] == LOOK


def test_a_request_that_repeats_the_one_before_is_answered_by_nothing_but_the_look(tmp_path: Path) -> None:
    needs_strace()
    trace = tmp_path / "trace"
    with ext4(tmp_path / "data") as path, Pod(path) as pod:
        post(pod, b"value")
        with closing(http.client.HTTPConnection(urlsplit(pod.url).netloc, timeout=10)) as kept:
            for _ in range(3):
                ask_on(kept)
            with Strace(trace, "-y", "-s", "200", pod=pod):
                for _ in range(20):
                    assert ask_on(kept) == b"value"
    names = [[call.name for call in between] for between in until_answered(trace)]
    assert len(names) == 20
    assert names.count(LOOK) > 10  # about once a second one is due that has another date


def ask_on(kept: http.client.HTTPConnection) -> bytes:
    kept.request("GET", "/data")
    return kept.getresponse().read()


def until_answered(trace: Path) -> list[list[Call]]:
    """What the kernel was asked between the receipt of each request for the value and its answer."""
    calls = parsed(trace.read_text().splitlines())
    came = [i for i, call in enumerate(calls) if call.name in RECEIVES and "GET /data" in call.arguments]
    went = [i for i, call in enumerate(calls) if call.is_answer(STORED)]
    return [
        # One call with two names: which it is depends on the C library.
        [
            replace(call, name=call.name.replace("newfstatat", "fstat"))
            for call in calls[began + 1 : ended]
            if call.name != "getpid"  # with which Python 3.11 looks whose event loop it is
        ]
        for began, ended in zip(came, went, strict=True)
    ]


@pytest.mark.parametrize(
    "lacks",
    [
        "del os.RWF_NOWAIT",
        "del os.preadv",
        # As where the C library that Python was built for has no preadv2.
        """real = os.preadv
def preadv(file, buffers, offset, flags=0):
    if flags:
        raise NotImplementedError('preadv2: not available')
    return real(file, buffers, offset)
os.preadv = preadv""",
    ],
    ids=["no RWF_NOWAIT", "no preadv", "no preadv2"],
)
def test_a_python_that_cannot_look_at_once_serves_by_a_look_that_may_wait(tmp_path: Path, lacks: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import os\n{lacks}\n")
    found = os.pathsep.join([str(tmp_path), *sys.path])
    with ext4(tmp_path / "data") as path, Pod(path, env={"PYTHONPATH": found}) as pod:
        for value in (b"value", b"another"):
            assert post(pod, value).status == STORED
            for _ in range(2):
                assert get(pod) == (STORED, value)
        assert "Traceback" not in pod.log.read_text()
