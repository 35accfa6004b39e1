"""The directory of a volume while this process has it, told from any other one at its path."""

import os
from pathlib import Path

from kubia_pet.store.directory import Locked, open_locked
from kubia_pet.store.errors import VolumeLockedError, VolumeUnavailableError


class HeldDirectory:
    """The locked directory at `path`. `descriptor` is -1, and `identity` None, while there is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = -1
        self.identity: os.stat_result | None = None  # what it is never changes
        self._locked: Locked | None = None
        self._mounted = False
        self._refusal = ""  # what was said of another process that has the lock, as long as it is not held

    def open(self, wait: float) -> None:
        """Locks and holds it. Raises as `open_locked` does."""
        self._mounted = self.path.is_mount()
        self.hold(self._lock(wait))

    def lock_again(self) -> Locked:
        """What is at the path now, locked, to be held; VolumeUnavailableError where nothing is mounted there.

        What lies under a mount point is not the volume.
        """
        if self._mounted and not self.path.is_mount():
            raise VolumeUnavailableError(f"Nothing is mounted on {self.path}.")
        return self._lock(0)

    def hold(self, locked: Locked) -> None:
        """Takes this one, in place of the one that it had."""
        self.let_go()
        self._locked = locked
        self.descriptor = locked.directory
        self.identity = os.fstat(locked.directory)
        self._refusal = ""

    def let_go(self) -> None:
        """Gives the lock back, if it has it."""
        if self._locked is not None:
            self._locked.close()
        self._locked, self.descriptor, self.identity = None, -1, None

    @property
    def doubt(self) -> str | None:
        """The sentence where others on a network file system may have it, too."""
        if self._locked is None or self._locked.refusal is None:
            return None
        return (
            f"{self.path} is locked by its directory alone ({self._locked.refusal}): on a network file "
            "system a pod on another node may have it, too."
        )

    def is_in_place(self) -> bool:
        """Whether it is held, and still at its path."""
        try:
            return self.identity is not None and os.path.samestat(self.path.stat(), self.identity)
        except OSError:
            return False

    def require(self) -> None:
        """Raises VolumeLockedError or VolumeUnavailableError where it is not."""
        if self.identity is None:
            raise (
                VolumeLockedError(self._refusal)
                if self._refusal
                else VolumeUnavailableError(f"The volume {self.path} is not open.")
            )
        if not self.is_in_place():
            raise VolumeUnavailableError(
                f"The volume {self.path} is gone, or another one was put in its place."
            )

    def _lock(self, wait: float) -> Locked:
        try:
            return open_locked(self.path, wait=wait)
        except VolumeLockedError as error:
            self._refusal = str(error)
            raise
