"""What the system says of where the program runs; none of it is on the volume."""

import os
from contextlib import suppress
from pathlib import Path

import aiofiles

from kubia_pet.model.mount import Mount, mount_of

_MOUNTS = Path("/proc/self/mountinfo")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def mount_at(path: Path) -> Mount:
    """The mount on which a directory lies; one of unknown kind where the system does not say.

    It blocks where the volume does not answer, as the path is resolved.
    """
    try:
        table = _MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        table = ""
    return mount_of(os.path.realpath(path), table)


async def boot_id() -> str | None:
    """A random id that the machine has until it is booted again; None where the system has none."""
    with suppress(OSError):
        async with aiofiles.open(_BOOT_ID) as file:
            return (await file.read()).strip() or None
    return None
