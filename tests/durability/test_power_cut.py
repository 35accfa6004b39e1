"""The power goes while a pod is written to: what its disk holds then, on ext4, XFS and Btrfs."""

import hashlib
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kubia_pet.store import StoreError, Volume
from tests.durability.asking import STORED, ask, post
from tests.durability.machine import LONG
from tests.durability.power_cut import Disk, disk, library_that_lies, reflinks
from tests.durability.volumes import run
from tests.support.pod import Pod, until

CUTS = 200 if LONG else 5
KINDS = ["ext4", "xfs", "btrfs"]
LIMIT = 1 << 20
SIZES = (10, 1000, 4096, 20_000, 100_000)  # of a value's payload
REMOVES_EACH = 10  # of so many changes one is a removal


class Writer:
    """A client that changes the value again and again; each change has a number, and begins with it."""

    def __init__(self, pod: Pod) -> None:
        self.begun = self.acknowledged = 0
        self.error: BaseException | None = None
        self._pod = pod
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def _write(self) -> None:
        try:
            while not self._ending.is_set():
                self.begun += 1
                if self.begun % REMOVES_EACH == 0:
                    assert ask(self._pod, "DELETE", "/").status == STORED
                else:
                    assert post(self._pod, value_of(self.begun)).status == STORED
                self.acknowledged = self.begun
        except BaseException as error:  # noqa: BLE001 - the test's own thread raises it
            self.error = error

    @contextmanager
    def writing(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._ending.set()
            self._thread.join(30)
            assert self.error is None, self.error


def value_of(number: int) -> bytes:
    payload = random.randbytes(random.choice(SIZES))
    return b"%d %s\n%s" % (number, hashlib.sha256(payload).hexdigest().encode(), payload)


def number_in(value: bytes) -> int:
    """Fails where it is not whole."""
    head, _, payload = value.partition(b"\n")
    number, _, checksum = head.partition(b" ")
    assert checksum.decode() == hashlib.sha256(payload).hexdigest(), "torn"
    return int(number)


def wrong_after_a_cut(writer: Writer, disk: Disk, directory: Path) -> str | None:
    """What is wrong with what the disk holds, as a pod finds it that starts there; None where all is well."""
    acknowledged = writer.acknowledged
    copy = disk.image.with_suffix(".copy")
    disk.cut(copy)
    begun = writer.begun
    with disk.revived(copy, directory / "revived") as revived:
        volume = Volume(revived / "data", LIMIT)
        try:
            volume.open(0)
            state, content = volume.ledger.state, volume.read()
        except StoreError as error:
            return str(error)
        finally:
            volume.close()
    allowed = range(acknowledged, begun + 1)
    if content is None and not any(each % REMOVES_EACH == 0 for each in allowed):
        return f"the value is gone; {acknowledged} was acknowledged"
    if content is not None and number_in(content.data) not in allowed:
        return f"value {number_in(content.data)}; {acknowledged} was acknowledged, {begun} begun"
    if content is not None and (content.commit is None or content.commit != state.commit):
        return f"the value's number is {content.commit}, the ledger's last {state.commit}"
    said = None if state.record is None else (state.record.start.number, state.record.findings)
    return None if (said, state.fault, state.changed) == ((2, ()), None, None) else f"the ledger says {state}"


def cuts(pod: Pod, disk: Disk, directory: Path, number: int) -> list[str]:
    """What was wrong after each of so many power cuts."""
    writer = Writer(pod)
    wrong = []
    with writer.writing():
        until("the first values", lambda: writer.error or writer.acknowledged > 2)
        for _ in range(number):
            time.sleep(random.uniform(0, 0.05))
            found = wrong_after_a_cut(writer, disk, directory)
            if found is not None:
                wrong.append(found)
    figures = f"{number} power cuts, {writer.acknowledged} changes acknowledged, {len(wrong)} cuts wrong"
    print(f"\n{disk.kind}: {figures}")  # noqa: T201 - of a long run
    return wrong


@pytest.fixture
def on(tmp_path: Path) -> Iterator[Path]:
    with reflinks(tmp_path / "reflinks") as path:
        yield path


@pytest.mark.timeout(60 + CUTS * 5)
@pytest.mark.parametrize("kind", KINDS)
def test_after_a_power_cut_the_last_acknowledged_value_or_a_later_one_is_there_with_its_number(
    tmp_path: Path, on: Path, kind: str
) -> None:
    with disk(kind, on, tmp_path / "disk") as it, Pod(it.path / "data") as pod:
        assert cuts(pod, it, tmp_path, CUTS) == []


@pytest.mark.parametrize("kind", KINDS)
def test_so_that_a_disk_whose_fsyncs_do_nothing_is_found_out(tmp_path: Path, on: Path, kind: str) -> None:
    lie = {"LD_PRELOAD": str(library_that_lies(tmp_path))}
    with disk(kind, on, tmp_path / "disk") as it, Pod(it.path / "data", env=lie) as pod:
        run("sync", "--file-system", it.path)  # another program's: of what there is by now
        assert cuts(pod, it, tmp_path, 5)
