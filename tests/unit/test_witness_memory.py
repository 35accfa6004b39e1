"""What a witness found is kept, though the volume was busy with something else when it was to be written."""

import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubia_pet.model.ledger import Finding, Kind
from kubia_pet.peers.memory import WitnessMemory
from kubia_pet.store import Store, Volume, VolumeSlowError

TIMEOUT = 0.2  # seconds
LOST = Finding(Kind.LOST, "kubia-1 saw another volume under this name.")


class Unobserved:
    def committed(self, _: int, __: float, *, ok: bool) -> None:
        pass

    def holds(self, _: int) -> None:
        pass


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path, 1024)


@pytest.fixture
async def store(volume: Volume) -> AsyncIterator[Store]:
    async with Store(volume, timeout=TIMEOUT, lock_wait=0.0, observer=Unobserved()) as opened:
        yield opened


async def test_what_was_found_while_the_volume_was_busy_is_written_later(
    store: Store, volume: Volume
) -> None:
    memory, free = WitnessMemory(store, volume.ledger), threading.Event()
    memory.load()
    memory.found(LOST)
    with pytest.raises(VolumeSlowError):
        await store.between_commits(lambda: free.wait(10))
    with pytest.raises(VolumeSlowError):
        await memory.flush()
    free.set()
    await store.write(b"the volume works again")
    await memory.flush()
    record = volume.ledger.state.record
    assert record is not None
    assert record.findings == (LOST,)
