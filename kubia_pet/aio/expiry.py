"""Deadlines for many at the cost of one timer."""

import asyncio
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class ExpiryQueue(Generic[T]):
    """All that wait, whoever has waited for longest first. Each may wait for `seconds`.

    One that has waited for as long is removed, and `give_up` is called with it. Whoever comes or goes in time
    costs no timer: there is one, for the first.
    """

    def __init__(self, seconds: float, give_up: Callable[[T], None]) -> None:
        self._seconds = seconds
        self._give_up = give_up
        self._since: dict[T, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._since)

    def __iter__(self) -> Iterator[T]:
        return iter(self._since)

    def add(self, one: T) -> None:
        """It waits from now on."""
        loop = asyncio.get_running_loop()
        self._since[one] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._end_waits)

    def discard(self, one: T) -> None:
        """It waits no longer, if it did."""
        self._since.pop(one, None)

    def _end_waits(self) -> None:
        loop = asyncio.get_running_loop()
        for one, since in list(self._since.items()):
            if since + self._seconds > loop.time():
                break
            self.discard(one)
            self._give_up(one)  # which may add it again
        first = next(iter(self._since.values()), None)
        self._timer = None if first is None else loop.call_at(first + self._seconds, self._end_waits)
