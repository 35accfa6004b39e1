"""How a volume's directory is opened and locked, and what to say where that cannot be."""

import errno
import fcntl
import os
import stat
import time
from pathlib import Path
from typing import NamedTuple

from kubia_pet.model.mount import Mount
from kubia_pet.store.errors import VolumeLockedError, VolumeUnusableError, reason
from kubia_pet.store.host import mount_at
from kubia_pet.store.ledger_file import open_directory, open_in_place

LOCK = "lock"


class Locked(NamedTuple):
    """A directory, opened, with an exclusive lock on it, and on the file `file` in it where that can be.

    `refusal` is why not. Both locks go when they are closed, or their process ends.
    """

    directory: int
    file: int | None
    refusal: str | None = None

    def close(self) -> None:
        """Gives both locks back."""
        if self.file is not None:
            os.close(self.file)
        os.close(self.directory)


def open_locked(path: Path, *, wait: float) -> Locked:
    """The directory, locked.

    Raises VolumeLockedError where another process has it for longer than `wait` seconds, VolumeUnusableError
    where it is missing; any other OSError of opening it.
    """
    deadline = time.monotonic() + wait
    try:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise VolumeUnusableError(
            f"{path} is not a directory ({reason(error)}): mount a volume there, create it, "
            "or name another with --data-dir."
        ) from error
    locked = None
    try:
        while (locked := _try_lock(directory)) is None:
            if time.monotonic() >= deadline:
                raise VolumeLockedError(  # noqa: TRY301 - the directory is closed below
                    f"{path} is locked by another process: a kubia-pet that is still ending, a "
                    "second one on this directory, or a pod of this name on a node that was cut off."
                )
            time.sleep(0.05)
    except BaseException:
        os.close(directory)
        raise
    return locked


def how_to_permit(path: Path, error: OSError) -> str:
    """The sentence where this process may not write there."""
    try:
        found = path.stat()
    except OSError:
        owner = "it cannot even be looked at"
    else:
        owner = f"it belongs to {found.st_uid}:{found.st_gid} with mode {stat.S_IMODE(found.st_mode):04o}"
    user, group = os.geteuid(), os.getegid()
    return (
        f"{path} cannot be written ({reason(error)}): {owner}, and this is user {user}:{group}. "
        f"{remedy(mount_at(path), path.resolve(), user, group)}"
    )


def remedy(mount: Mount, path: Path, user: int, group: int) -> str:
    """What to do that this user may write to a directory on such a mount."""
    if mount.read_only:
        return "It is mounted read-only: mount it writable."
    if (mount.type or "").startswith("nfs"):
        return (
            f"It is on NFS ({mount.source}), where the server decides: its root squash keeps root, and so "
            f"fsGroup, from changing an owner. Chown it to {user} on the server."
        )
    if mount.point == str(path.absolute()) and mount.kind == "volume" and mount.root not in ("/", None):
        return (
            f"It is the directory {mount.root} of the node's own {mount.source}, as a hostPath volume is, of "
            f"which fsGroup changes nothing: chown it to {user} on the node."
        )
    return f"Mount it writable, in Kubernetes with fsGroup: {group}, or chown it to {user}."


def _try_lock(directory: int) -> Locked | None:
    """None where another process has one of the two locks."""
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    except OSError as error:
        raise VolumeUnusableError(
            f"The volume cannot be locked ({reason(error)}): its file system must support flock."
        ) from error
    try:
        return Locked(directory, _lock_file(directory))
    except BlockingIOError:
        return None
    except OSError as error:
        return Locked(directory, None, reason(error))


def _lock_file(directory: int) -> int:
    """A file that is never renamed, locked: on NFS by the server, where a directory's lock is the node's own.

    NFS locks what is open for writing only (EBADF, flock(2)). Elsewhere it is not: that would keep an
    administrator from remounting the volume read-only. Raises OSError where there can be no such file, or no
    such lock; BlockingIOError where another process has it.
    """
    ledger = open_directory(directory)
    try:
        return _locked(ledger, os.O_RDONLY)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        return _locked(ledger, os.O_RDWR)
    finally:
        os.close(ledger)


def _locked(ledger: int, how: int) -> int:
    file = open_in_place(ledger, LOCK, how)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file
