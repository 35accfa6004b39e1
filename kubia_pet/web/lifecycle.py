"""Where a pod is between its start and its end, as something to look at and to wait for."""

import asyncio
from enum import IntEnum


class State(IntEnum):
    """In the order in which a pod passes them; some may be skipped."""

    STARTING = 0
    """It opens its volume."""
    READY = 1
    """It serves."""
    DRAINING = 2
    """It was told to end: not ready, but it serves on, as clients may not know yet."""
    STOPPED = 3
    """It takes no new connection, and ends those that are left."""


class Lifecycle:
    """One pod's state, which only advances."""

    def __init__(self) -> None:
        self.state = State.STARTING
        self._asked_at = 0.0
        self._events = {state: asyncio.Event() for state in State}
        self._events[State.STARTING].set()

    def advance(self, state: State) -> None:
        """Enters `state` and wakes who waits for it or for one before it; does nothing where it is past."""
        self.state = max(state, self.state)
        for each in State:
            if each <= state:
                self._events[each].set()

    def asked(self) -> None:
        """A client asked, whom a Service, or its own knowledge, still leads here.

        That is no probe, no peer, and none that watches: its stream has just ended, and it tries again.
        """
        self._asked_at = asyncio.get_running_loop().time()

    async def unasked(self, seconds: float) -> None:
        """Returns when no client has asked for so long, counted from now on."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while (left := max(began, self._asked_at) + seconds - loop.time()) > 0:  # noqa: ASYNC110 - a time ends
            await asyncio.sleep(left)

    async def reached(self, state: State) -> None:
        """Returns when the pod is in `state`, or past it."""
        await self._events[state].wait()
