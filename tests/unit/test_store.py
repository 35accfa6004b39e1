"""The store on real files; only fsync can be held or made to fail, as a disk would."""

import asyncio
import errno
import os
import resource
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from blockbuster import BlockingError, blockbuster_ctx

from kubia_pet.model.unknown import UNKNOWN
from kubia_pet.store import (
    Store,
    StoreError,
    ValueUnreadableError,
    Volume,
    VolumeFullError,
    VolumeLockedError,
    VolumeSlowError,
    VolumeUnavailableError,
    VolumeUnusableError,
    health,
)
from tests.support.disk import Disk
from tests.support.pod import files_on

LIMIT = 100_000
TIMEOUT = 0.5
IMPATIENT = 0.1


class Observer:
    """How many writers shared each commit and whether it succeeded, and the size last seen."""

    def __init__(self) -> None:
        self.commits: list[tuple[int, bool]] = []
        self.size: int | None = None

    def committed(self, writers: int, seconds: float, *, ok: bool) -> None:
        assert seconds >= 0
        self.commits.append((writers, ok))

    def holds(self, size: int) -> None:
        self.size = size


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture
def observer() -> Observer:
    return Observer()


def store_on(path: Path, observer: Observer | None = None) -> Store:
    return Store(Volume(path, LIMIT), timeout=TIMEOUT, lock_wait=IMPATIENT, observer=observer or Observer())


@pytest.fixture
async def store(tmp_path: Path, observer: Observer) -> AsyncIterator[Store]:
    async with store_on(tmp_path, observer) as store:
        yield store


async def until(what: str, ready: Callable[[], object]) -> None:
    """Lets others run until `ready` returns something true."""
    deadline = time.monotonic() + 5
    while not ready():
        assert time.monotonic() < deadline, f"gave up waiting for {what}"
        await asyncio.sleep(0.005)


async def works(store: Store) -> bool:
    try:
        await store.check()
    except StoreError:
        return False
    return True


async def until_it_works(store: Store) -> None:
    deadline = time.monotonic() + 5
    while not await works(store):
        assert time.monotonic() < deadline, "it did not mend itself"
        await asyncio.sleep(0.02)


async def until_it_fails(store: Store) -> None:
    deadline = time.monotonic() + 5
    while await works(store):
        assert time.monotonic() < deadline, "its fault was not found"
        await asyncio.sleep(0.02)


def names_in(path: Path) -> list[str]:
    return files_on(path)


def inode(path: Path) -> int:
    return path.stat().st_ino


async def data_in(store: Store) -> bytes | None:
    value = await store.read()
    return None if value is None else value.data


# Reading and writing


async def test_a_new_volume_has_no_value(store: Store) -> None:
    assert await store.read() is None


@pytest.mark.parametrize("data", [b"", b"Hey there!", b"\x00\xff\r\n", b"v" * LIMIT])
async def test_what_was_written_is_read_byte_for_byte_also_by_the_next_store(
    tmp_path: Path, data: bytes
) -> None:
    async with store_on(tmp_path) as store:
        await store.write(data)
        assert await data_in(store) == data
    async with store_on(tmp_path) as store:
        assert await data_in(store) == data
        assert names_in(tmp_path) == ["kubia.txt"]


async def test_a_removed_value_is_gone_also_for_the_next_store(tmp_path: Path) -> None:
    async with store_on(tmp_path) as store:
        await store.write(b"value")
        await store.remove()
        await store.remove()
        assert await store.read() is None
    async with store_on(tmp_path) as store:
        assert await store.read() is None


async def test_what_others_change_shows_in_the_next_read(store: Store, tmp_path: Path) -> None:
    await store.write(b"ours")
    for data in (b"theirs", b"eirths", b""):
        (tmp_path / "kubia.txt").write_bytes(data)
        assert await data_in(store) == data
    (tmp_path / "kubia.txt").unlink()
    assert await store.read() is None


async def test_nothing_of_it_holds_the_event_loop(tmp_path: Path) -> None:
    with blockbuster_ctx():
        async with store_on(tmp_path) as store:
            await store.write(b"value")
            await store.read()
            await store.check()
            await store.remove()
        with pytest.raises(BlockingError):  # it would have told
            names_in(tmp_path)


async def test_it_leaves_no_file_open(tmp_path: Path) -> None:
    before = open_files()
    async with store_on(tmp_path) as store:
        for number in range(10):
            await store.write(b"%d" % number)
            assert await data_in(store) == b"%d" % number
            (tmp_path / "kubia.txt").write_bytes(b"another")
            assert await data_in(store) == await data_in(store) == b"another"
        assert open_files() > before
    await until("its files to be closed", lambda: open_files() == before)


