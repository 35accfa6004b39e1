"""One small file, replaced so that it survives; only fsync can be made to fail, as a disk would."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kubia_pet.store.atomic_file import AtomicFile, UnconfirmedError
from tests.support.disk import Disk

FILE = AtomicFile("some.txt")


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield directory
    os.close(directory)


def files_in(path: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in path.iterdir()}


def test_it_is_replaced_and_removed_and_nothing_else_is_left(directory: int, tmp_path: Path) -> None:
    FILE.replace(directory, b"old")
    FILE.replace(directory, b"new")
    assert files_in(tmp_path) == {"some.txt": b"new"}
    FILE.remove(directory)
    FILE.remove(directory)
    assert files_in(tmp_path) == {}


def test_what_was_staged_is_not_seen_until_it_is_published(directory: int, tmp_path: Path) -> None:
    FILE.replace(directory, b"old")
    FILE.stage(directory, b"new")
    assert (tmp_path / "some.txt").read_bytes() == b"old"
    FILE.discard(directory)
    assert files_in(tmp_path) == {"some.txt": b"old"}
    FILE.stage(directory, b"newer")
    FILE.publish(directory)
    assert files_in(tmp_path) == {"some.txt": b"newer"}


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="only Linux has these calls")
def test_a_mark_comes_with_the_bytes_and_is_set_before_they_are_fsynced(
    directory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FILE.replace(directory, b"old", lambda file: os.setxattr(file, "user.number", b"1"))
    disk = Disk(monkeypatch)
    with disk.failing("file"), pytest.raises(OSError, match="Input/output error"):
        FILE.replace(directory, b"new", lambda file: os.setxattr(file, "user.number", b"2"))
    assert os.getxattr(tmp_path / "some.txt", "user.number") == b"1"
    FILE.replace(directory, b"new", lambda file: os.setxattr(file, "user.number", b"3"))
    assert os.getxattr(tmp_path / "some.txt", "user.number") == b"3"


def test_a_mark_that_cannot_be_set_is_an_error_and_the_old_file_stands(
    directory: int, tmp_path: Path
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    FILE.replace(directory, b"old")
    with pytest.raises(OSError, match="not supported"):
        FILE.replace(directory, b"new", refuse)
    assert files_in(tmp_path) == {"some.txt": b"old"}


def test_an_fsync_of_the_file_that_fails_leaves_the_old_one(
    directory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FILE.replace(directory, b"old")
    with Disk(monkeypatch).failing("file"), pytest.raises(OSError, match="Input/output") as told:
        FILE.replace(directory, b"new")
    assert not isinstance(told.value, UnconfirmedError)
    assert files_in(tmp_path) == {"some.txt": b"old"}


@pytest.mark.parametrize("change", [lambda at: FILE.replace(at, b"new"), FILE.remove], ids=["new", "none"])
def test_an_fsync_of_the_directory_that_fails_says_that_the_outcome_is_not_known(
    directory: int, monkeypatch: pytest.MonkeyPatch, change: Callable[[int], None]
) -> None:
    FILE.replace(directory, b"old")
    with Disk(monkeypatch).failing("directory"), pytest.raises(UnconfirmedError, match="Input/output"):
        change(directory)


@pytest.mark.parametrize("call", [lambda at: FILE.replace(at, b"new"), FILE.discard], ids=["new", "none"])
def test_a_directory_under_its_temporary_name_is_moved_away_and_named_in_the_log(
    directory: int, tmp_path: Path, caplog: pytest.LogCaptureFixture, call: Callable[[int], None]
) -> None:
    for number in range(3):
        (tmp_path / FILE.temporary).mkdir()
        (tmp_path / FILE.temporary / f"kept {number}").touch()
        call(directory)
    FILE.replace(directory, b"new")
    moved = [tmp_path / f"{FILE.temporary}.moved-{number}" for number in range(3)]
    assert [[each.name for each in path.iterdir()] for path in moved] == [["kept 0"], ["kept 1"], ["kept 2"]]
    assert (tmp_path / "some.txt").read_bytes() == b"new"
    assert [record.getMessage() for record in caplog.records] == [
        f"{FILE.temporary} is a directory: moved to {path.name}" for path in moved
    ]


def test_what_a_crash_left_beside_it_is_replaced(directory: int, tmp_path: Path) -> None:
    (tmp_path / FILE.temporary).write_bytes(b"half of somethi")
    FILE.replace(directory, b"new")
    assert files_in(tmp_path) == {"some.txt": b"new"}
