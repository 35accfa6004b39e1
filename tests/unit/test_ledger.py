"""The ledger of a volume on real files; only fsync can be made to fail, as a disk would."""

from pathlib import Path

import pytest

from kubia_pet.store import StoreError, Volume
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
