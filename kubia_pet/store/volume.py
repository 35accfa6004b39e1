"""A directory that this process has locked, and the value's file in it."""

import errno
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from kubia_pet.limits import PROBE_BYTES
from kubia_pet.model.continuity import Found
from kubia_pet.model.value import Value
from kubia_pet.store.atomic_file import AtomicFile, UnconfirmedError, sync
from kubia_pet.store.directory import Locked, how_to_permit, open_locked
from kubia_pet.store.errors import (
    ChangeUnconfirmedError,
    StoreError,
    ValueUnreadableError,
    VolumeLockedError,
    VolumeUnavailableError,
    VolumeUnusableError,
    reason,
    translated,
)
from kubia_pet.store.fsync import FsyncTimes
from kubia_pet.store.ledger import Ledger
from kubia_pet.store.nowait import prepare
from kubia_pet.store.value_file import FILE, Content, ValueFile, open_value

_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


class Volume:
    """The `Storage` of a directory: its lock, its identity, and the recovery from what a crash left.

    What was read or changed is of the directory that was locked, never of another one that was put in its
    place. `read` never shows what a crash could still take back.
    """

    def __init__(self, path: Path, limit: int, ledger: Ledger | None = None) -> None:
        self.path = path
        self.ledger = ledger or Ledger()
        self.fsyncs = FsyncTimes()
        self._file = AtomicFile(FILE, self.fsyncs.sync)
        self._value = ValueFile(path, limit)
        self._held: Locked | None = None
        self._directory = -1  # the locked one
        self._own: os.stat_result | None = None  # of that directory: what it is never changes
        self._locked = ""  # what was said of another process that has the lock, as long as it is not held
        self._tells_at_once = False  # its file system tells what it has in memory, as no network's does
        self._mounted = False
        # Held from a rename until the directory is fsynced, and while the directory is read or exchanged.
        self._publishing = threading.RLock()
        self._unconfirmed = False  # a rename or an unlink that is not fsynced: either value may survive

    def open(self, wait: float) -> None:
        """See Storage."""
        try:
            self._mounted = self.path.is_mount()
            self._hold(self._lock(wait))
            self._recover()
            self.ledger.begin(self._directory, self.found)
            self._try_writing()
        except OSError as error:
            if error.errno in _DENIED:
                raise VolumeUnusableError(how_to_permit(self.path, error), error) from error
            raise translated(error, f"The volume {self.path} has a fault") from error

    def read(self) -> Content | None:
        """See Storage."""
        with self._publishing:
            self._require_own_directory()
            if self._unconfirmed:
                raise ChangeUnconfirmedError(
                    f"The volume {self.path} did not confirm the last change; it is being repeated."
                )
            return self._value.read(self._directory)

    def read_at_once(self) -> Content | None:
        """See Storage."""
        if not self._publishing.acquire(blocking=False):
            return None
        try:
            return None if self._unconfirmed else self._numbered(self._value.read_at_once())
        finally:
            self._publishing.release()

    def is_empty_at_once(self) -> bool:
        """See Storage."""
        if not self._publishing.acquire(blocking=False):
            return False
        try:
            if self._own is None or self._unconfirmed or not self._tells_at_once:
                return False
            return self._value.is_missing_at_once(self._own)
        finally:
            self._publishing.release()

    def replace(self, data: bytes) -> None:
        """See Storage."""
        self._require_own_directory()
        commit = self.ledger.number(Value(data).etag)
        try:
            self._file.stage(self._directory, data, partial(self.ledger.mark, commit))
        except OSError as error:
            raise translated(error, f"The value was not stored on {self.path}, the old one stands") from error
        self._publish(self._file.publish)
        self.ledger.committed(commit)

    def remove(self) -> None:
        """See Storage."""
        self._require_own_directory()
        commit = self.ledger.number(None)
        self.ledger.put(commit)
        self._publish(self._file.remove)
        self.ledger.committed(commit)

    def found(self) -> Found:
        """What stands in the value's place, for the ledger to judge."""
        try:
            content = self._read()
        except StoreError:
            return Found(None, readable=False)
        if content is None:
            return Found(None)
        digest = Value(content.data).etag
        own = content.commit is not None and content.commit.digest == digest
        return Found(digest, content.commit if own else None)

    def probe(self) -> None:
        """See Storage; takes a directory that was made or mounted anew at the same path for its own."""
        try:
            if not self._is_own_directory():
                self._reopen()
            if self._unconfirmed and (content := self._read()) is not None:
                self.replace(content.data)
            self._try_writing()
            self._unconfirmed = False
            with suppress(ValueUnreadableError):  # whoever reads it is told
                self._read()
        except OSError as error:
            raise translated(error, f"A trial write to the volume {self.path} failed") from error

    def require_writable(self) -> None:
        """See Storage."""
        with self._publishing:
            try:
                flags = os.fstatvfs(self._directory).f_flag
            except OSError as error:
                raise translated(error, f"The volume {self.path} has a fault") from error
        if flags & os.ST_RDONLY:
            raise VolumeUnavailableError(f"The volume {self.path} is read-only.", OSError(errno.EROFS, ""))

    def close(self) -> None:
        """See Storage."""
        self.ledger.end()
        self._let_go()

    def _let_go(self) -> None:
        with self._publishing:
            if self._held is not None:
                self._held.close()
                self._held = None
                self._directory = -1
                self._own = None
            self._value.forget()

    def _reopen(self) -> None:
        if self._mounted and not self.path.is_mount():  # what lies under a mount point is not the volume
            raise VolumeUnavailableError(f"Nothing is mounted on {self.path}.")
        locked = self._lock(0)
        with self._publishing:
            self._let_go()
            self._hold(locked)
            self._recover()
        self.ledger.begin(self._directory, self.found)

    def _lock(self, wait: float) -> Locked:
        try:
            return open_locked(self.path, wait=wait)
        except VolumeLockedError as error:
            self._locked = str(error)
            raise

    def _hold(self, locked: Locked) -> None:
        self._held = locked
        self._directory = locked.directory
        self._own = os.fstat(locked.directory)
        self._locked = ""

    def _recover(self) -> None:
        """Ends what a crash interrupted: a value that was renamed may not have been fsynced yet."""
        self._unconfirmed = True
        self._file.discard(self._directory)
        try:
            file = open_value(self._directory)
        except OSError:
            pass  # none, or not one of ours: reading it says so
        else:
            try:
                sync(file)
            finally:
                os.close(file)
        sync(self._directory)
        self._unconfirmed = False

    def _is_own_directory(self) -> bool:
        try:
            return self._own is not None and os.path.samestat(self.path.stat(), self._own)
        except OSError:
            return False

    def _require_own_directory(self) -> None:
        if self._own is None:
            raise (
                VolumeLockedError(self._locked)
                if self._locked
                else VolumeUnavailableError(f"The volume {self.path} is not open.")
            )
        if not self._is_own_directory():
            raise VolumeUnavailableError(
                f"The volume {self.path} is gone, or another one was put in its place."
            )

    def _publish(self, change: Callable[[int], None]) -> None:
        with self._publishing:
            try:
                change(self._directory)
            except UnconfirmedError as error:
                self._unconfirmed = True
                raise ChangeUnconfirmedError(
                    f"The volume {self.path} did not confirm the change ({reason(error)}): "
                    "whether the old value or the new one stands is not known."
                ) from error
            except OSError as error:
                raise translated(
                    error, f"The value on {self.path} was not changed, the old one stands"
                ) from error
            finally:
                self._value.forget()
            self._unconfirmed = False

    def _learn(self, file: int) -> None:
        self._tells_at_once = prepare(file)

    def _read(self) -> Content | None:
        with self._publishing:
            return self._numbered(self._value.read(self._directory))

    def _numbered(self, content: Content | None) -> Content | None:
        if content is None or content.commit is not None:
            return content
        return Content(content.data, self.ledger.number_of(lambda: Value(content.data).etag))

    def _try_writing(self) -> None:
        """Does all of a small write but its rename."""
        # Random, as what could be compressed would need no room.
        self._file.stage(self._directory, os.urandom(PROBE_BYTES), self._learn)
        self._file.discard(self._directory)
        sync(self._directory)
