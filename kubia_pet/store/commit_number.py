"""Where a commit's number is kept: with the value's file, or where that cannot be in one of its own."""

import os
import zlib
from contextlib import suppress

from kubia_pet.model.commit import Commit
from kubia_pet.store.atomic_file import sync
from kubia_pet.store.ledger_file import open_in_place

ATTRIBUTE = "user.kubia-pet.commit"
SLOTS = "commits"
_SLOT = 512  # bytes: what a disk writes whole


def set_number(file: int, commit: Commit) -> None:
    """Gives an open file its number; raises OSError where its file system keeps none.

    An extended attribute is a part of the inode: before the file's fsync it costs no further one, and it goes
    where the file is renamed to.
    """
    if not hasattr(os, "setxattr"):
        raise NotImplementedError("this system's Python has no extended attributes")
    os.setxattr(file, ATTRIBUTE, str(commit).encode())


def number_of(file: int) -> Commit | None:
    """The number that an open file has; None where it has none that can be read."""
    with suppress(OSError, AttributeError, UnicodeDecodeError):
        return Commit.parse(os.getxattr(file, ATTRIBUTE).decode())
    return None


class CommitSlots:
    """Two numbers in one file that never changes its size: each is overwritten in place, by one fsync.

    One is that of a value or a removal that may have to be found again, the other is for what comes next. One
    that was not written whole is empty. The file is open while it is written only: what is open for writing
    keeps an administrator from remounting the volume read-only.
    """

    def __init__(self, directory: int) -> None:
        """Reads the file in that directory, opened, and makes it where there is none; raises OSError."""
        self._directory = directory
        file = open_in_place(directory, SLOTS, os.O_RDWR)
        try:
            self.commits = [_parsed(os.pread(file, _SLOT, place)) for place in (0, _SLOT)]
            if os.fstat(file).st_size != 2 * _SLOT:
                os.ftruncate(file, 2 * _SLOT)
                _write(file, bytes(2 * _SLOT), 0)
                self.commits = [None, None]
        finally:
            os.close(file)

    def removal(self) -> Commit | None:
        """The last removal of a value; None where there was none that no later commit has overwritten."""
        removals = [each for each in self.commits if each is not None and each.digest is None]
        return max(removals, key=lambda each: each.order, default=None)

    def of(self, digest: str) -> Commit | None:
        """The last commit of a value with this ETag."""
        found = [each for each in self.commits if each is not None and each.digest == digest]
        return max(found, key=lambda each: each.order, default=None)

    def newest(self) -> Commit | None:
        """The last that was written, of a commit that may not have been made."""
        return max(filter(None, self.commits), key=lambda each: each.order, default=None)

    def settle(self, last: Commit) -> None:
        """This commit was made: whoever puts the value before it back does not give it its number again."""
        self.commits = [each if each == last else None for each in self.commits]

    def put(self, commit: Commit, keep: Commit | None) -> None:
        """Writes a number durably, in the place of another one than `keep`. Raises OSError."""
        place = 1 if keep is not None and self.commits[0] == keep else 0
        line = str(commit)
        file = open_in_place(self._directory, SLOTS, os.O_WRONLY)
        try:
            _write(file, f"{line} {_checksum(line)}\n".encode().ljust(_SLOT), place * _SLOT)
        finally:
            os.close(file)
        self.commits[place] = commit


def _write(file: int, data: bytes, place: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file, rest, place)
        rest, place = rest[written:], place + written
    sync(file)


def _checksum(line: str) -> str:
    return f"{zlib.crc32(line.encode()):08x}"


def _parsed(slot: bytes) -> Commit | None:
    line, _, checksum = slot.partition(b"\n")[0].decode("ascii", "replace").rpartition(" ")
    return Commit.parse(line) if _checksum(line) == checksum else None
