"""Looking again, as DNS has its delays."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from kubia_pet.limits import VIEW_PATIENCE

T = TypeVar("T")
_PAUSE = 0.5  # seconds between two looks


async def patiently(look: Callable[[], Awaitable[T]], enough: Callable[[T], bool]) -> T:
    """What `look` finds as soon as it is enough; what it finds after VIEW_PATIENCE seconds if it never is."""
    deadline = time.monotonic() + VIEW_PATIENCE
    while not enough(found := await look()) and time.monotonic() < deadline:  # noqa: ASYNC110 - DNS tells nobody
        await asyncio.sleep(_PAUSE)
    return found
