"""Faults on a real volume: what is asked of it fails as a disk would, and mends itself."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubia_pet.model.fault import DESCRIPTIONS, Fault, Faults
from kubia_pet.store import StoreError, Volume, VolumeFullError, VolumeUnavailableError
from kubia_pet.store.faults import FaultyVolume
from tests.support.disk import data_of

LONG = 60.0
OLD, NEW = b"the old value", b"a new one"


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def volume(tmp_path: Path, faults: Faults) -> Iterator[FaultyVolume]:
    opened = FaultyVolume(Volume(tmp_path, 100), faults, timeout=1)
    opened.open(0)
    opened.replace(OLD)
    yield opened
    opened.close()


def test_without_a_fault_it_is_the_volume(volume: FaultyVolume) -> None:
    volume.replace(NEW)
    assert data_of(volume.read()) == NEW
    volume.remove()
    assert data_of(volume.read()) is None
    volume.require_writable()
    volume.probe()


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (Fault.DISK_FULL, VolumeFullError, "No space left"),
        (Fault.DISK_READ_ONLY, VolumeUnavailableError, "Read-only file system"),
        (Fault.DISK_ERROR, VolumeUnavailableError, "Input/output error"),
    ],
)
def test_a_write_fails_as_on_such_a_disk_and_the_old_value_stands(
    fault: Fault, error: type[StoreError], words: str, volume: FaultyVolume, faults: Faults
) -> None:
    faults.set(fault, LONG)
    with pytest.raises(error, match=f"the old one stands: {words}"):
        volume.replace(NEW)
    with pytest.raises(error, match=f"A trial write to the volume .* failed: {words}"):
        volume.probe()
    faults.clear(fault)
    assert data_of(volume.read()) == OLD


@pytest.mark.parametrize("fault", [Fault.DISK_READ_ONLY, Fault.DISK_ERROR])
def test_a_removal_fails_as_a_write_does(fault: Fault, volume: FaultyVolume, faults: Faults) -> None:
    faults.set(fault, LONG)
    with pytest.raises(VolumeUnavailableError, match="was not changed, the old one stands"):
        volume.remove()
    faults.clear(fault)
    assert data_of(volume.read()) == OLD


def test_a_removal_needs_no_room(volume: FaultyVolume, faults: Faults) -> None:
    faults.set(Fault.DISK_FULL, LONG)
    volume.remove()
    assert data_of(volume.read()) is None


def test_a_broken_disk_cannot_be_read_either(volume: FaultyVolume, faults: Faults) -> None:
    faults.set(Fault.DISK_ERROR, LONG)
    with pytest.raises(VolumeUnavailableError, match="cannot be read: Input/output error"):
        volume.read()
    assert data_of(volume.read_nowait()) is None


def test_a_read_only_disk_shows_at_a_look(volume: FaultyVolume, faults: Faults) -> None:
    faults.set(Fault.DISK_READ_ONLY, LONG)
    with pytest.raises(VolumeUnavailableError, match="is read-only"):
        volume.require_writable()


def test_a_lying_disk_serves_what_it_never_wrote_until_the_fault_ends(
    volume: FaultyVolume, faults: Faults, tmp_path: Path
) -> None:
    faults.set(Fault.FORGET, LONG)
    assert data_of(volume.read()) == OLD
    volume.replace(NEW)
    assert data_of(volume.read()) == NEW
    assert (tmp_path / "kubia.txt").read_bytes() == OLD
    faults.clear(Fault.FORGET)
    assert data_of(volume.read()) == OLD


def test_what_one_fault_forgot_the_next_one_does_not_remember(volume: FaultyVolume, faults: Faults) -> None:
    faults.set(Fault.FORGET, LONG)
    volume.remove()
    assert data_of(volume.read()) is None
    faults.clear(Fault.FORGET)
    faults.set(Fault.FORGET, LONG)
    assert data_of(volume.read()) == OLD


def test_a_slow_disk_is_slow_only_as_long_as_the_fault(volume: FaultyVolume, faults: Faults) -> None:
    faults.set(Fault.DISK_SLOW, 0.2)
    began = time.monotonic()
    assert data_of(volume.read()) == OLD
    assert 0.2 <= time.monotonic() - began < 1


def test_a_slow_disk_takes_longer_than_the_time_out(volume: FaultyVolume, faults: Faults) -> None:
    faults.set(Fault.DISK_SLOW, LONG)
    began = time.monotonic()
    assert data_of(volume.read()) == OLD
    assert 1 < time.monotonic() - began < 5


def test_a_fault_ends_by_itself_and_is_known_by_its_name(faults: Faults) -> None:
    faults.set(Fault("slow"), 0.01)
    faults.set(Fault.FORGET, LONG)
    until = time.monotonic() + 5
    while faults.has(Fault.SLOW) and time.monotonic() < until:
        pass
    assert faults.active() == [Fault.FORGET]
    assert 0 < faults.seconds_left(Fault.FORGET) <= LONG
    assert faults.seconds_left(Fault.SLOW) == 0
    assert list(DESCRIPTIONS) == list(Fault)
