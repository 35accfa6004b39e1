"""What the system says of where the program runs; none of it is on the volume."""

import os
from pathlib import Path

from kubia_pet.model.mount import Mount, mount_of

_MOUNTS = "/proc/self/mountinfo"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def mount_at(path: Path) -> Mount:
    """The mount on which a directory lies; one of unknown kind where the system does not say.

    It blocks where the volume does not answer.
    """
    return mount_of(os.path.realpath(path), _text(_MOUNTS))


def boot_id() -> str | None:
    """A random id that the machine has until it is booted again; None where the system has none."""
    return _text(_BOOT_ID).strip() or None


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
