"""The ledger of a volume on real files; only fsync can be made to fail, as a disk would."""

import errno
import fcntl
import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubia_pet.model.continuity import UNNUMBERED
from kubia_pet.model.ledger import Finding, Kind, Sighting
from kubia_pet.model.mount import Mount
from kubia_pet.model.verdict import judge
from kubia_pet.store import Ledger, StoreError, Volume
from kubia_pet.store.directory import LOCK
from kubia_pet.store.ledger_file import (
    DIRECTORY,
    DamagedError,
    open_directory,
    open_in_place,
    read_ledger,
    read_witness,
)
from tests.support.disk import Disk, data_of

LIMIT = 1000


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def lived(path: Path, *values: bytes) -> None:
    """A start that stores these and ends."""
    volume = Volume(path, LIMIT)
    volume.open(0)
    for value in values:
        volume.replace(value)
    volume.close()


# A disk that fails for a while


@pytest.mark.parametrize("mended_by", ["probe", "post"])
def test_a_ledger_begins_as_soon_as_a_volume_that_failed_at_the_start_works(
    tmp_path: Path, disk: Disk, mended_by: str
) -> None:
    lived(tmp_path, b"value")
    volume = Volume(tmp_path, LIMIT)
    with disk.failing("file"), pytest.raises(StoreError):
        volume.open(0)
    assert volume.ledger.state.record is None
    if mended_by == "probe":
        volume.probe()
    else:
        volume.replace(b"other")
    state = volume.ledger.state
    assert state.record is not None
    assert [each.number for each in state.record.starts] == [1, 2]
    assert (state.durable, state.fault, state.changed, state.count) == (True, None, None, 1)
    volume.close()


def test_a_removal_that_was_not_confirmed_is_made_again_and_no_change_from_outside(
    tmp_path: Path, disk: Disk
) -> None:
    volume = Volume(tmp_path, LIMIT)
    volume.open(0)
    volume.replace(b"value")
    with disk.failing("directory"), pytest.raises(StoreError):
        volume.remove()
    volume.probe()
    volume.ledger.look(volume.found)
    assert data_of(volume.read()) is None
    assert (volume.ledger.state.changed, volume.ledger.state.count) == (None, 3)
    volume.close()


def test_a_ledger_that_is_gone_or_was_damaged_while_it_was_used_is_written_again(tmp_path: Path) -> None:
    volume = opened(tmp_path)
    file = tmp_path / DIRECTORY / "ledger.json"
    kept = file.read_text()
    file.unlink()
    volume.ledger.look(volume.found)
    assert file.read_text() == kept
    file.write_text("{")
    volume.ledger.look(volume.found)
    assert file.read_text() == kept
    volume.close()


# Two that have one volume, as where a lease is gone that both had


def opened(path: Path) -> Volume:
    volume = Volume(path, LIMIT)
    volume.open(0)
    return volume


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)


def kinds(ledger: Ledger) -> list[Kind]:
    return [each.kind for each in ledger.state.record.findings] if ledger.state.record else []


@pytest.mark.usefixtures("without_locks")
@pytest.mark.parametrize("does", [Volume.close, lambda old: old.ledger.note(Finding(Kind.LOST, "Found."))])
def test_what_the_old_one_writes_after_its_successor_began_takes_no_start_from_the_history(
    tmp_path: Path, does: Callable[[Volume], None]
) -> None:
    old = opened(tmp_path)
    new = opened(tmp_path)
    does(old)
    new.ledger.look(new.found)
    assert Kind.SHARED in kinds(new.ledger)
    record = new.ledger.state.record
    assert record is not None
    assert [each.number for each in record.starts] == [1, 2]
    on_disk = os.open(tmp_path / DIRECTORY, os.O_RDONLY)
    assert read_ledger(on_disk) == record
    os.close(on_disk)


@pytest.mark.usefixtures("without_locks")
@pytest.mark.parametrize("first", [0, 1])
def test_where_one_of_two_adopts_the_other_sees_that_and_does_not_take_it_back(
    tmp_path: Path, first: int
) -> None:
    pair = [opened(tmp_path), opened(tmp_path)]
    one, other = pair[first], pair[1 - first]
    assert one.ledger.adopt(one.found())
    other.ledger.look(other.found)
    other.close()
    one.ledger.look(one.found)
    assert (kinds(one.ledger), kinds(other.ledger)) == ([Kind.SHARED], [Kind.SHARED])
    record = one.ledger.state.record
    assert record is not None
    assert record.parents
    on_disk = os.open(tmp_path / DIRECTORY, os.O_RDONLY)
    assert read_ledger(on_disk) == record
    os.close(on_disk)


# A file system without extended attributes


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="only Linux has these calls")
@pytest.mark.parametrize("restarts", [False, True])
def test_without_attributes_the_value_before_this_one_is_a_change_from_outside_and_no_rollback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, restarts: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", refuse)
    volume = opened(tmp_path)
    volume.replace(b"one")
    volume.replace(b"two")
    if restarts:
        volume.close()
    (tmp_path / "kubia.txt").write_bytes(b"one")  # as kubectl cp does
    if restarts:
        volume = opened(tmp_path)
    volume.ledger.look(volume.found)
    assert (kinds(volume.ledger), volume.ledger.state.changed) == ([], UNNUMBERED)
    volume.replace(b"one")
    volume.ledger.look(volume.found)
    assert (kinds(volume.ledger), volume.ledger.state.changed) == ([], None)
    volume.close()


