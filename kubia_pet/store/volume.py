"""A directory that this process has locked, and the value's file in it."""

import errno
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from kubia_pet.limits import TRIAL_BYTES
from kubia_pet.model.commit import Commit
from kubia_pet.model.continuity import Found
from kubia_pet.model.mount import Mount
from kubia_pet.model.value import Value
from kubia_pet.store.atomic_file import AtomicFile, UnconfirmedError, sync
from kubia_pet.store.directory import how_to_permit
from kubia_pet.store.errors import (
    ChangeUnconfirmedError,
    StoreError,
    ValueUnreadableError,
    VolumeUnavailableError,
    VolumeUnusableError,
    reason,
    translated,
)
from kubia_pet.store.fsync import FsyncTimes
from kubia_pet.store.held_directory import HeldDirectory
from kubia_pet.store.host import mount_at
from kubia_pet.store.ledger import Ledger
from kubia_pet.store.nowait import prepare
from kubia_pet.store.value_file import FILE, Content, ValueFile, open_value

log = logging.getLogger(__name__)
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


class Volume:
    """The `Storage` of a directory: what is in it, and the recovery from what a crash left.

    What was read or changed is of the directory that was locked, never of another one that was put in its
    place. Of what this program wrote, `read` never shows what a crash could still take back.
    """

    def __init__(self, path: Path, limit: int, ledger: Ledger | None = None) -> None:
        self.path = path
        self.ledger = ledger or Ledger()
        self.fsyncs = FsyncTimes()
        self.mount = Mount()  # where it lies, from `open` on
        self._file = AtomicFile(FILE, self.fsyncs.sync)
        self._value = ValueFile(path, limit, self._number_of)
        self._held = HeldDirectory(path)
        self._tells_nowait = False  # its file system tells what it has in memory, as no network's does
        # Held from a rename until the directory is fsynced, and while the directory is read or exchanged.
        self._publishing = threading.RLock()
        self._unconfirmed = False  # a rename or an unlink that is not fsynced: either value may survive

    def open(self, wait: float) -> None:
        """See Storage."""
        try:
            self.mount = mount_at(self.path)
            self._held.open(wait)
            self._recover()
            try:
                self._try_writing()
            except OSError as error:
                if error.errno not in _DENIED:  # of what this process may not use nothing more is to be said
                    self._begin()
                raise
            self._begin()
        except OSError as error:
            if error.errno in _DENIED:
                raise VolumeUnusableError(how_to_permit(self.path, error), error) from error
            raise translated(error, f"The volume {self.path} has a fault") from error

    def read(self) -> Content | None:
        """See Storage."""
        with self._publishing:
            self._held.require()
            if self._unconfirmed:
                raise ChangeUnconfirmedError(
                    f"The volume {self.path} did not confirm the last change; it is being repeated."
                )
            return self._value.read(self._held.descriptor)

    def read_nowait(self) -> Content | None:
        """See Storage."""
        if not self._publishing.acquire(blocking=False):
            return None
        try:
            return None if self._unconfirmed else self._value.read_nowait()
        finally:
            self._publishing.release()

    def is_empty_nowait(self) -> bool:
        """See Storage."""
        if not self._publishing.acquire(blocking=False):
            return False
        try:
            if self._held.identity is None or self._unconfirmed or not self._tells_nowait:
                return False
            return self._value.is_missing_nowait(self._held.identity)
        finally:
            self._publishing.release()

    def replace(self, data: bytes) -> None:
        """See Storage."""
        self._held.require()
        self._begin()
        commit = self.ledger.number(Value(data).etag)
        try:
            self._file.stage(self._held.descriptor, data, partial(self.ledger.mark, commit))
        except OSError as error:
            raise translated(error, f"The value was not stored on {self.path}, the old one stands") from error
        self._publish(self._file.publish)
        self.ledger.committed(commit)

    def remove(self) -> None:
        """See Storage."""
        self._held.require()
        self._begin()
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
            if not self._held.is_in_place():
                self._reopen()
            self._begin()
            if self._unconfirmed:
                content = self._read()
                if content is None:
                    self.remove()
                else:
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
                flags = os.fstatvfs(self._held.descriptor).f_flag
            except OSError as error:
                raise translated(error, f"The volume {self.path} has a fault") from error
        if flags & os.ST_RDONLY:
            raise VolumeUnavailableError(f"The volume {self.path} is read-only.", OSError(errno.EROFS, ""))

    def close(self) -> None:
        """See Storage."""
        self.ledger.end()
        with self._publishing:
            self._held.let_go()
            self._value.forget()

    def _reopen(self) -> None:
        locked = self._held.lock_again()
        self.mount = mount_at(self.path)
        with self._publishing:
            self.ledger.leave()
            self._value.forget()
            self._held.hold(locked)
            self._recover()

    def _begin(self) -> None:
        """The ledger begins on the directory that is held, once."""
        if self.ledger.volume != self._held.descriptor:
            if self._held.doubt:
                log.warning("%s", self._held.doubt)
            self.ledger.begin(self._held.descriptor, self.found)

    def _recover(self) -> None:
        """Ends what a crash interrupted: a value that was renamed may not have been fsynced yet."""
        self._unconfirmed = True
        self._file.discard(self._held.descriptor)
        try:
            file = open_value(self._held.descriptor)
        except OSError:
            pass  # none, or not one of ours: reading it says so
        else:
            try:
                sync(file)
            finally:
                os.close(file)
        sync(self._held.descriptor)
        self._unconfirmed = False

    def _publish(self, change: Callable[[int], None]) -> None:
        with self._publishing:
            try:
                change(self._held.descriptor)
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
        self._tells_nowait = prepare(file)

    def _read(self) -> Content | None:
        with self._publishing:
            return self._value.read(self._held.descriptor)

    def _number_of(self, data: bytes) -> Commit | None:
        return self.ledger.number_of(lambda: Value(data).etag)

    def _try_writing(self) -> None:
        """Does all of a small write but its rename."""
        # Random, as what could be compressed would need no room.
        self._file.stage(self._held.descriptor, os.urandom(TRIAL_BYTES), self._learn)
        self._file.discard(self._held.descriptor)
        sync(self._held.descriptor)
