"""Changes on a condition: on a real store, whose fsync alone can be held or made to fail."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubia_pet.model.value import Value
from kubia_pet.store import (
    Condition,
    PreconditionFailedError,
    Store,
    StoreError,
    ValueUnreadableError,
    Volume,
)
from kubia_pet.store.condition import Change, judge
from kubia_pet.store.errors import VolumeFullError, VolumeUnavailableError
from tests.support.disk import Disk
from tests.support.linearizability import ANY, UNKNOWN, Operation, is_linearizable
from tests.support.pod import until


class Commits:
    """How many changes each commit made, and whether it succeeded."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, bool]] = []

    def committed(self, writers: int, seconds: float, *, ok: bool) -> None:
        assert seconds >= 0
        self.seen.append((writers, ok))

    def holds(self, size: int) -> None:
        assert size >= 0


@pytest.fixture
def commits() -> Commits:
    return Commits()


@pytest.fixture
async def store(tmp_path: Path, commits: Commits) -> AsyncIterator[Store]:
    async with Store(Volume(tmp_path, 1000), timeout=2, lock_wait=0, observer=commits) as store:
        yield store


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def where(expected: bytes | None) -> Condition:
    """The condition that this is the value, or that there is none."""
    return lambda value: (None if value is None else value.data) == expected


async def data_in(store: Store) -> bytes | None:
    value = await store.read()
    return None if value is None else value.data


async def outcome(change: asyncio.Future[None]) -> object:
    """True where it was made, else the value that stood against it."""
    try:
        await change
    except PreconditionFailedError as error:
        return None if error.current is None else error.current.data
    return True


async def test_a_change_is_made_only_where_its_condition_holds(store: Store) -> None:
    assert await outcome(store.write(b"first", where(None))) is True
    assert await outcome(store.write(b"again", where(None))) == b"first"
    assert await data_in(store) == b"first"
    assert await outcome(store.write(b"second", where(b"first"))) is True
    assert await outcome(store.remove(where(b"first"))) == b"second"
    assert await data_in(store) == b"second"
    assert await outcome(store.remove(where(b"second"))) is True
    assert await outcome(store.remove(where(b"second"))) is None
    assert await data_in(store) is None


async def test_a_change_that_is_not_made_writes_nothing_and_is_no_commit(
    store: Store, commits: Commits, tmp_path: Path
) -> None:
    await store.write(b"value")
    before = (tmp_path / "kubia.txt").stat()
    assert await outcome(store.write(b"other", where(b"another"))) == b"value"
    assert (tmp_path / "kubia.txt").stat().st_ino == before.st_ino
    assert commits.seen == [(1, True)]


async def test_in_a_shared_commit_conditions_are_judged_in_the_order_of_arrival(
    store: Store, commits: Commits
) -> None:
    changes = [
        store.write(b"a", where(None)),
        store.write(b"b", where(None)),
        store.write(b"c", where(b"a")),
        store.remove(where(b"a")),
        store.write(b"d"),
        store.remove(where(b"d")),
        store.write(b"e", where(None)),
    ]
    outcomes = await asyncio.gather(*map(outcome, changes))
    assert outcomes == [True, b"a", True, b"c", True, True, True]
    assert commits.seen == [(5, True)]
    assert await data_in(store) == b"e"


async def test_of_many_who_would_be_first_one_is(store: Store) -> None:
    changes = [store.write(b"%d" % number, where(None)) for number in range(50)]
    outcomes = await asyncio.gather(*map(outcome, changes))
    assert outcomes == [True] + 49 * [b"0"]
    assert await data_in(store) == b"0"


async def test_a_refusal_that_rests_on_a_write_of_its_commit_waits_until_that_is_durable(
    store: Store, disk: Disk
) -> None:
    await store.write(b"old")
    with disk.holding("directory"):
        writing = store.write(b"new", where(b"old"))
        refused = store.write(b"newer", where(b"old"))
        await asyncio.to_thread(until, "the commit", lambda: disk.waiting)
        await asyncio.sleep(0.05)  # in which it would be told
        assert not writing.done()
        assert not refused.done()
    assert await outcome(refused) == b"new"
    assert await outcome(writing) is True


@pytest.mark.parametrize("kind", ["file", "directory"])
async def test_where_a_commit_fails_all_in_it_fail_alike(store: Store, disk: Disk, kind: str) -> None:
    await store.write(b"old")
    with disk.failing(kind):
        changes = [
            store.write(b"refused", where(b"another")),
            store.write(b"new", where(b"old")),
            store.write(b"refused", where(b"old")),
            store.write(b"newer"),
        ]
        outcomes = await asyncio.gather(*changes, return_exceptions=True)
    assert all(isinstance(each, VolumeUnavailableError) for each in outcomes)
    assert len({str(each) for each in outcomes}) == 1


async def test_no_condition_is_judged_by_a_change_that_a_crash_could_take_back(
    store: Store, disk: Disk
) -> None:
    with disk.failing("directory"), pytest.raises(VolumeUnavailableError):
        await store.write(b"doubtful")
    with pytest.raises(VolumeUnavailableError, match="did not confirm the last change"):
        await store.write(b"new", where(b"doubtful"))
    await store.write(b"sure")
    assert await outcome(store.write(b"new", where(b"sure"))) is True


