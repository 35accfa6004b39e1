"""What a store needs of its volume: `Volume` is one, and whatever is put in between another."""

from pathlib import Path
from typing import Protocol

from kubia_pet.store.value_file import Content


class Storage(Protocol):
    """One value's place. Every call but those at once blocks, and raises StoreError.

    Changes come from one thread, one after the other; reads from another one at the same time.
    """

    @property
    def path(self) -> Path:
        """The directory, for sentences."""

    def open(self, wait: float) -> None:
        """Locks it, waiting up to `wait` seconds for others to leave, and makes durable what it holds.

        Raises VolumeLockedError where they do not, VolumeUnusableError where it is missing or denied, another
        StoreError where it has a fault that may pass.
        """

    def read(self) -> Content | None:
        """What this node's kernel has now, None where there is no value.

        Of what was written through here no crash can take any back.
        """

    def read_nowait(self) -> Content | None:
        """What this node's kernel has now, without waiting for the disk; None where only `read` can tell."""

    def is_empty_nowait(self) -> bool:
        """Whether there is no value, told without waiting; False also where only `read` can tell."""

    def replace(self, data: bytes) -> None:
        """Makes `data` the value, durably. On an error before the rename the old value stands."""

    def remove(self) -> None:
        """Removes the value, durably; nothing to remove is no error."""

    def probe(self) -> None:
        """Raises as long as it cannot be read, or take a small value; then what is read is durable again.

        Opens it where that has failed, or where it was mounted anew.
        """

    def require_writable(self) -> None:
        """Raises VolumeUnavailableError where the file system is mounted read-only."""

    def close(self) -> None:
        """Gives the lock back."""
