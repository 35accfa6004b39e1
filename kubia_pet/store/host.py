"""What the system says of where the program runs; none of it is on the volume."""

from pathlib import Path

import aiofiles

from kubia_pet.model.mount import Mount, mount_of

_MOUNTS = "/proc/self/mountinfo"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


async def mount_at(path: Path) -> Mount:
    """The mount on which a directory lies; one of unknown kind where the system does not say."""
    return mount_of(str(path), await _text(_MOUNTS))


async def boot_id() -> str | None:
    """A random id that the machine has until it is booted again; None where the system has none."""
    return (await _text(_BOOT_ID)).strip() or None


async def _text(path: str) -> str:
    try:
        async with aiofiles.open(path, encoding="utf-8", errors="replace") as file:
            return await file.read()
    except OSError:
        return ""