# Damage

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
DEEP = "[" * 200_000


def damage(*path: str | int, value: object) -> Callable[[dict[str, Any]], None]:
    """Puts a value there."""

    def change(members: dict[str, Any]) -> None:
        place: Any = members
        for each in path[:-1]:
            place = place[each]
        place[path[-1]] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        damage("starts", 0, "commits", value="3"),
        damage("starts", 0, "commits", value=-1),
        damage("starts", 0, "number", value=-5),
        damage("starts", 1, "number", value=1),
        damage("starts", 0, "id", value="no\nid"),
        damage("starts", 1, value=7),
        damage("starts", value={}),
        damage("findings", value=[{"kind": "lost", "evidence": 7}]),
        damage("findings", value=[{"kind": "mislaid", "evidence": "It is."}]),
        damage("parents", value=[5]),
        damage("volume", value=5),
        damage("created", value=5),
        damage("adopted", value=5),
        damage("name", value=["kubia-0"]),
        damage("more", value=None),
    ],
)
def test_a_ledger_damaged_inside_is_said_set_aside_and_keeps_no_value_from_being_served(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], caplog: pytest.LogCaptureFixture
) -> None:
    lived(tmp_path, b"value")
    lived(tmp_path)
    file = tmp_path / DIRECTORY / "ledger.json"
    members = json.loads(file.read_text())
    change(members)
    file.write_text(json.dumps(members))
    is_damaged_and_served(tmp_path, file)
    assert "The ledger is not what a ledger is" in caplog.text


@pytest.mark.parametrize("text", [DEEP, '{"format": 1, "starts": ' + DEEP, "1" * 10_000])
def test_so_is_one_that_no_parser_takes(tmp_path: Path, text: str) -> None:
    lived(tmp_path, b"value")
    for name in ("ledger.json", "witness.json"):
        (tmp_path / DIRECTORY / name).write_text(text)
    is_damaged_and_served(tmp_path, tmp_path / DIRECTORY / "ledger.json")


def is_damaged_and_served(path: Path, file: Path) -> None:
    damaged = file.read_bytes()
    volume = Volume(path, LIMIT)
    volume.open(0)
    state = volume.ledger.state
    assert data_of(volume.read()) == b"value"
    assert state.record is not None
    assert [each.kind for each in state.record.findings] == [Kind.UNKNOWN]
    assert (state.record.start.number, state.durable, state.fault) == (1, True, None)
    volume.close()
    assert (file.parent / "damaged-ledger.json").read_bytes() == damaged


@settings(deadline=None)
@given(
    JSON, st.sampled_from(["volume", "created", "name", "adopted", "starts", "findings", "parents", "ended"])
)
def test_whatever_stands_in_a_ledger_it_is_damaged_or_can_be_judged(
    tmp_path_factory: pytest.TempPathFactory, value: object, member: str
) -> None:
    path = tmp_path_factory.mktemp("volume")
    lived(path, b"value")
    file = path / DIRECTORY / "ledger.json"
    members = json.loads(file.read_text())
    members[member] = value
    file.write_text(json.dumps(members))
    (path / DIRECTORY / "witness.json").write_text(json.dumps({"format": 1, "peers": {"kubia-1": value}}))
    volume = Volume(path, LIMIT)
    volume.open(0)
    judge(volume.ledger.state, name="kubia-0", mount=Mount(), witnesses="", pending=False)
    volume.close()
    ledger = os.open(path / DIRECTORY, os.O_RDONLY)
    try:
        assert read_ledger(ledger) is not None
        assert all(isinstance(each, Sighting) for seen in read_witness(ledger).values() for each in seen)
    except DamagedError:
        pytest.fail("it was not mended")
    finally:
        os.close(ledger)


# Its lock


def test_of_many_that_begin_at_once_on_a_new_volume_all_open_one_file_to_lock(tmp_path: Path) -> None:
    for number in range(50):
        volume = tmp_path / f"{number}"
        volume.mkdir()
        began = threading.Barrier(8)

        def inode(volume: Path = volume, began: threading.Barrier = began) -> int:
            directory = os.open(volume, os.O_RDONLY)
            began.wait(10)
            ledger = open_directory(directory)
            file = open_in_place(ledger, LOCK, os.O_RDWR)
            found = os.fstat(file).st_ino
            for each in (file, ledger, directory):
                os.close(each)
            return found

        with ThreadPoolExecutor(8) as threads:
            assert len({each.result() for each in [threads.submit(inode) for _ in range(8)]}) == 1


def test_a_volume_that_is_locked_by_its_directory_alone_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / DIRECTORY).write_text("a file")
    opened(tmp_path).close()
    assert caplog.text.count(f"{tmp_path} is locked by its directory alone (Not a directory)") == 1
