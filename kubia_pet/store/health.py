"""Whether the volume works, as its last use showed; one that does not is tried until it does."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from kubia_pet.aio.worker import WorkerThread
from kubia_pet.limits import LOCK_INTERVAL, MEND_INTERVAL, TRIAL_INTERVAL
from kubia_pet.store.errors import (
    StoreError,
    VolumeFullError,
    VolumeLockedError,
    VolumeSlowError,
    VolumeUnavailableError,
)
from kubia_pet.store.storage import Storage

log = logging.getLogger(__name__)
T = TypeVar("T")
_NEVER = float("-inf")


class Health:
    """What is known of the fault of a volume, if it has one. `writer` is the thread of all changes.

    It works as long as it can be read and takes a small value; what has no room for a large one may.
    """

    def __init__(self, volume: Storage, writer: WorkerThread, *, timeout: float) -> None:
        self._volume = volume
        self._writer = writer
        self._timeout = timeout
        self._fault: StoreError | None = None
        self._since = _NEVER  # when the fault was found
        self._proved = _NEVER  # when a write last showed that the volume works: a time of the writer's
        self._refused = ""  # what was last said of a write that had no room
        self._under_way: deque[float] = deque()  # when each job that the writer has was given to it
        self._probing: asyncio.Future[None] | None = None
        self._doubt: asyncio.Future[None] | None = None  # the probe that tells whether a small value has room
        self._mending: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Tries the volume no more."""
        if self._mending is not None:
            self._mending.cancel()

    async def require(self) -> None:
        """Raises StoreError where the volume has a fault, or a write is overdue.

        Where nobody wrote to it for TRIAL_INTERVAL it is tried, and who asks next is told what came of it.
        """
        if self._doubt is not None:
            await asyncio.wait((self._doubt,))
        if self._fault is not None:
            raise self._fault
        self._require_pace()
        now = time.monotonic()
        if now - self._proved > TRIAL_INTERVAL:
            self._probe(unless_proved_after=now)

    def too_slow(self) -> VolumeSlowError:
        """The error of whoever waited for the volume for too long."""
        return VolumeSlowError(
            f"The volume {self._volume.path} did not answer within {self._timeout:g} s; "
            "a write under way may still take effect."
        )

    def change(
        self, job: Callable[[], None], ended: Callable[[BaseException | None], None]
    ) -> asyncio.Future[None]:
        """Runs a job that may change the volume, in the writer's thread; where it did, it calls `proved`.

        `ended` is called in the event loop, with its error if it had one, before anybody is told.
        """
        changing = self._submit(job)
        changing.add_done_callback(partial(self._changed, ended))
        return changing

    async def between_changes(self, job: Callable[[], T]) -> T:
        """Runs a job that leaves the value as it is, in the writer's thread.

        Raises VolumeSlowError where it is late, and at once where what was given to the writer before is.
        """
        self._require_pace()
        running = self._submit(job)
        running.add_done_callback(self._ended)
        await asyncio.wait((running,), timeout=self._timeout)  # which does not cancel it: it is still to end
        if not running.done():
            raise self.too_slow()
        return running.result()

    def proved(self) -> None:
        """A write has just succeeded: to be called in the writer's thread, or where it has nothing to do."""
        self._proved = time.monotonic()

    def failed_to_read(self, error: BaseException) -> None:
        """Reading has, by what may be the volume's fault and not the value's own."""
        if isinstance(error, VolumeUnavailableError) and self._fault is None:
            self.found(error)

    def found(self, error: StoreError) -> None:
        """It has a fault, until a write shows that it works."""
        if self._fault is None or str(self._fault) != str(error):
            log.error("%s", error)
        self._fault = error
        self._since = time.monotonic()
        if self._mending is None:
            self._mending = asyncio.create_task(self._mend())

    def _require_pace(self) -> None:
        if self._under_way and time.monotonic() - self._under_way[0] > self._timeout:
            raise self.too_slow()

    def _submit(self, job: Callable[[], T]) -> asyncio.Future[T]:
        self._under_way.append(time.monotonic())
        return self._writer.submit(job)

    def _ended(self, running: asyncio.Future[Any]) -> None:
        self._under_way.popleft()
        running.exception()  # whoever waits for it is told; nobody may

    def _changed(self, ended: Callable[[BaseException | None], None], changing: asyncio.Future[None]) -> None:
        self._under_way.popleft()
        error = changing.exception()
        ended(error)
        if isinstance(error, VolumeFullError) and self._fault is None:
            if str(error) != self._refused:
                log.warning("%s", error)
            self._refused = str(error)
            self._doubt = self._probe(unless_proved_after=time.monotonic())
        elif isinstance(error, StoreError):
            self.found(error)
        elif error is None:
            self._refused = ""
            self._forget_fault()

    def _forget_fault(self) -> None:
        if self._fault is not None and self._proved > self._since:
            log.info("The volume %s works again", self._volume.path)
            self._fault = None

    def _probe(self, *, unless_proved_after: float) -> asyncio.Future[None]:
        """Tries the volume, behind what the writer has to do, unless that shows that it works."""
        if self._probing is None:

            def probe() -> None:
                if self._proved <= unless_proved_after:
                    self._volume.probe()
                    self.proved()

            self._probing = self._submit(probe)
            self._probing.add_done_callback(self._probed)
        return self._probing

    def _probed(self, probing: asyncio.Future[None]) -> None:
        self._under_way.popleft()
        self._probing = None
        error = probing.exception()
        if error is None:
            self._forget_fault()
            return
        log.debug("%s", error)
        if not isinstance(error, StoreError):
            log.error("Failed to try the volume %s", self._volume.path, exc_info=error)
            error = VolumeUnavailableError(
                f"The volume {self._volume.path} cannot be tried: the log says why."
            )
        if type(error) is not type(self._fault):
            self.found(error)

    async def _mend(self) -> None:
        """Tries the volume until a write works again, so that readiness waits for no client's POST."""
        while True:
            locked = isinstance(self._fault, VolumeLockedError)
            await asyncio.sleep(LOCK_INTERVAL if locked else MEND_INTERVAL)
            if self._fault is None:
                break
            await asyncio.wait((self._probe(unless_proved_after=self._since),))
        self._mending = None
