"""The system calls that keep one small file on a volume through crashes and faults.

Every call here but `read_at_once` blocks; `store` runs them in threads of its own.
"""

import errno
import fcntl
import os
import stat
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from kubia_pet.limits import MAX_NOWAIT_BYTES
from kubia_pet.store.errors import (
    StoreError,
    ValueUnreadableError,
    VolumeFullError,
    VolumeUnavailableError,
    VolumeUnusableError,
)
from kubia_pet.store.nowait import Seen, prepare

FILE = "kubia.txt"
TEMPORARY = ".kubia.txt.tmp"  # one name is enough: the lock leaves a volume one writer
_PORTION = 4096  # bytes
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
# How opening something that is no file of ours fails: a link, a socket, a device, another user's file.
_NOT_OURS = {errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EOPNOTSUPP, errno.EACCES, errno.EPERM}


class Volume:
    """A directory that this process has locked, and the value's file in it.

    `replace` and `remove` return only when what they did survives a crash of the machine: new bytes
    are written beside the file and fsynced, renamed over it, and the directory is fsynced (Rebello et
    al., "Can Applications Recover from fsync Failures?", ATC'20: after a failure begin with a new file).
    `read` never shows what a crash could still take back.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self._limit = limit
        self._directory = -1
        self._own: os.stat_result | None = None  # of that directory: what it is never changes
        self._mounted = False
        self._file = os.fsencode(path.absolute() / FILE)
        # Held from a rename until the directory is fsynced, and while the directory is read or exchanged.
        self._publishing = threading.RLock()
        self._seen: Seen | None = None  # the value's file, where looks at once can be
        self._unconfirmed = False  # a rename or an unlink that is not fsynced: either value may survive

    def open(self, wait: float) -> None:
        """Locks the directory, waiting up to `wait` seconds, and makes durable what it holds.

        Raises VolumeUnusableError where the directory is missing, denied or locked by another process,
        another StoreError where it has a fault that may pass.
        """
        try:
            self._mounted = self.path.is_mount()
            self._hold(self._lock(time.monotonic() + wait))
            self._recover()
            self._try_writing(0)
        except OSError as error:
            if error.errno in _DENIED:
                raise VolumeUnusableError(self._how_to_permit(error)) from error
            raise _translated(error, f"The volume {self.path} has a fault") from error

    def read(self) -> bytes | None:
        """The bytes on the disk now; None where there is no file."""
        with self._publishing:
            self._require_own_directory()
            if self._unconfirmed:
                raise VolumeUnavailableError(
                    f"The volume {self.path} did not confirm the last change; it is being repeated."
                )
            try:
                return self._read()
            except OSError as error:
                if error.errno in _NOT_OURS:
                    raise ValueUnreadableError(
                        f"{self.path / FILE} cannot be read ({_reason(error)}): remove it, or POST a new one."
                    ) from error
                raise _translated(error, f"The value on {self.path} cannot be read") from error

    def read_at_once(self) -> bytes | None:
        """The bytes on the disk now, without waiting for it; None where only `read` can tell."""
        if not self._publishing.acquire(blocking=False):
            return None
        try:
            return self._seen.read(self._file) if self._seen and not self._unconfirmed else None
        finally:
            self._publishing.release()

    def replace(self, data: bytes) -> None:
        """Makes `data` the value, durably. On an error before the rename the old value stands."""
        self._require_own_directory()
        try:
            self._write_temporary(data)
        except OSError as error:
            self._discard_temporary()
            raise _translated(
                error, f"The value was not stored on {self.path}, the old one stands"
            ) from error
        self._publish(
            lambda: os.rename(TEMPORARY, FILE, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        )

    def remove(self) -> None:
        """Removes the value, durably; nothing to remove is no error."""
        self._require_own_directory()
        self._publish(lambda: _unlink(FILE, self._directory))

    def mend(self, size: int) -> None:
        """Raises as long as it cannot read, or write `size` bytes; afterwards what is read is durable again.

        Takes a directory that was made or mounted anew at the same path for its own.
        """
        try:
            if not self._is_own_directory():
                self._reopen()
            with self._publishing:
                data = self._read()
            if self._unconfirmed and data is not None:
                self.replace(data)
            self._try_writing(size)
            self._unconfirmed = False
        except OSError as error:
            raise _translated(error, f"The volume {self.path} is still at fault") from error

    def require_writable(self) -> None:
        """Raises VolumeUnavailableError where the file system is mounted read-only."""
        with self._publishing:
            try:
                flags = os.fstatvfs(self._directory).f_flag
            except OSError as error:
                raise _translated(error, f"The volume {self.path} has a fault") from error
        if flags & os.ST_RDONLY:
            raise VolumeUnavailableError(f"The volume {self.path} is read-only.")

    def close(self) -> None:
        """Gives the lock back."""
        with self._publishing:
            if self._directory >= 0:
                os.close(self._directory)
                self._directory = -1
                self._own = None
            self._forget_seen()

    def _lock(self, deadline: float) -> int:
        try:
            directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise VolumeUnusableError(
                f"{self.path} is not a directory ({_reason(error)}): mount a volume there, create it, "
                "or name another with --data-dir."
            ) from error
        try:
            while not _try_lock(directory):
                if time.monotonic() >= deadline:
                    raise VolumeUnusableError(  # noqa: TRY301 - the directory is closed below
                        f"{self.path} is locked by another process: a kubia-pet that is still ending, a "
                        "second one on this directory, or a pod of this name on a node that was cut off."
                    )
                time.sleep(0.05)
        except BaseException:
            os.close(directory)
            raise
        return directory

    def _reopen(self) -> None:
        if self._mounted and not self.path.is_mount():  # what lies under a mount point is not the volume
            raise VolumeUnavailableError(f"Nothing is mounted on {self.path}.")
        directory = self._lock(deadline=0)
        with self._publishing:
            self.close()
            self._hold(directory)
            self._recover()

    def _hold(self, directory: int) -> None:
        self._directory = directory
        self._own = os.fstat(directory)

    def _recover(self) -> None:
        """Ends what a crash interrupted: a value that was renamed may not have been fsynced yet."""
        self._unconfirmed = True
        _unlink(TEMPORARY, self._directory)
        try:
            file = self._open_value()
        except OSError:
            pass  # none, or not one of ours: reading it says so
        else:
            try:
                _sync(file)
            finally:
                os.close(file)
        _sync(self._directory)
        self._unconfirmed = False

    def _is_own_directory(self) -> bool:
        try:
            return self._own is not None and os.path.samestat(self.path.stat(), self._own)
        except OSError:
            return False

    def _require_own_directory(self) -> None:
        if not self._is_own_directory():
            raise VolumeUnavailableError(
                f"The volume {self.path} is gone, or another one was put in its place."
            )

    def _open_value(self) -> int:
        # O_NONBLOCK: a FIFO in the file's place must not hold us; O_NOFOLLOW: nor a link lead elsewhere.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(FILE, flags, dir_fd=self._directory)

    def _read(self) -> bytes | None:
        self._forget_seen()
        try:
            file = self._open_value()
        except FileNotFoundError:
            return None
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                raise ValueUnreadableError(f"{self.path / FILE} is not a file: remove it.")
            # Mostly one call, and no memory for the limit.
            portion = max(_PORTION, found.st_size + 1)
            pieces, taken, most = [], 0, self._limit + 1
            while taken < most and (piece := os.read(file, min(portion, most - taken))):
                pieces.append(piece)
                taken += len(piece)
                if taken == found.st_size:
                    break
            # With another name the file could be in another directory at our path, and nobody would notice.
            if (
                taken == found.st_size <= min(self._limit, MAX_NOWAIT_BYTES)
                and found.st_nlink == 1
                and prepare(file)
            ):
                self._seen = Seen(file, found)
        finally:
            if self._seen is None:
                os.close(file)
        if taken == most:
            raise ValueUnreadableError(
                f"{self.path / FILE} is over the limit of {self._limit} bytes: remove it, or POST a new one."
            )
        return b"".join(pieces)

    def _forget_seen(self) -> None:
        seen, self._seen = self._seen, None
        if seen is not None:
            seen.close()

    def _write_temporary(self, data: bytes) -> None:
        _unlink(TEMPORARY, self._directory)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        file = os.open(TEMPORARY, flags, 0o644, dir_fd=self._directory)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(file, rest) :]
            _sync(file)
        finally:
            os.close(file)

    def _publish(self, change: Callable[[], None]) -> None:
        with self._publishing:
            try:
                change()
            except OSError as error:
                self._discard_temporary()
                raise _translated(
                    error, f"The value on {self.path} was not changed, the old one stands"
                ) from error
            self._forget_seen()
            try:
                _sync(self._directory)
            except OSError as error:
                self._unconfirmed = True
                raise VolumeUnavailableError(
                    f"The volume {self.path} did not confirm the change ({_reason(error)}): "
                    "whether the old value or the new one stands is not known."
                ) from error
            self._unconfirmed = False

    def _try_writing(self, size: int) -> None:
        """Does all of a write but its rename."""
        try:
            self._write_temporary(bytes(size))
        finally:
            self._discard_temporary()
        _sync(self._directory)

    def _discard_temporary(self) -> None:
        with suppress(OSError):  # the next write or start removes it
            _unlink(TEMPORARY, self._directory)

    def _how_to_permit(self, error: OSError) -> str:
        try:
            found = self.path.stat()
        except OSError:
            owner = "it cannot even be looked at"
        else:
            owner = f"it belongs to {found.st_uid}:{found.st_gid} with mode {stat.S_IMODE(found.st_mode):04o}"
        user, group = os.geteuid(), os.getegid()
        return (
            f"{self.path} cannot be written ({_reason(error)}): {owner}, and this is user {user}:{group}. "
            f"Mount it writable, in Kubernetes with fsGroup: {group}, or chown it to {user}."
        )


def _try_lock(directory: int) -> bool:
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise VolumeUnusableError(
            f"The volume cannot be locked ({_reason(error)}): its file system must support flock."
        ) from error
    return True


def _unlink(name: str, directory: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


def _sync(file: int) -> None:
    if sys.platform == "darwin":
        fcntl.fcntl(file, fcntl.F_FULLFSYNC)  # there fsync leaves the bytes in the drive's cache
    else:
        os.fsync(file)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def _translated(error: OSError, what: str) -> StoreError:
    kind = VolumeFullError if error.errno in _NO_SPACE else VolumeUnavailableError
    return kind(f"{what}: {_reason(error)}.")
