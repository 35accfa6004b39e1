"""`python -m bench.hops [DIRECTORY]`: a commit and a look as one job in a thread, and as aiofiles' calls.

The thread is a lane of the store, or a pool of one. The same system calls in the same order each way, at
most one at a time. On a file system in memory the difference is the hops between the event loop and the
threads; on a disk it is what they are beside its fsync. A look at once, where the file system can, has
other calls and no thread.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import aiofiles
import click
from aiofiles.os import wrap

from bench import loop
from kubia_pet.aio.worker import WorkerThread
from kubia_pet.store import Volume
from kubia_pet.store.value_file import FILE

ROUNDS = 1000
TEMPORARY = "bench.tmp"
VALUE = b"Hey there! This greeting was submitted to kubia-0."


class OneJob:
    """As the store does it where `submit` is a WorkerThread's."""

    def __init__(self, volume: Volume, submit: Callable[[Callable[[], object]], Awaitable[object]]) -> None:
        self._volume = volume
        self._submit = submit

    async def commit(self) -> None:
        """Replaces the value."""
        await self._submit(lambda: self._volume.replace(VALUE))

    async def look(self) -> None:
        """Reads it."""
        await self._submit(self._volume.read)


class ManyHops:
    """Each call that aiofiles has is a job of its own; so is each that it lacks, by its own `wrap`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)

    async def _require_own_directory(self) -> None:
        here, there = await aiofiles.os.stat(self._path), await wrap(os.fstat)(self._directory)
        if not os.path.samestat(here, there):
            raise OSError(self._path)

    async def commit(self) -> None:
        """Replaces the value."""
        await self._require_own_directory()
        with suppress(FileNotFoundError):
            await aiofiles.os.unlink(self._path / TEMPORARY)
        async with aiofiles.open(self._path / TEMPORARY, "xb", buffering=0) as file:
            await file.write(VALUE)
            await wrap(os.fsync)(file.fileno())
        await aiofiles.os.rename(self._path / TEMPORARY, self._path / FILE)
        await wrap(os.fsync)(self._directory)

    async def look(self) -> None:
        """Reads it."""
        await self._require_own_directory()
        async with aiofiles.open(self._path / FILE, "rb", buffering=0) as file:
            await wrap(os.fstat)(file.fileno())
            while await file.read(1 << 20):
                pass

    def close(self) -> None:
        """Leaves the directory."""
        os.close(self._directory)


async def median(call: Callable[[], Awaitable[None]], rounds: int) -> float:
    """Microseconds."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        await call()
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1e6


async def _compare(what: str, ways: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
    turns = [[await median(call, ROUNDS // 5) for call in ways.values()] for _ in range(5)]
    taken = [statistics.median(each) for each in zip(*turns, strict=True)]
    shown = (f"{way} {each:.0f} µs ({each / taken[0]:.2g})" for way, each in zip(ways, taken, strict=True))
    click.echo(f"{what}: {', '.join(shown)}")


async def compare(path: Path) -> None:
    """Measures all by turns, five times, and shows the medians."""
    volume, lane, many = Volume(path, 1 << 20), WorkerThread("bench"), ManyHops(path)
    volume.open(0)
    volume.replace(VALUE)
    volume.read()  # it then knows whether it can at once

    async def at_once() -> None:
        volume.read_at_once()

    with ThreadPoolExecutor(1) as pool:
        in_lane = OneJob(volume, lane.submit)
        in_pool = OneJob(volume, partial(asyncio.get_running_loop().run_in_executor, pool))
        commits = {"a lane": in_lane.commit, "a pool": in_pool.commit, "aiofiles' calls": many.commit}
        looks = {"a lane": in_lane.look, "a pool": in_pool.look, "aiofiles' calls": many.look}
        if volume.read_at_once() is not None:
            looks["at once"] = at_once
        await _compare("commit", commits)
        await _compare("look", looks)
    lane.close()
    many.close()
    volume.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as directory:
        loop.run(compare(Path(directory)))