def open_files() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


# Sharing


async def test_writes_that_come_at_once_share_one_commit_of_the_newest(
    store: Store, observer: Observer
) -> None:
    await asyncio.gather(*(store.write(b"%d" % number) for number in range(100)))
    assert observer.commits == [(100, True)]
    assert await data_in(store) == b"99"
    assert observer.size == 2


async def test_writes_that_come_during_a_commit_share_the_next_and_none_is_acknowledged_before(
    store: Store, observer: Observer, disk: Disk
) -> None:
    with disk.holding("file"):
        first = store.write(b"first")
        await until("the first commit", lambda: disk.waiting)
        others = [store.write(b"%d" % number) for number in range(10)]
        await asyncio.sleep(0)
        assert not first.done()
    await first
    assert not any(other.done() for other in others)
    await asyncio.gather(*others)
    assert observer.commits == [(1, True), (10, True)]
    assert await data_in(store) == b"9"


async def test_a_read_waits_for_a_change_that_a_crash_could_still_take_back(store: Store, disk: Disk) -> None:
    await store.write(b"old")
    with disk.holding("directory"):
        writing = store.write(b"new")
        await until("the commit", lambda: disk.waiting)
        reading = asyncio.create_task(data_in(store))
        done, _ = await asyncio.wait((reading,), timeout=TIMEOUT / 5)
        assert not done
    assert await reading == b"new"
    await writing


# The lock, and what a start finds


async def test_a_second_store_on_the_same_directory_gives_up_in_time_with_a_sentence(
    store: Store, tmp_path: Path
) -> None:
    await store.write(b"the first one's")
    with pytest.raises(VolumeUnusableError, match="is locked by another process"):
        async with asyncio.timeout(5):
            await store_on(tmp_path).__aenter__()
    assert await data_in(store) == b"the first one's"


async def test_a_store_waits_for_the_one_before_it_to_leave(tmp_path: Path) -> None:
    patient = Store(Volume(tmp_path, LIMIT), timeout=TIMEOUT, lock_wait=10, observer=Observer())
    async with store_on(tmp_path) as first:
        opening = asyncio.create_task(patient.__aenter__())
        await first.write(b"the first one's")
        assert not opening.done()
    async with asyncio.timeout(5):
        await opening
    assert await data_in(patient) == b"the first one's"
    await patient.__aexit__()


async def test_one_that_waits_for_ever_enters_at_once_serves_nothing_and_takes_over_within_a_second(
    tmp_path: Path,
) -> None:
    waiting = Store(Volume(tmp_path, LIMIT), timeout=TIMEOUT, lock_wait=None, observer=Observer())
    async with store_on(tmp_path) as first:
        async with asyncio.timeout(TIMEOUT):
            await waiting.__aenter__()
        with pytest.raises(VolumeLockedError, match="is locked by another process"):
            await waiting.check()
        for call in (waiting.read(), waiting.write(b"second"), waiting.remove()):
            with pytest.raises(VolumeLockedError, match="is locked by another process"):
                await call
        await first.write(b"the first one's")
    async with asyncio.timeout(1):
        await until_it_works(waiting)
    assert await data_in(waiting) == b"the first one's"
    await waiting.__aexit__()


async def test_one_that_waits_for_ever_does_not_wait_for_a_directory(tmp_path: Path) -> None:
    with pytest.raises(VolumeUnusableError, match="is not a directory"):
        await Store(
            Volume(tmp_path / "data", LIMIT), timeout=TIMEOUT, lock_wait=None, observer=Observer()
        ).__aenter__()


async def test_the_lock_is_kept_until_a_commit_that_hangs_is_over(tmp_path: Path, disk: Disk) -> None:
    store = await store_on(tmp_path).__aenter__()
    with disk.holding("file"):
        with pytest.raises(VolumeUnavailableError):
            await store.write(b"late")
        await store.__aexit__()
        with pytest.raises(VolumeUnusableError):
            await store_on(tmp_path).__aenter__()
    patient = Store(Volume(tmp_path, LIMIT), timeout=TIMEOUT, lock_wait=10, observer=Observer())
    async with patient:
        assert await data_in(patient) == b"late"


async def test_a_temporary_file_that_a_crash_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "kubia.txt").write_bytes(b"value")
    (tmp_path / ".kubia.txt.tmp").write_bytes(b"half a val")
    async with store_on(tmp_path) as store:
        assert names_in(tmp_path) == ["kubia.txt"]
        assert await data_in(store) == b"value"


