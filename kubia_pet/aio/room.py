"""A bounded amount of something that many share for a while."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

H = TypeVar("H", bound=Hashable)


class Room(Generic[H]):
    """`size` bytes; each holder has taken some of them.

    Who has held its part for `patience` seconds makes room for others, if they want it: first those who have
    held theirs for longest. `evict` is called with each, and must see to it that its bytes are free soon.
    """

    def __init__(self, size: int, patience: float, evict: Callable[[H], None]) -> None:
        self._left = size
        self._patience = patience
        self._evict = evict
        self._holders: dict[H, tuple[float, int]] = {}  # since when, how many bytes
        self._settled: dict[H, int] = {}
        self._freed = asyncio.Event()

    def take(self, holder: H, size: int) -> bool:
        """Whether there was room, or could be made."""
        now = asyncio.get_running_loop().time()
        for other, (since, _) in list(self._holders.items()):
            if size <= self._left or since + self._patience > now:
                break
            self.give_back(other)
            self._evict(other)
        if size > self._left:
            return False
        self._holders[holder] = now, size
        self._left -= size
        return True

    async def wait(self, holder: H, size: int) -> None:
        """Takes it as soon as there is room, which others make within `patience`, but for settled ones."""
        while not self.take(holder, size):
            self._freed.clear()
            oldest, _ = next(iter(self._holders.values()), (None, 0))
            try:
                async with asyncio.timeout_at(oldest and oldest + self._patience):
                    await self._freed.wait()
            except TimeoutError:
                continue

    def settle(self, holder: H) -> None:
        """It makes no room from now on: what it needs its part for ends by itself, and soon."""
        if holder in self._holders:
            _, self._settled[holder] = self._holders.pop(holder)

    def give_back(self, holder: H) -> None:
        """What it has, if it has some."""
        _, held = self._holders.pop(holder, (0, 0))
        self._left += held + self._settled.pop(holder, 0)
        self._freed.set()
