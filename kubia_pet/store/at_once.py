"""A look that never waits for the volume: the kernel answers it from memory, or not at all.

So io_uring tries a request before it gives it to a thread: names are looked up by openat2 with RESOLVE_CACHED
(Linux 5.12), bytes read by preadv2 with RWF_NOWAIT (Linux 4.14).
"""

import ctypes
import os
import stat
from pathlib import Path

LARGEST = 1 << 16  # bytes: copying more would itself hold the event loop
_OPENAT2 = 437  # on every architecture
_RESOLVE_CACHED = 0x20
_HERE = -100  # AT_FDCWD
# What other systems lack: there nothing is possible.
_PATH = getattr(os, "O_PATH", 0)
_NO_ATIME = getattr(os, "O_NOATIME", 0)  # a new time of access would go through the journal
_NO_WAIT = getattr(os, "RWF_NOWAIT", 0)


class NotAtOnceError(Exception):
    """Only a look that may wait can tell."""


class _OpenHow(ctypes.Structure):
    """How openat2 opens, as <linux/openat2.h> has it."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_AS_PLACE = _OpenHow(_PATH | os.O_DIRECTORY | os.O_CLOEXEC, 0, _RESOLVE_CACHED)
_TO_READ = _OpenHow(
    os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | _NO_ATIME, 0, _RESOLVE_CACHED
)
# It keeps the interpreter's lock, as what ends at once need not let others run.
_syscall = ctypes.PyDLL(None, use_errno=True).syscall
_syscall.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.POINTER(_OpenHow), ctypes.c_size_t)
_syscall.restype = ctypes.c_long


def is_possible(file: int) -> bool:
    """Whether the file system of this open file tells what it has in memory from what it has not."""
    try:
        return bool(_NO_WAIT) and os.preadv(file, [bytearray(1)], 0, _NO_WAIT) >= 0
    except BlockingIOError:
        return True
    except OSError:
        return False


def read(path: Path, own: os.stat_result, directory: int, name: str, limit: int) -> bytes | None:
    """The bytes of the file `name` in the open directory `directory`, None where there is no such file.

    Raises NotAtOnceError where they are not in memory; where that directory, which is `own`, is not at
    `path`; where this is no plain file that we may read, or has more than `limit` bytes, or LARGEST.
    """
    try:
        _require_at(path, own)
        try:
            file = _open(directory, name, _TO_READ)
        except FileNotFoundError:
            return None
        try:
            return _bytes_of(file, min(limit, LARGEST))
        finally:
            os.close(file)
    except OSError as error:
        raise NotAtOnceError from error


def _require_at(path: Path, own: os.stat_result) -> None:
    place = _open(_HERE, path, _AS_PLACE)
    try:
        there = os.fstat(place)
    finally:
        os.close(place)
    if (there.st_dev, there.st_ino) != (own.st_dev, own.st_ino):
        raise NotAtOnceError


def _bytes_of(file: int, limit: int) -> bytes:
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or found.st_size > limit:
        raise NotAtOnceError
    data = bytearray(found.st_size + 1)
    if os.preadv(file, [data], 0, _NO_WAIT) != found.st_size:  # a part of it, or it has grown
        raise NotAtOnceError
    return bytes(data[:-1])


def _open(directory: int, path: Path | str, how: _OpenHow) -> int:
    file: int = _syscall(_OPENAT2, directory, os.fsencode(path), how, ctypes.sizeof(how))
    if file < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return file
