"""The durable replacement of one small file: a crash at any moment leaves the old one or the new one, whole.

New bytes are written beside the file and fsynced, renamed over it, and the directory is fsynced. After a
failure it begins with a new file, as a second fsync of the same one may lie (Rebello et al., "Can
Applications Recover from fsync Failures?", ATC'20).
"""

import fcntl
import logging
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

log = logging.getLogger(__name__)


class UnconfirmedError(OSError):
    """The directory was not fsynced after a change: nobody knows which file a crash would leave."""


def sync(file: int) -> None:
    """Returns when an open file, or directory, is on the disk and not only in its cache."""
    if sys.platform == "darwin":
        fcntl.fcntl(file, fcntl.F_FULLFSYNC)  # there fsync leaves the bytes in the drive's cache
    else:
        os.fsync(file)


@dataclass(frozen=True)
class AtomicFile:
    """The file `name` of a directory with one writer. Each call takes that directory, opened, and blocks.

    Each raises UnconfirmedError where a change was made and may not survive, any other OSError where it was
    not made: then the old file stands, and nothing is left beside it.
    """

    name: str
    fsync: Callable[[int], None] = sync

    @property
    def temporary(self) -> str:
        """Where new bytes are written. One such name is enough for one writer."""
        return f".{self.name}.tmp"

    def replace(self, directory: int, data: bytes, mark: Callable[[int], None] | None = None) -> None:
        """Makes `data` the file's bytes; returns when that survives a crash of the machine."""
        self.stage(directory, data, mark)
        self.publish(directory)

    def stage(self, directory: int, data: bytes, mark: Callable[[int], None] | None = None) -> None:
        """The part of `replace` that nobody sees: the new file is durable, under its temporary name.

        `mark` is called with it, open to read and write, before it is fsynced: an extended attribute that it
        sets is as durable as the bytes, and comes and goes with them.
        """
        try:
            self.discard(directory)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            file = os.open(self.temporary, flags, 0o644, dir_fd=directory)
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(file, rest) :]
                if mark is not None:
                    mark(file)
                self.fsync(file)
            finally:
                os.close(file)
        except OSError:
            self._discard_staged(directory)
            raise

    def publish(self, directory: int) -> None:
        """The other part: the staged file takes the place of the old one."""
        try:
            os.rename(self.temporary, self.name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError:
            self._discard_staged(directory)
            raise
        self._confirm(directory)

    def remove(self, directory: int) -> None:
        """Removes the file; returns when that survives a crash. Nothing to remove is no error."""
        _unlink(self.name, directory)
        self._confirm(directory)

    def discard(self, directory: int) -> None:
        """Removes what was staged and not published, if anything; another's directory there is moved away."""
        try:
            _unlink(self.temporary, directory)
        except (IsADirectoryError, PermissionError):  # the latter is how macOS refuses to unlink a directory
            if not _is_directory(self.temporary, directory):
                raise
            self._move_away(directory)

    def _move_away(self, directory: int) -> None:
        names = (f"{self.temporary}.moved-{number}" for number in count())
        free = next(name for name in names if not _exists(name, directory))
        try:
            os.rename(self.temporary, free, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError as error:
            told = f"{self.temporary} is a directory and cannot be moved away ({error.strerror})"
            raise OSError(error.errno, told) from error
        log.warning("%s is a directory: moved to %s", self.temporary, free)

    def _confirm(self, directory: int) -> None:
        try:
            self.fsync(directory)
        except OSError as error:
            raise UnconfirmedError(error.errno, error.strerror) from error

    def _discard_staged(self, directory: int) -> None:
        with suppress(OSError):  # the next one to stage does it
            self.discard(directory)


def _exists(name: str, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _is_directory(name: str, directory: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)


def _unlink(name: str, directory: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)
