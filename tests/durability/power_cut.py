"""A disk of a pod's own, whose power is cut at an instant while it is written to; and a library that lies."""

import fcntl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.durability.machine import needs
from tests.durability.volumes import run, unmount

_FICLONE = 0x40049409  # <linux/fs.h>: one file shares the other's bytes as of one instant
SIZES = {"ext4": 64 << 20, "xfs": 304 << 20, "btrfs": 128 << 20}  # about the least that each mkfs makes
# A copy has the same identity as the disk that is mounted.
_OPTIONS = {"ext4": "loop", "xfs": "loop,nouuid", "btrfs": "loop"}
_MKFS = {"ext4": ("-q",), "xfs": ("-q",), "btrfs": ("-q", "-m", "single")}
LIE = "int fsync(int f) { return 0; } int fdatasync(int f) { return 0; }"


class Disk:
    """An image with a file system on it, mounted at `path`."""

    def __init__(self, kind: str, image: Path, path: Path) -> None:
        self.kind = kind
        self.image = image
        self.path = path

    def cut(self, copy: Path) -> None:
        """The image as it is at one instant: what a disk has when its power goes."""
        with self.image.open("rb") as source, copy.open("wb") as target:
            fcntl.ioctl(target, _FICLONE, source.fileno())

    @contextmanager
    def revived(self, copy: Path, at: Path) -> Iterator[Path]:
        """A copy, mounted, whose journal is replayed by that; it goes afterwards."""
        at.mkdir(exist_ok=True)
        run("mount", "-t", self.kind, "-o", _OPTIONS[self.kind], copy, at)
        try:
            yield at
        finally:
            run("umount", at)
            copy.unlink()


@contextmanager
def reflinks(path: Path) -> Iterator[Path]:
    """A file system whose files can be copied at an instant: XFS, on an image of its own."""
    needs("mkfs.xfs", "mount", root=True)
    path.mkdir()
    with _mounted("xfs", path.with_suffix(".img"), path, 3 << 30):
        yield path


@contextmanager
def disk(kind: str, on: Path, path: Path) -> Iterator[Disk]:
    """A disk whose image lies `on` a file system with reflinks."""
    needs(f"mkfs.{kind}", "mount", root=True)
    path.mkdir()
    image = on / f"{kind}.img"
    with _mounted(kind, image, path, SIZES[kind]):
        yield Disk(kind, image, path)


@contextmanager
def _mounted(kind: str, image: Path, path: Path, size: int) -> Iterator[None]:
    with image.open("wb") as file:
        file.truncate(size)
    run(f"mkfs.{kind}", *_MKFS[kind], image)
    run("mount", "-t", kind, "-o", "loop", image, path)
    try:
        yield
    finally:
        unmount(path)
        image.unlink()


def library_that_lies(directory: Path) -> Path:
    """A library to preload, with which each fsync says that it was done, and does nothing."""
    needs("cc")
    source, library = directory / "lie.c", directory / "lie.so"
    source.write_text(LIE)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True, timeout=60)
    return library
