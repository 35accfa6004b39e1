"""The value, kept durably on this pod's volume."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol, Self, TypeVar

from kubia_pet.aio.coalescer import Coalescer
from kubia_pet.aio.worker import WorkerThread
from kubia_pet.model.unknown import UNKNOWN, Unknown
from kubia_pet.model.value import Value
from kubia_pet.store.commits import CommitObserver, Commits
from kubia_pet.store.condition import Change, Condition
from kubia_pet.store.errors import StoreError, VolumeLockedError, VolumeUnusableError
from kubia_pet.store.health import Health
from kubia_pet.store.storage import Storage
from kubia_pet.store.value_file import Content

T = TypeVar("T")
log = logging.getLogger(__name__)


class StoreObserver(CommitObserver, Protocol):
    """Told of the value's size, too."""

    def holds(self, size: int) -> None:
        """The value was seen to have `size` bytes; 0 without one."""


class Store:
    """One value on one volume, for many concurrent readers and writers.

    Use it as an async context manager: it holds the volume's lock from entry to exit. For another process to
    leave the volume it waits `lock_wait` seconds, then it raises VolumeLockedError. Where that is None it
    enters at once, and waits for as long as it takes: every call raises StoreError until it has the lock.

    Durable linearizability (Izraelevitz et al., DISC'16): a write that returned survives any crash, a read
    that begins afterwards sees it or a later one, and what was read of these writes cannot be lost. Reads see
    the file as this node's kernel has it, changes by others included, which nobody may have made durable.
    Every call ends within `timeout` seconds.
    """

    def __init__(
        self, volume: Storage, *, timeout: float, lock_wait: float | None, observer: StoreObserver
    ) -> None:
        self._volume = volume
        self._timeout = timeout
        self._lock_wait = lock_wait
        self._observer = observer
        # One thread each: they bound what a hung volume can hold, and keep commits in order. A commit or a
        # look is one job: as nine or seven, each a hop to a thread and back, the hops would take far longer
        # than the calls on a file system in memory. A look at what the kernel has in memory needs no thread.
        self._reader = WorkerThread("store-read")
        self._writer = WorkerThread("store-write")
        self._health = Health(volume, self._writer, timeout=timeout)
        self._looks = Coalescer(self._look, timeout=timeout, late=self._health.too_slow)
        self._checks = Coalescer(self._check, timeout=timeout, late=self._health.too_slow)
        self._commits = Commits(volume, self._health, self._see, observer, timeout=timeout)
        self._last_seen: Value | None = None
        self.last_fault: StoreError | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._writer.submit(lambda: self._volume.open(self._lock_wait or 0))
        except VolumeUnusableError as error:
            if not isinstance(error, VolumeLockedError) or self._lock_wait is not None:
                await self._leave()
                raise
            self._health.found(error)
            log.info("Waiting, not ready, until %s is free", self._volume.path)
        except StoreError as error:
            self._health.found(error)
        else:
            self._health.proved()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._health.stop()
        await self._leave()

    def read(self) -> asyncio.Future[Value | None]:
        """The value, None where there is none. Raises StoreError."""
        return self._looks.submit()

    def read_nowait(self) -> Value | Unknown | None:
        """The value, where the kernel has it in memory; UNKNOWN where only `read` can tell."""
        value = self._as_value(self._volume.read_nowait())
        if value is None and not self._volume.is_empty_nowait():
            return UNKNOWN
        self._remember(value)
        return value

    def write(self, data: bytes, condition: Condition | None = None) -> asyncio.Future[None]:
        """Makes `data` the value; done when it is durable. Raises StoreError.

        Where `condition` does not hold for the value of that moment it changes nothing, and raises
        PreconditionFailedError; if that value is of another write, then not before it is durable. A condition
        is asked in the thread of all changes, once at most, and blocks them.
        """
        return self._commits.submit(Change(data, condition))

    def remove(self, condition: Condition | None = None) -> asyncio.Future[None]:
        """Removes the value, as `write` makes one; nothing to remove is no error."""
        return self._commits.submit(Change(None, condition))

    async def check(self) -> None:
        """Raises StoreError as long as this volume cannot be read and written; `last_fault` keeps it."""
        try:
            await self._checks.submit()
        except StoreError as error:
            self.last_fault = error
            raise
        self.last_fault = None

    def _look(self) -> asyncio.Future[Value | None]:
        value = self.read_nowait()
        if value is UNKNOWN:
            looking = self._reader.submit(self._see)
            looking.add_done_callback(self._on_read)
        else:
            looking = asyncio.get_running_loop().create_future()
            looking.set_result(value)
        return looking

    def _see(self) -> Value | None:
        return self._as_value(self._volume.read())

    def _as_value(self, content: Content | None) -> Value | None:
        """What was seen before keeps its derived forms; those of something new are made here.

        A number that is another value's is none.
        """
        if content is None:
            return None
        last = self._last_seen  # another thread may be here too
        if last is not None and last.data == content.data and last.commit == content.commit:
            return last
        value = Value(*content)
        if value.commit is not None and value.commit.digest != value.etag:
            value = Value(content.data)
        _ = value.etag, value.is_text
        return value

    def _on_read(self, looking: asyncio.Future[Value | None]) -> None:
        if (error := looking.exception()) is None:
            self._remember(looking.result())
        else:
            self._health.failed_to_read(error)

    def _remember(self, value: Value | None) -> None:
        self._last_seen = value
        self._observer.holds(len(value.data) if value else 0)

    async def _check(self) -> None:
        await self._health.require()
        await self._looks.submit()
        await self._reader.submit(self._volume.require_writable)

    async def between_commits(self, job: Callable[[], T]) -> T:
        """Runs it in the thread of all changes, while there is none. Raises StoreError where it is late."""
        return await self._health.between_changes(job)

    async def _leave(self) -> None:
        # Behind a commit that still hangs: whoever has the lock next must not find it writing.
        closed = self._writer.submit(self._volume.close)
        await asyncio.wait((closed,), timeout=self._timeout)
        for thread in (self._reader, self._writer):
            thread.close()
