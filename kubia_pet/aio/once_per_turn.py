"""One look for all who ask in the same turn of the event loop."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class OncePerTurn(Generic[T]):
    """Calls `look`, which must not wait, for the first who asks in a turn of the event loop.

    For protocols that ask as bytes arrive, that is as new as if each had looked: these bytes were sent before
    the look, and what tells others of something later leaves after the turn. (Where more than 1,024 sockets
    are ready at once uvloop looks for further bytes in the same turn.)
    """

    def __init__(self, look: Callable[[], T]) -> None:
        self._look = look
        self._found: tuple[T] | None = None

    def __call__(self) -> T:
        """What was found in this turn."""
        if self._found is None:
            self._found = (self._look(),)
            asyncio.get_running_loop().call_soon(self._forget)
        return self._found[0]

    def _forget(self) -> None:
        self._found = None
