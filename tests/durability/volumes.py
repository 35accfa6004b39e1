"""Volumes that fail as real ones do, at a directory of the test: too small, read-only, frozen, hung."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.durability.machine import needs
from tests.support.pod import until

SHORT = 1000  # bytes that a write to a FUSE volume takes at most


def run(*command: str | Path) -> None:
    """Runs a command, failing the test with what it says."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, f"{command}: {done.stderr}"


@contextmanager
def tmpfs(path: Path, size: str = "64k") -> Iterator[Path]:
    """A volume in memory, mounted at `path`."""
    needs("mount", root=True)
    path.mkdir(exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", path)
    try:
        yield path
    finally:
        unmount(path)


@contextmanager
def ext4(path: Path) -> Iterator[Path]:
    """A file system of its own, which can be frozen."""
    needs("mkfs.ext4", "mount", "fsfreeze", root=True)
    path.mkdir()
    image = path.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(16 << 20)
    run("mkfs.ext4", "-q", image)
    run("mount", "-o", "loop", image, path)
    try:
        yield path
    finally:
        unmount(path)


@contextmanager
def frozen(path: Path) -> Iterator[None]:
    """For its time whoever writes to the file system at `path` waits, and not even SIGKILL ends that."""
    run("fsfreeze", "--freeze", path)
    try:
        yield
    finally:
        run("fsfreeze", "--unfreeze", path)


class Mirrored:
    """A FUSE volume at `path`, served by a process of ours: see `mirror`."""

    def __init__(self, path: Path, source: Path | None = None, locks: str = "node") -> None:
        needs("fusermount3", root=True)
        self.path = path
        self._source = source or path.with_suffix(".source")
        self._locks = locks
        self._process: subprocess.Popen[bytes]

    def mount(self) -> None:
        """Mounts it; what was on it is there."""
        self.path.mkdir(exist_ok=True)
        self._source.mkdir(exist_ok=True)
        command = [
            sys.executable,
            "-m",
            "tests.durability.mirror",
            str(self._source),
            str(self.path),
            str(SHORT),
            self._locks,
        ]
        self._process = subprocess.Popen(command)
        until("the FUSE volume", lambda: self._process.poll() is not None or os.path.ismount(self.path))
        assert self._process.poll() is None, "FUSE does not work here"

    def end(self) -> None:
        """Its process is gone, the dead mount stays."""
        self._process.kill()
        self._process.wait()

    @contextmanager
    def hung(self) -> Iterator[None]:
        """For its time no call to the volume returns."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@contextmanager
def fuse(path: Path, source: Path | None = None, locks: str = "node") -> Iterator[Mirrored]:
    """A mounted FUSE volume, a second mount of another one where both have the same source."""
    volume = Mirrored(path, source, locks)
    volume.mount()
    try:
        yield volume
    finally:
        volume.end()  # first: calls that still wait for it return
        unmount(path)


def unmount(path: Path) -> None:
    """Takes the volume away; whoever has a file open on it keeps that, as with a disk that is detached."""
    run("umount", "--lazy", path)
