"""A volume that fails on purpose, where and as a real disk would."""

import errno
import os
import time
from pathlib import Path

from kubia_pet.limits import FAULT_POLL_INTERVAL, SLOW_DISK_TIME
from kubia_pet.model.fault import Fault, Faults
from kubia_pet.store.errors import VolumeUnavailableError, translated
from kubia_pet.store.storage import Storage
from kubia_pet.store.value_file import Content

_WRITE_ERRORS = {
    Fault.DISK_FULL: errno.ENOSPC,
    Fault.DISK_READ_ONLY: errno.EROFS,
    Fault.DISK_ERROR: errno.EIO,
}


class FaultyVolume:
    """Hands each call on to `volume`, but where a fault is set.

    While `forget` is, values stay in memory: the file is never touched, and is what is read afterwards.
    """

    def __init__(self, volume: Storage, faults: Faults) -> None:
        self._volume = volume
        self._faults = faults
        self._unwritten: tuple[int, bytes | None] | None = None  # by which setting of the fault, and what

    @property
    def path(self) -> Path:
        """The directory, for sentences."""
        return self._volume.path

    def open(self, wait: float) -> None:
        """As the volume does."""
        self._volume.open(wait)

    def read(self) -> Content | None:
        """What the volume has, or what it should have been given."""
        self._wait()
        if self._faults.has(Fault.DISK_ERROR):
            what = f"The value on {self.path} cannot be read"
            raise translated(_error(errno.EIO), what)
        forgetting = self._faults.setting(Fault.FORGET)
        if self._unwritten is not None and self._unwritten[0] == forgetting:
            data = self._unwritten[1]
            return None if data is None else Content(data, None)
        return self._volume.read()

    def read_at_once(self) -> Content | None:
        """Nothing while a fault is set: `read` knows."""
        return None if self._faults.active() else self._volume.read_at_once()

    def is_empty_at_once(self) -> bool:
        """Not while a fault is set."""
        return not self._faults.active() and self._volume.is_empty_at_once()

    def replace(self, data: bytes) -> None:
        """Stores it, forgets it, or fails."""
        self._change(data)

    def remove(self) -> None:
        """Removes it, forgets that, or fails."""
        self._change(None)

    def probe(self) -> None:
        """Fails as long as a read or a write would."""
        self._wait()
        self._require_no_write_error(f"The volume {self.path} is still at fault")
        self._volume.probe()

    def require_writable(self) -> None:
        """Fails where the fault is one that a look at the file system shows."""
        if self._faults.has(Fault.DISK_READ_ONLY):
            raise VolumeUnavailableError(f"The volume {self.path} is read-only.", _error(errno.EROFS))
        self._volume.require_writable()

    def close(self) -> None:
        """As the volume does."""
        self._volume.close()

    def _change(self, data: bytes | None) -> None:
        self._wait()
        self._require_no_write_error(f"The value was not stored on {self.path}, the old one stands")
        forgetting = self._faults.setting(Fault.FORGET)
        if forgetting is not None:
            self._unwritten = forgetting, data
        elif data is None:
            self._volume.remove()
        else:
            self._volume.replace(data)

    def _require_no_write_error(self, what: str) -> None:
        for fault, number in _WRITE_ERRORS.items():
            if self._faults.has(fault):
                raise translated(_error(number), what)

    def _wait(self) -> None:
        """Takes its time, at most until the fault ends."""
        until = time.monotonic() + SLOW_DISK_TIME
        while self._faults.has(Fault.DISK_SLOW) and time.monotonic() < until:
            time.sleep(FAULT_POLL_INTERVAL)


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
