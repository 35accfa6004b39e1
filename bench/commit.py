"""The limit for one durable write: a bare loop of write, fsync, rename, fsync of the directory."""

import fcntl
import os
import sys
import time
from pathlib import Path

_NAME, _TEMPORARY = "bare.txt", "bare.tmp"


def commits(directory: Path, size: int, seconds: float) -> list[float]:
    """How long each commit of `size` bytes took, in ms, one after the other for so many seconds."""
    data, taken = os.urandom(size), []
    where = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    until = time.perf_counter() + seconds
    try:
        while (began := time.perf_counter()) < until:
            commit(where, data)
            taken.append((time.perf_counter() - began) * 1000)
    finally:
        os.unlink(_NAME, dir_fd=where)
        os.close(where)
    return taken


def commit(where: int, data: bytes) -> None:
    """Replaces the file in the open directory `where`, durably."""
    file = os.open(_TEMPORARY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=where)
    os.write(file, data)
    _sync(file)
    os.close(file)
    os.rename(_TEMPORARY, _NAME, src_dir_fd=where, dst_dir_fd=where)
    _sync(where)


def _sync(file: int) -> None:
    if sys.platform == "darwin":
        fcntl.fcntl(file, fcntl.F_FULLFSYNC)  # there fsync leaves the bytes in the drive's cache
    else:
        os.fsync(file)
