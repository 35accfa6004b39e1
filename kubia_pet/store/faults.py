"""A volume that fails on purpose, where and as a real disk would."""

import errno
import os
import time
from collections.abc import Mapping
from pathlib import Path

from kubia_pet.limits import FAULT_POLL_INTERVAL, SLOWNESS
from kubia_pet.model.fault import Fault, Faults
from kubia_pet.store.errors import VolumeUnavailableError, translated
from kubia_pet.store.storage import Storage
from kubia_pet.store.value_file import Content

_READ_ERRORS = {Fault.DISK_ERROR: errno.EIO}
_REMOVE_ERRORS = {Fault.DISK_READ_ONLY: errno.EROFS} | _READ_ERRORS
_WRITE_ERRORS = {Fault.DISK_FULL: errno.ENOSPC} | _REMOVE_ERRORS


class FaultyVolume:
    """Hands each call on to `volume`, but where a fault is set; `timeout` is what a slow disk exceeds.

    While `forget` is, values stay in memory: the file is never touched, and is what is read afterwards.
    """

    def __init__(self, volume: Storage, faults: Faults, *, timeout: float) -> None:
        self._volume = volume
        self._faults = faults
        self._slow = SLOWNESS * timeout
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
        self._require_no_error(_READ_ERRORS, f"The value on {self.path} cannot be read")
        forgetting = self._faults.setting(Fault.FORGET)
        unwritten = self._unwritten
        if unwritten is not None and unwritten[0] == forgetting:
            data = unwritten[1]
            return None if data is None else Content(data, None)
        return self._volume.read()

    def read_nowait(self) -> Content | None:
        """Nothing while a fault is set: `read` knows."""
        return None if self._faults.active() else self._volume.read_nowait()

    def is_empty_nowait(self) -> bool:
        """Not while a fault is set."""
        return not self._faults.active() and self._volume.is_empty_nowait()

    def replace(self, data: bytes) -> None:
        """Stores it, forgets it, or fails."""
        self._wait()
        self._require_no_error(_WRITE_ERRORS, f"The value was not stored on {self.path}, the old one stands")
        if not self._forgets(data):
            self._volume.replace(data)

    def remove(self) -> None:
        """Removes it, forgets that, or fails, but not for want of room."""
        self._wait()
        what = f"The value on {self.path} was not changed, the old one stands"
        self._require_no_error(_REMOVE_ERRORS, what)
        if not self._forgets(None):
            self._volume.remove()

    def probe(self) -> None:
        """Fails as long as a read or a write would."""
        self._wait()
        self._require_no_error(_WRITE_ERRORS, f"A trial write to the volume {self.path} failed")
        self._volume.probe()

    def require_writable(self) -> None:
        """Fails where the fault is one that a look at the file system shows."""
        if self._faults.has(Fault.DISK_READ_ONLY):
            raise VolumeUnavailableError(f"The volume {self.path} is read-only.", _error(errno.EROFS))
        self._volume.require_writable()

    def close(self) -> None:
        """As the volume does."""
        self._volume.close()

    def _forgets(self, data: bytes | None) -> bool:
        forgetting = self._faults.setting(Fault.FORGET)
        self._unwritten = None if forgetting is None else (forgetting, data)
        return forgetting is not None

    def _require_no_error(self, errors: Mapping[Fault, int], what: str) -> None:
        for fault, number in errors.items():
            if self._faults.has(fault):
                raise translated(_error(number), what)

    def _wait(self) -> None:
        """Takes its time, at most until the fault ends."""
        until = time.monotonic() + self._slow
        while self._faults.has(Fault.DISK_SLOW) and time.monotonic() < until:
            time.sleep(FAULT_POLL_INTERVAL)


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
