"""Whether the volume works, as its last use showed; one that does not is tried until it does."""

import asyncio
import logging
import time

from kubia_pet.aio.worker import WorkerThread
from kubia_pet.limits import MEND_INTERVAL
from kubia_pet.store.errors import StoreError, VolumeUnavailableError
from kubia_pet.store.storage import Storage

log = logging.getLogger(__name__)


class Health:
    """What is known of the fault of a volume, if it has one. `writer` is the thread of all changes."""

    def __init__(self, volume: Storage, writer: WorkerThread, *, timeout: float) -> None:
        self._volume = volume
        self._writer = writer
        self._timeout = timeout
        self._fault: StoreError | None = None
        self._needed = 0  # bytes that the last failed write had no room for
        self._writing_since: float | None = None
        self._mending: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Tries the volume no more."""
        if self._mending is not None:
            self._mending.cancel()

    def require(self) -> None:
        """Raises StoreError where the volume has a fault, or a write is overdue."""
        if self._fault is not None:
            raise self._fault
        if self._writing_since is not None and time.monotonic() - self._writing_since > self._timeout:
            raise self.too_slow()

    def too_slow(self) -> VolumeUnavailableError:
        """The error of whoever waited for the volume for too long."""
        return VolumeUnavailableError(
            f"The volume {self._volume.path} did not answer within {self._timeout:g} s; "
            "a write under way may still take effect."
        )

    def writes(self) -> float:
        """A write begins, at the time that this returns."""
        self._writing_since = time.monotonic()
        return self._writing_since

    def wrote(self, error: BaseException | None, size: int) -> None:
        """The write has ended, of so many bytes."""
        self._writing_since = None
        if isinstance(error, StoreError):
            self.found(error, size)
        elif error is None:
            self._works_again()

    def wrote_nothing(self) -> None:
        """There was nothing to write."""
        self._writing_since = None

    def failed_to_read(self, error: BaseException | None) -> None:
        """Reading has, if there is an error, by what may be the volume's fault and not the value's own."""
        if isinstance(error, VolumeUnavailableError) and self._fault is None:
            self.found(error, 0)

    def found(self, error: StoreError, needed: int) -> None:
        """It has a fault; it is mended when `needed` bytes can be written."""
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
                await self._writer.submit(lambda: self._volume.mend(self._needed))
            except StoreError as error:
                log.debug("%s", error)
            else:
                self._works_again()
        self._mending = None
