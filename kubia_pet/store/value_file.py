"""How the value's file is read: whatever stands in its place, in bounded time and memory."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from kubia_pet.limits import MAX_NOWAIT_BYTES
from kubia_pet.model.commit import Commit
from kubia_pet.store.commit_number import number_of
from kubia_pet.store.errors import ValueUnreadableError, reason, translated
from kubia_pet.store.nowait import Seen, is_missing, prepare

FILE = "kubia.txt"
_NAME = FILE.encode()
_PORTION = 4096  # bytes
# How opening something that is no file of ours fails: a link, a socket, a device, another user's file.
_NOT_OURS = {errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EOPNOTSUPP, errno.EACCES, errno.EPERM}


class Content(NamedTuple):
    """What a value's file holds: its bytes, and the number that it has, if any; it may be another value's."""

    data: bytes
    commit: Commit | None


class ValueFile:
    """The file of the directory at `path`, of at most `limit` bytes. Its calls must not overlap.

    `number_of` tells the number of bytes whose file has none.
    """

    def __init__(self, path: Path, limit: int, number_of: Callable[[bytes], Commit | None]) -> None:
        self._path = path / FILE
        self._limit = limit
        self._number_of = number_of
        self._directory = os.fsencode(path.absolute())
        self._absolute = os.fsencode(path.absolute() / FILE)
        self._seen: Seen | None = None  # where looks at once can be
        # Of that one: to change it changes the file's time, too, or makes us forget it.
        self._commit: Commit | None = None

    def read(self, directory: int) -> Content | None:
        """What it holds; None where there is none. Raises ValueUnreadableError, or VolumeUnavailableError."""
        try:
            return self._read(directory)
        except OSError as error:
            if error.errno in _NOT_OURS:
                raise ValueUnreadableError(
                    f"{self._path} cannot be read ({reason(error)}): remove it, or POST a new one."
                ) from error
            raise translated(error, f"The value on {self._path.parent} cannot be read") from error

    def read_nowait(self) -> Content | None:
        """What it holds now, without waiting for the volume; None where only `read` can tell."""
        data = self._seen.read(self._absolute) if self._seen is not None else None
        return None if data is None else Content(data, self._commit)

    def is_missing_nowait(self, own: os.stat_result) -> bool:
        """Whether its directory is `own` and it is not there; False also where only `read` can tell.

        And where a file was read before that is gone now: `read` lets go of it.
        """
        return self._seen is None and is_missing(self._directory, own, _NAME)

    def forget(self) -> None:
        """Lets go of the file that was read last."""
        seen, self._seen = self._seen, None
        if seen is not None:
            seen.close()

    def _read(self, directory: int) -> Content | None:
        self.forget()
        try:
            file = open_value(directory)
        except FileNotFoundError:
            return None
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                raise ValueUnreadableError(f"{self._path} is not a file: remove it.")
            if found.st_size > self._limit:
                raise self._too_long()
            # Mostly one call, and no memory for the limit.
            portion = max(_PORTION, found.st_size + 1)
            pieces, taken, most = [], 0, self._limit + 1
            while taken < most and (piece := os.read(file, min(portion, most - taken))):
                pieces.append(piece)
                taken += len(piece)
                if taken == found.st_size:
                    break
            data = b"".join(pieces)
            commit = number_of(file) or self._number_of(data)
            # With another name the file could be in another directory at our path, and nobody would notice.
            if (
                taken == found.st_size <= min(self._limit, MAX_NOWAIT_BYTES)
                and found.st_nlink == 1
                and prepare(file)
            ):
                self._seen, self._commit = Seen(file, found), commit
        finally:
            if self._seen is None:
                os.close(file)
        if taken == most:  # it has grown
            raise self._too_long()
        return Content(data, commit)

    def _too_long(self) -> ValueUnreadableError:
        return ValueUnreadableError(
            f"{self._path} is over the limit of {self._limit} bytes: remove it, or POST a new one."
        )


def open_value(directory: int) -> int:
    """The file, opened to read; raises OSError at once where something stands there that would hold us."""
    # O_NONBLOCK: a FIFO in the file's place must not hold us; O_NOFOLLOW: nor a link lead elsewhere.
    return os.open(FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
