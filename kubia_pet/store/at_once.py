"""A look that never waits for the volume: the kernel answers it from memory, or not at all.

So io_uring tries a request before it gives it to a thread: the path is looked up by openat2 with
RESOLVE_CACHED (Linux 5.12), bytes are read by preadv2 with RWF_NOWAIT (Linux 4.14).
"""

import ctypes
import os

LARGEST = 1 << 16  # bytes: copying more would itself hold the event loop
_OPENAT2 = 437  # on every architecture
_RESOLVE_CACHED = 0x20
# What other systems lack: there no look is possible. A new time of access would go through the journal.
_NO_ATIME = getattr(os, "O_NOATIME", 0)
_NO_WAIT = getattr(os, "RWF_NOWAIT", 0)


class _OpenHow(ctypes.Structure):
    """How openat2 opens, as <linux/openat2.h> has it."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


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


def read(path: bytes, seen: os.stat_result) -> bytes | None:
    """The bytes of the file at the absolute `path`, if it is the one that was `seen`, unchanged and unmoved.

    None where it is not, or where only a look that may wait can tell. Whoever renames a file, links it or
    writes to it sets its time of change; that one may be as coarse as 10 ms, so the bytes are read each time.
    """
    file = _syscall(_OPENAT2, 0, path, _TO_READ, ctypes.sizeof(_OpenHow))
    if file < 0:
        return None
    try:
        found = os.fstat(file)
        if (found.st_ino, found.st_ctime_ns, found.st_dev) != (seen.st_ino, seen.st_ctime_ns, seen.st_dev):
            return None
        data = bytearray(seen.st_size + 1)
        if os.preadv(file, [data], 0, _NO_WAIT) != seen.st_size:  # a part of it, or it has grown since
            return None
    except OSError:
        return None
    finally:
        os.close(file)
    return bytes(data[:-1])
