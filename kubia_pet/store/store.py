"""The value, kept durably on this pod's volume."""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol, Self, TypeVar

from aiofiles.os import wrap

from kubia_pet.aio.coalescer import Coalescer
from kubia_pet.aio.worker import WorkerThread
from kubia_pet.limits import MEND_INTERVAL
from kubia_pet.model.value import Value
from kubia_pet.store.errors import StoreError, VolumeUnavailableError, VolumeUnusableError
from kubia_pet.store.volume import Volume

T = TypeVar("T")
log = logging.getLogger(__name__)


class StoreObserver(Protocol):
    """Told of every commit, and of the value's size."""

    def committed(self, writers: int, seconds: float, *, ok: bool) -> None:
        """`writers` requests shared one commit that took `seconds`."""

    def holds(self, size: int) -> None:
        """The value was seen to have `size` bytes; 0 without one."""


class Store:
    """One value on one volume, for many concurrent readers and writers.

    Use it as an async context manager: it holds the volume's lock from entry to exit.

    Durable linearizability (Izraelevitz et al., DISC'16): a write that returned survives any crash, a read
    that begins afterwards sees it or a later one, and what was read cannot be lost. Reads see the disk's
    truth, changes by others included. Every call ends within `timeout` seconds.
    """

    def __init__(
        self, path: Path, *, limit: int, timeout: float, lock_wait: float, observer: StoreObserver
    ) -> None:
        self._volume = Volume(path, limit)
        self._timeout = timeout
        self._lock_wait = lock_wait
        self._observer = observer
        # One lane each: they bound what a hung volume can hold, and keep commits in order. A commit or a look
        # is one job in its lane: as nine or seven calls of aiofiles, each a hop to a thread and back, it
        # takes ten times as long and more on a file system in memory (python -m bench.hops). A look at what
        # the kernel has in memory needs no lane, and a quarter of its time.
        self._reader = WorkerThread("store-read")
        self._writer = WorkerThread("store-write")
        self._looks = Coalescer(self._look, timeout=timeout, late=self._too_slow)
        self._checks = Coalescer(self._check, timeout=timeout, late=self._too_slow)
        self._commits = Coalescer(self._commit, timeout=timeout, late=self._too_slow)
        self._last_seen: Value | None = None
        self._commit_began: float | None = None
        self._fault: StoreError | None = None
        self._needed = 0  # bytes that the last failed write had no room for
        self._mending: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._in(self._writer, lambda: self._volume.open(self._lock_wait))
        except VolumeUnusableError:
            await self._leave()
            raise
        except StoreError as error:
            self._found_fault(error, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._mending is not None:
            self._mending.cancel()
        await self._leave()

    def read(self) -> asyncio.Future[Value | None]:
        """The value, None where there is none. Raises StoreError."""
        return self._looks.submit(None)

    def read_at_once(self) -> Value | None:
        """The value, where the kernel has it in memory; None where only `read` can tell."""
        value = self._as_value(self._volume.read_at_once())
        if value is not None:
            self._saw(value)
        return value

    def write(self, data: bytes) -> asyncio.Future[None]:
        """Makes `data` the value; done when it is durable. Raises StoreError."""
        return self._commits.submit(data)

    async def remove(self) -> None:
        """Removes the value; returns when that is durable. Raises StoreError."""
        await self._commits.submit(None)

    async def check(self) -> None:
        """Raises StoreError as long as this volume cannot be read and written."""
        await self._checks.submit(None)

    def _look(self, _: None, __: int) -> asyncio.Future[Value | None]:
        value = self.read_at_once()
        if value is None:
            looking = self._reader.submit(self._see)
            looking.add_done_callback(self._looked)
        else:
            looking = asyncio.get_running_loop().create_future()
            looking.set_result(value)
        return looking

    def _see(self) -> Value | None:
        return self._as_value(self._volume.read())

    def _as_value(self, data: bytes | None) -> Value | None:
        """Bytes that were seen before keep their derived forms; those of new ones are made here."""
        if data is None:
            return None
        last = self._last_seen  # another thread may be here too
        if last is not None and last.data == data:
            return last
        value = Value(data)
        _ = value.etag, value.text
        return value

    def _looked(self, looking: asyncio.Future[Value | None]) -> None:
        if (error := looking.exception()) is None:
            self._saw(looking.result())
        elif isinstance(error, VolumeUnavailableError) and self._fault is None:
            self._found_fault(error, 0)

    def _saw(self, value: Value | None) -> None:
        self._last_seen = value
        self._observer.holds(len(value.data) if value else 0)

    async def _check(self, _: None, __: int) -> None:
        await self._looks.submit(None)
        await self._in(self._reader, self._volume.require_writable)
        if self._fault is not None:
            raise self._fault
        if self._commit_began is not None and time.monotonic() - self._commit_began > self._timeout:
            raise self._too_slow()

    def _commit(self, data: bytes | None, writers: int) -> asyncio.Future[None]:
        change = self._volume.remove if data is None else partial(self._volume.replace, data)
        committing = self._writer.submit(change)
        self._commit_began = time.monotonic()
        committing.add_done_callback(partial(self._committed, data, writers, self._commit_began))
        return committing

    def _committed(
        self, data: bytes | None, writers: int, began: float, committing: asyncio.Future[None]
    ) -> None:
        self._commit_began = None
        error = committing.exception()
        self._observer.committed(writers, time.monotonic() - began, ok=error is None)
        if isinstance(error, StoreError):
            self._found_fault(error, len(data or b""))
        elif error is None:
            done = "Removed the value" if data is None else f"Stored {len(data)} bytes"
            shared = f", for {writers} requests at once" if writers > 1 else ""
            # A turn of the loop later than those who wait are told: a line takes a tenth of a commit's time.
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, log.info, "%s%s", done, shared)
            self._works_again()

    def _too_slow(self) -> VolumeUnavailableError:
        return VolumeUnavailableError(
            f"The volume {self._volume.path} did not answer within {self._timeout:g} s; "
            "a write under way may still take effect."
        )

    def _found_fault(self, error: StoreError, needed: int) -> None:
        if self._fault is None or str(self._fault) != str(error):
            log.error("%s", error)
        self._fault = error
        self._needed = needed
        if self._mending is None:
            self._mending = asyncio.create_task(self._mend())

    def _works_again(self) -> None:
        if self._fault is not None:
            log.info("The volume %s works again", self._volume.path)
            self._fault = None

    async def _mend(self) -> None:
        """Tries the volume until a write works again, so that readiness waits for no client's POST."""
        while self._fault is not None:
            await asyncio.sleep(MEND_INTERVAL)
            try:
                await self._in(self._writer, lambda: self._volume.mend(self._needed))
            except StoreError as error:
                log.debug("%s", error)
            else:
                self._works_again()
        self._mending = None

    async def _in(self, lane: WorkerThread, job: Callable[[], T]) -> T:
        return await wrap(job)(executor=lane)

    async def _leave(self) -> None:
        # Behind a commit that still hangs: whoever has the lock next must not find it writing.
        closed = asyncio.ensure_future(self._in(self._writer, self._volume.close))
        await asyncio.wait((closed,), timeout=self._timeout)
        for lane in (self._reader, self._writer):
            lane.close()
