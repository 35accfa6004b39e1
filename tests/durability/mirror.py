"""A FUSE file system that shows a directory: python -m tests.durability.mirror SOURCE MOUNT SHORT LOCKS.

Stopped by SIGSTOP it is a volume that hangs; a write takes at most SHORT bytes of what it is given. It has no
extended attributes. LOCKS says whose the locks of its files are: "node", each mount has its own, as that of a
directory always is; "server", the directory's that it shows, as with several mounts of one NFS export; "nfs",
the same, but for files that are open for writing only.
"""

import errno
import fcntl
import os
import sys
from pathlib import Path

import mfusepy  # type: ignore[import-untyped] # it has no annotations


class Mirror(mfusepy.Operations):  # type: ignore[misc] # likewise
    """The calls that a volume of one small file gets, each done on the directory below."""

    use_ns = True

    def __init__(self, source: Path, short: int) -> None:
        self._source = source
        self._short = short

    def _below(self, path: str) -> Path:
        return self._source / path.lstrip("/")

    def getattr(self, path: str, _fh: int | None = None) -> dict[str, int]:
        found = self._below(path).lstat()
        names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size")
        times = {name: getattr(found, f"{name}_ns") for name in ("st_atime", "st_mtime", "st_ctime")}
        return times | {name: getattr(found, name) for name in names}

    def readdir(self, path: str, _fh: int) -> list[str]:
        return [".", "..", *(each.name for each in self._below(path).iterdir())]

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self._below(path))
        return {
            name: getattr(found, name) for name in ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail")
        }

    def create(self, path: str, mode: int, _fi: object = None) -> int:
        return os.open(self._below(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def open(self, path: str, flags: int) -> int:
        return os.open(self._below(path), flags)

    def read(self, _path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, _path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data[: self._short], offset)

    def truncate(self, path: str, length: int, _fh: int | None = None) -> int:
        os.truncate(self._below(path), length)
        return 0

    def fsync(self, _path: str, _datasync: int, fh: int) -> int:
        os.fsync(fh)
        return 0

    def release(self, _path: str, fh: int) -> int:
        os.close(fh)
        return 0

    def rename(self, old: str, new: str, _flags: int = 0) -> int:
        self._below(old).rename(self._below(new))
        return 0

    def unlink(self, path: str) -> int:
        self._below(path).unlink()
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        self._below(path).mkdir(mode)
        return 0

    def chmod(self, path: str, mode: int) -> int:
        self._below(path).chmod(mode)
        return 0


class LockingMirror(Mirror):
    """One whose locks are the server's."""

    def flock(self, _path: str, fh: int, op: int) -> int:
        fcntl.flock(fh, op | fcntl.LOCK_NB)  # to wait would hold all other calls
        return 0


class NfsMirror(LockingMirror):
    """One that locks what is open for writing only."""

    def flock(self, path: str, fh: int, op: int) -> int:
        if op & fcntl.LOCK_EX and fcntl.fcntl(fh, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise mfusepy.FuseOSError(errno.EBADF)
        return super().flock(path, fh, op)


_BY_LOCKS = {"node": Mirror, "server": LockingMirror, "nfs": NfsMirror}


if __name__ == "__main__":
    mfusepy.FUSE(
        _BY_LOCKS[sys.argv[4]](Path(sys.argv[1]), int(sys.argv[3])),
        sys.argv[2],
        foreground=True,
        nothreads=True,
        direct_io=True,  # no cache: every call reaches us, and a short write reaches the writer
        attr_timeout=0,
        entry_timeout=0,
    )