async def test_something_unreadable_in_the_values_place_stands_against_conditions_and_no_other_change(
    store: Store, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "kubia.txt")
    refused, too = store.write(b"on a condition", where(None)), store.remove(where(None))
    written, last = store.write(b"anyhow"), store.write(b"then", where(b"anyhow"))
    for each in (refused, too):
        with pytest.raises(ValueUnreadableError):
            await each
    await written
    await last
    assert await data_in(store) == b"then"


async def test_clients_that_count_by_compare_and_set_lose_no_count(store: Store) -> None:
    async def count(times: int) -> None:
        for _ in range(times):
            done: object = False
            while done is not True:
                seen = await data_in(store)
                done = await outcome(store.write(b"%d" % (int(seen or b"0") + 1), where(seen)))

    await asyncio.gather(*(count(10) for _ in range(8)))
    assert await data_in(store) == b"80"


class Recorder:
    """Clients of a store, and what they saw of its value."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.history: list[Operation] = []

    async def client(self, number: int) -> None:
        """Reads, writes, and sets on the condition that the value is the one it saw last."""
        dice = random.Random(number)
        seen: str | None = None
        for count in range(60):
            value, called = f"{number}.{count}", time.monotonic()
            match dice.randrange(4):
                case 0:
                    seen = await self._read(called)
                case 1:
                    await self._write(value, called)
                case _:
                    seen = await self._swap(seen, value, called)
            await asyncio.sleep(dice.random() / 100)

    async def _read(self, called: float) -> str | None:
        try:
            value = _text(await self.store.read())
        except StoreError:
            return None
        self._note(Operation(is_write=False, value=value, called=called, returned=time.monotonic()))
        return value

    async def _write(self, value: str, called: float) -> None:
        returned = UNKNOWN
        with suppress(StoreError):
            await self.store.write(value.encode())
            returned = time.monotonic()
        self._note(Operation(is_write=True, value=value, called=called, returned=returned))

    async def _swap(self, expected: str | None, value: str, called: float) -> str | None:
        swap = Operation(is_write=True, value=value, called=called, returned=UNKNOWN, expected=expected)
        try:
            await self.store.write(value.encode(), lambda current: _text(current) == expected)
            swap = replace(swap, returned=time.monotonic())
        except StoreError:
            pass
        except PreconditionFailedError as error:
            swap = replace(swap, is_write=False, value=_text(error.current), returned=time.monotonic())
        self._note(swap)
        return swap.value

    def _note(self, operation: Operation) -> None:
        self.history.append(operation)


def _text(value: Value | None) -> str | None:
    return None if value is None else value.data.decode()


async def test_a_history_of_concurrent_compare_and_set_on_a_disk_that_fails_now_and_then_is_linearizable(
    store: Store, disk: Disk
) -> None:
    async def break_now_and_then() -> None:
        for number in range(10):
            await asyncio.sleep(0.04)
            with disk.failing("file" if number % 2 else "directory"):
                await asyncio.sleep(0.01)

    recorder = Recorder(store)
    await asyncio.gather(break_now_and_then(), *(recorder.client(number) for number in range(6)))
    swaps = [each for each in recorder.history if each.expected is not ANY]
    assert sum(each.is_write and each.returned != UNKNOWN for each in swaps) > 10
    assert sum(not each.is_write for each in swaps) > 10
    assert any(each.returned == UNKNOWN for each in recorder.history)
    assert is_linearizable(recorder.history)


VALUES = st.sampled_from([None, b"a", b"b"])


@settings(deadline=None)
@given(VALUES, st.lists(st.tuples(VALUES, st.none() | st.tuples(VALUES)), min_size=1, max_size=12))
def test_whatever_shares_a_commit_comes_to_the_same_as_one_after_the_other(
    before: bytes | None, asked: Sequence[tuple[bytes | None, tuple[bytes | None] | None]]
) -> None:
    changes = [Change(data, None if expected is None else where(*expected)) for data, expected in asked]
    last = judge(changes, lambda: None if before is None else Value(before))
    value, made = before, []
    for change, (data, expected) in zip(changes, asked, strict=True):
        if expected is None or expected[0] == value:
            value = data
            made.append(change)
            assert change.refusal is None
        else:
            assert isinstance(change.refusal, PreconditionFailedError)
            assert (change.refusal.current.data if change.refusal.current else None) == value
    assert last is (made[-1] if made else None)
    assert last is None or last.data == value


async def test_a_condition_that_is_at_fault_is_an_error_and_the_store_goes_on(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        await store.write(b"value", lambda _: 1 // 0 > 0)
    await store.check()
    await store.write(b"value")
    assert await data_in(store) == b"value"


def test_all_errors_of_a_volume_that_cannot_be_read_refuse_alike() -> None:
    def read() -> Value | None:
        raise VolumeFullError("broken")

    changes = [Change(b"a", where(None)), Change(b"b", where(None))]
    assert judge(changes, read) is None
    assert changes[0].refusal is changes[1].refusal is not None
