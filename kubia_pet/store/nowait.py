"""A look that never waits for the volume: the kernel answers it from memory, or says that it cannot.

So io_uring tries a request before it gives it to a thread: the path is looked up by openat2 with
RESOLVE_CACHED (Linux 5.12), bytes are read by preadv2 with RWF_NOWAIT (Linux 4.14). Bytes that are not in
memory the kernel begins to fetch as it refuses; that could wait only where the queue of the disk is full.
"""

import ctypes
import errno
import fcntl
import os
import sys
from contextlib import suppress

# Arguments as C has them, made once: to convert them would take a third of the call. The number is that of
# x86-64, arm64 and most others; where it is another call, or none, each look says no.
_OPENAT2 = ctypes.c_long(437)
_RESOLVE_CACHED = 0x20


class _OpenHow(ctypes.Structure):
    """How openat2 opens, as <linux/openat2.h> has it."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


# O_PATH: neither to open nor to close such a file asks its file system for anything.
_AS_PLACE = _OpenHow(getattr(os, "O_PATH", 0) | os.O_NOFOLLOW | os.O_CLOEXEC, 0, _RESOLVE_CACHED)
_HOW, _HOW_SIZE = ctypes.byref(_AS_PLACE), ctypes.c_size_t(ctypes.sizeof(_OpenHow))
_NOWHERE = ctypes.c_long(0)  # an absolute path is relative to nothing
# It keeps the interpreter's lock, as what ends at once need not let others run.
_syscall = ctypes.PyDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long


def prepare(file: int) -> bool:
    """Makes an open file ready for looks at once; False where Python, file system or owner deny them."""
    if sys.platform != "linux" or not (hasattr(os, "preadv") and hasattr(os, "RWF_NOWAIT")):
        return False
    try:
        # A new time of access would go through the journal, and wait for it.
        fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_NOATIME)
        os.preadv(file, [bytearray(1)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return True
    except (OSError, NotImplementedError):  # the latter where the C library has no preadv2
        return False
    return True


def is_missing(directory: bytes, own: os.stat_result, name: bytes) -> bool:
    """Whether the directory at this absolute path is `own` and has no such file; False where it cannot tell.

    That there is none the kernel knows from memory too, once it was asked for it in vain.
    """
    place = _open_cached(_NOWHERE, directory)
    if place < 0:
        return False
    try:
        found = os.fstat(place)
        if (found.st_dev, found.st_ino) != (own.st_dev, own.st_ino):
            return False
        file = _open_cached(ctypes.c_long(place), name)
        if file >= 0:
            os.close(file)
        return file < 0 and ctypes.get_errno() == errno.ENOENT
    except OSError:
        return False
    finally:
        os.close(place)


class Seen:
    """A file that was read, kept open for looks at once; it was `found` so before it was read."""

    def __init__(self, file: int, found: os.stat_result) -> None:
        self._file = file
        self._identity = _identity(found)
        self._size = found.st_size

    def read(self, path: bytes) -> bytes | None:
        """Its bytes, if it still lies at the absolute `path`, unchanged and unmoved; None where it does not.

        None also where only a look that may wait can tell. Whoever renames a file, links it or writes to it
        sets its time of change; that one may be as coarse as 10 ms, so the bytes are read each time.
        """
        place = _open_cached(_NOWHERE, path)
        if place < 0:
            return None
        try:
            if _identity(os.fstat(place)) != self._identity:
                return None
            data = bytearray(self._size + 1)
            if os.preadv(self._file, [data], 0, os.RWF_NOWAIT) != self._size:  # a part of it, or it has grown
                return None
        except OSError:
            return None
        finally:
            os.close(place)
        return bytes(data[:-1])

    def close(self) -> None:
        """Lets go of the file. Where that was the last of it, its file system may have much to do."""
        with suppress(OSError):  # nothing was written to it
            os.close(self._file)


def _open_cached(directory: ctypes.c_long, path: bytes) -> int:
    """The place where it lies, as a file descriptor; negative where it is not there, or not in memory."""
    if sys.platform != "linux":
        return -1  # there that number is another call's
    place: int = _syscall(_OPENAT2, directory, path, _HOW, _HOW_SIZE)
    return place


def _identity(file: os.stat_result) -> tuple[int, int, int]:
    return file.st_ino, file.st_ctime_ns, file.st_dev
