"""A disk that a test holds or lets fail, where fsync reaches it."""

import errno
import fcntl
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from kubia_pet.store.value_file import Content


def data_of(content: Content | None) -> bytes | None:
    """The bytes of what was read of a volume."""
    return None if content is None else content.data


class Disk:
    """The fsync of this process, which a test holds or lets fail for files or for directories."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._holds: set[str] = set()
        self._fails: set[str] = set()
        self._changed = threading.Condition()
        self.waiting = 0
        name, module = ("fcntl", fcntl) if sys.platform == "darwin" else ("fsync", os)
        self._real: Callable[..., object] = getattr(module, name)
        monkeypatch.setattr(module, name, self._sync)

    def _sync(self, file: int, *command: int) -> object:
        kind = "directory" if stat.S_ISDIR(os.fstat(file).st_mode) else "file"
        with self._changed:
            self.waiting += 1
            self._changed.wait_for(lambda: kind not in self._holds, 10)
            self.waiting -= 1
        if kind in self._fails:
            raise OSError(errno.EIO, "Input/output error")
        return self._real(file, *command)

    @contextmanager
    def holding(self, kind: str) -> Iterator[None]:
        """For its time an fsync of that kind does not return."""
        self._holds.add(kind)
        try:
            yield
        finally:
            with self._changed:
                self._holds.clear()
                self._changed.notify_all()

    @contextmanager
    def failing(self, *kinds: str) -> Iterator[None]:
        """For its time each fsync of those kinds fails."""
        self._fails |= {*kinds}
        try:
            yield
        finally:
            self._fails.clear()