async def test_a_value_that_cannot_be_made_durable_at_the_start_is_served_only_when_it_was_written_anew(
    tmp_path: Path, disk: Disk
) -> None:
    file = tmp_path / "kubia.txt"
    file.write_bytes(b"value")
    before = inode(file)
    with disk.failing("file", "directory"):
        store = await store_on(tmp_path).__aenter__()
        assert not await works(store)
        with pytest.raises(VolumeUnavailableError, match="did not confirm"):
            await store.read()
    await until_it_works(store)
    assert await data_in(store) == b"value"
    assert inode(file) != before  # after an fsync that failed, another one of the same file may lie
    await store.__aexit__()


@contextmanager
def as_an_ordinary_user() -> Iterator[None]:
    """For its time root is nobody; others are who they are."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.mark.parametrize("mode", [0o555, 0o000], ids=["not writable", "not readable"])
async def test_a_directory_that_denies_us_is_told_with_owner_user_and_what_to_do(
    tmp_path: Path, mode: int
) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=mode)
    for above in (tmp_path, *tmp_path.parents[:3]):
        above.chmod(0o755)
    with as_an_ordinary_user():
        user, group = os.geteuid(), os.getegid()
        with pytest.raises(VolumeUnusableError) as told:
            await store_on(data_dir).__aenter__()
    data_dir.chmod(0o755)
    found = data_dir.stat()
    assert str(told.value) == (
        f"{data_dir} cannot be written (Permission denied): it belongs to {found.st_uid}:{found.st_gid} with "
        f"mode {mode:04o}, and this is user {user}:{group}. Mount it writable, in Kubernetes with fsGroup: "
        f"{group}, or chown it to {user}."
    )


@pytest.mark.parametrize("is_file", [False, True], ids=["missing", "a file"])
async def test_what_is_no_directory_is_told_with_what_to_do(tmp_path: Path, *, is_file: bool) -> None:
    path = tmp_path / "data"
    if is_file:
        path.write_text("a file")
    with pytest.raises(
        VolumeUnusableError, match=rf"^{path} is not a directory \(.*\): mount a volume there, "
    ):
        await store_on(path).__aenter__()


# Odd things in the value's place


def put_directory(path: Path) -> None:
    path.mkdir()


def put_fifo(path: Path) -> None:
    os.mkfifo(path)


def put_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def put_too_much(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2 << 30)


@pytest.mark.parametrize("put", [put_directory, put_fifo, put_link, put_too_much])
async def test_something_odd_in_the_values_place_is_an_error_that_names_it_until_it_is_replaced(
    store: Store, tmp_path: Path, put: Callable[[Path], None]
) -> None:
    file = tmp_path / "kubia.txt"
    put(file)
    with pytest.raises(ValueUnreadableError, match=f"^{file} .*remove it"):
        await store.read()
    assert not await works(store)
    if put is put_directory:
        with pytest.raises(VolumeUnavailableError, match="Is a directory"):
            await store.write(b"value")
        file.rmdir()
    await store.write(b"value")
    assert await data_in(store) == b"value"
    assert await works(store)


async def test_a_value_of_the_limit_is_read_and_one_byte_more_is_not(store: Store, tmp_path: Path) -> None:
    (tmp_path / "kubia.txt").write_bytes(b"v" * LIMIT)
    assert await data_in(store) == b"v" * LIMIT
    (tmp_path / "kubia.txt").write_bytes(b"v" * (LIMIT + 1))
    with pytest.raises(ValueUnreadableError, match="over the limit of 100000 bytes"):
        await store.read()


async def test_a_fault_that_is_not_the_files_own_is_the_volumes_and_nobody_is_told_to_remove_the_value(
    store: Store,
) -> None:
    await store.write(b"value")
    with no_more_files(), pytest.raises(VolumeUnavailableError) as told:
        await store.read()
    assert "remove" not in str(told.value)
    await until_it_works(store)
    assert await data_in(store) == b"value"


@contextmanager
def no_more_files() -> Iterator[None]:
    """For its time this process can open no file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# Faults


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """For its time a write is cut short at `size` bytes, and the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_without_room_a_write_fails_the_old_value_stands_and_it_mends_itself(
    store: Store, tmp_path: Path, observer: Observer
) -> None:
    await store.write(b"old")
    with no_file_longer_than(1000):
        with pytest.raises(VolumeFullError, match="the old one stands"):
            await store.write(b"n" * 10_000)
        assert await data_in(store) == b"old"
        assert not await works(store)
        assert names_in(tmp_path) == ["kubia.txt"]
    await until_it_works(store)
    assert await data_in(store) == b"old"
    assert observer.commits == [(1, True), (1, False)]


async def test_a_large_value_without_room_is_refused_and_small_ones_are_still_taken(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "kubia_pet.store")
    with no_file_longer_than(5000):
        for _ in range(3):
            with pytest.raises(VolumeFullError, match="the old one stands"):
                await store.write(b"n" * 10_000)
            await store.check()
        await store.write(b"small")
        await store.check()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert await data_in(store) == b"small"


@pytest.mark.parametrize("change", [None, b""], ids=["a removal", "an empty value"])
async def test_what_needs_no_room_does_not_show_that_there_is_some(
    store: Store, change: bytes | None
) -> None:
    with no_file_longer_than(1000):
        with pytest.raises(VolumeFullError):
            await store.write(b"n" * 10_000)
        await (store.remove() if change is None else store.write(change))
        assert not await works(store)
    await until_it_works(store)


class Counted(Volume):
    """A volume that counts how often it was tried."""

    tried = 0

    def probe(self) -> None:
        self.tried += 1
        super().probe()


async def test_a_volume_that_a_write_has_shown_to_work_is_not_tried_again(tmp_path: Path, disk: Disk) -> None:
    volume = Counted(tmp_path, LIMIT)
    async with Store(volume, timeout=TIMEOUT, lock_wait=0, observer=Observer()) as store:
        with disk.failing("file"), pytest.raises(VolumeUnavailableError):
            await store.write(b"refused")
        await store.write(b"stored")
        await store.check()
        await asyncio.sleep(1.2)  # in which it would be tried
        assert volume.tried == 0
        with disk.failing("file"):
            with pytest.raises(VolumeUnavailableError):
                await store.write(b"refused")
            await until("it to be tried", lambda: volume.tried == 2)
        await until_it_works(store)
        tried = volume.tried
        await asyncio.sleep(1.2)
        assert volume.tried == tried


async def test_a_try_that_waits_behind_a_write_that_succeeds_is_left_out(tmp_path: Path, disk: Disk) -> None:
    volume = Counted(tmp_path, LIMIT)
    async with Store(volume, timeout=5, lock_wait=0, observer=Observer()) as store:
        with disk.failing("file"), pytest.raises(VolumeUnavailableError):
            await store.write(b"refused")
        with disk.holding("file"):
            writing = store.write(b"stored")
            await asyncio.sleep(1.2)  # in which it would be tried
        await writing
        await until_it_works(store)
        assert volume.tried == 0


async def test_who_asks_whether_it_works_does_not_wait_for_a_try(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kubia_pet.store.health.TRIAL_INTERVAL", 0.2)
    volume = Counted(tmp_path, LIMIT)
    async with Store(volume, timeout=TIMEOUT, lock_wait=0, observer=Observer()) as store:
        await store.check()
        assert volume.tried == 0
        with disk.holding("file"):
            await store.check()
            await asyncio.sleep(0.2)
            await store.check()
            await until("it to be tried", lambda: volume.tried)
            await store.check()
            await asyncio.sleep(TIMEOUT)
            with pytest.raises(VolumeUnavailableError, match="did not answer within"):
                await store.check()
        await until_it_works(store)
        with disk.failing("file"):
            await until_it_fails(store)  # though nobody writes
        await until_it_works(store)


async def test_an_fsync_that_fails_leaves_the_old_value_and_the_next_write_mends_it(
    store: Store, tmp_path: Path, disk: Disk
) -> None:
    await store.write(b"old")
    with disk.failing("file"):
        with pytest.raises(VolumeUnavailableError, match="the old one stands"):
            await store.write(b"refused")
        assert await data_in(store) == b"old"
        assert not await works(store)
    await store.write(b"new")
    assert await data_in(store) == b"new"
    assert await works(store)
    assert names_in(tmp_path) == ["kubia.txt"]


@pytest.mark.parametrize("change", [b"new", None], ids=["a write", "a removal"])
async def test_a_change_whose_directory_fsync_failed_is_not_served_and_mends_itself(
    store: Store, disk: Disk, change: bytes | None
) -> None:
    await store.write(b"old")
    with disk.failing("directory"):
        with pytest.raises(VolumeUnavailableError, match="whether the old value or the new one stands"):
            await (store.remove() if change is None else store.write(change))
        with pytest.raises(VolumeUnavailableError, match="did not confirm the last change"):
            await store.read()
        assert not await works(store)
    await until_it_works(store)
    assert await data_in(store) == change


async def test_a_write_after_an_unconfirmed_change_settles_it_at_once(store: Store, disk: Disk) -> None:
    with disk.failing("directory"), pytest.raises(VolumeUnavailableError):
        await store.write(b"doubtful")
    await store.write(b"sure")
    assert await data_in(store) == b"sure"


async def test_while_the_volume_hangs_every_call_ends_within_its_deadline_and_afterwards_all_works(
    store: Store, disk: Disk
) -> None:
    await store.write(b"old")
    with disk.holding("directory"):
        hanging = store.write(b"new")
        await until("the commit", lambda: disk.waiting)
        calls = (hanging, store.write(b"newer"), store.read(), store.remove(), store.check())
        began = time.monotonic()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert time.monotonic() - began < TIMEOUT + 1
        assert [type(result) for result in results] == [VolumeSlowError] * len(calls)
        assert all("did not answer within 0.5 s" in str(result) for result in results)
    await store.write(b"after")
    assert await data_in(store) == b"after"
    assert await works(store)


async def test_a_write_that_hangs_before_its_rename_makes_it_unready_but_the_old_value_is_read(
    store: Store, disk: Disk
) -> None:
    await store.write(b"old")
    with disk.holding("file"):
        with pytest.raises(VolumeUnavailableError, match="may still take effect"):
            await store.write(b"new")
        assert await data_in(store) == b"old"
        assert not await works(store)
    await until_it_works(store)
    assert await data_in(store) == b"new"


async def test_a_directory_that_is_gone_is_an_error_until_one_is_made_again(
    tmp_path: Path,
) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    async with store_on(data_dir) as store:
        await store.write(b"value")
        data_dir.rename(tmp_path / "elsewhere")
        for call in (store.read(), store.write(b"new"), store.remove(), store.check()):
            with pytest.raises(VolumeUnavailableError, match="is gone"):
                await call
        data_dir.mkdir()
        await until_it_works(store)
        assert await store.read() is None
        with pytest.raises(VolumeUnusableError):
            await store_on(data_dir).__aenter__()
    assert (tmp_path / "elsewhere" / "kubia.txt").read_bytes() == b"value"


async def test_a_fault_is_logged_once_and_its_end_too(
    store: Store, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "kubia_pet.store")
    with disk.failing("file"):
        for _ in range(5):
            with pytest.raises(VolumeUnavailableError):
                await store.write(b"refused")
    await until_it_works(store)
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="only Linux has these calls")
async def test_a_number_that_is_not_with_its_value_is_read_like_one_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", refuse)
    volume = Volume(tmp_path, LIMIT)
    async with Store(volume, timeout=TIMEOUT, lock_wait=IMPATIENT, observer=Observer()) as store:
        await store.write(b"1")
        first = await store.read()
        assert first
        assert first.commit == volume.ledger.state.commit is not None
        assert store.read_nowait() in (first, UNKNOWN)
        await store.write(b"1")
        assert await store.read() != first


async def test_a_volume_that_hangs_is_given_no_further_job_between_commits(
    store: Store, disk: Disk, tmp_path: Path
) -> None:
    ran: list[int] = []
    began = time.monotonic()
    with (tmp_path / "other").open("w") as file, disk.holding("file"):
        with pytest.raises(VolumeSlowError):
            await store.between_commits(lambda: os.fsync(file.fileno()))
        for number in range(100):
            with pytest.raises(VolumeSlowError):
                await store.between_commits(lambda: ran.append(number))  # noqa: B023 - never called
        assert not await works(store)
    assert time.monotonic() - began < 10 * TIMEOUT
    await until_it_works(store)
    await store.between_commits(lambda: ran.append(-1))
    assert ran == [-1]


async def test_a_trial_write_that_fails_by_a_mistake_is_logged_and_a_fault_of_the_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = True

    class Tried(Volume):
        def probe(self) -> None:
            if broken:
                raise RuntimeError("a mistake")
            super().probe()

    monkeypatch.setattr(health, "TRIAL_INTERVAL", 0.0)
    store = Store(Tried(tmp_path, LIMIT), timeout=TIMEOUT, lock_wait=IMPATIENT, observer=Observer())
    async with store:
        await until_it_fails(store)
        assert "RuntimeError: a mistake" in caplog.text
        broken = False
        await until_it_works(store)
