"""The one way in which requests share work: each joins a run that has not yet begun."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Generic, TypeVar

from kubia_pet.waiting import Waiting

A = TypeVar("A")
R = TypeVar("R")


class NextRun(Generic[A, R]):
    """Runs `run` for many callers: those who arrive while a run is under way share the next one.

    At most one run is under way and at most one waits, whatever the number of callers. As nobody
    joins a run that began before they came, a run's result is as new as if each caller had made it
    alone: sharing never weakens linearizability (Herlihy and Wing, 1990).

    `run(argument, callers)` gets the newest caller's argument and the number of callers it serves.
    A caller who waits for longer than `timeout` seconds gets the error that `late()` makes; the run goes on.
    """

    def __init__(
        self,
        run: Callable[[A, int], Awaitable[R]],
        *,
        timeout: float | None = None,
        late: Callable[[], Exception] = TimeoutError,
    ) -> None:
        self._run = run
        self._late = late
        self._deadlines = Waiting(timeout, self._give_up) if timeout else None
        self._waiting: list[asyncio.Future[R]] = []
        self._newest: A  # of those who wait
        self._driver: asyncio.Task[None] | None = None

    def join(self, argument: A) -> asyncio.Future[R]:
        """The result of the next run, or its error. Cancelling it does not cancel the run."""
        loop = asyncio.get_running_loop()
        caller: asyncio.Future[R] = loop.create_future()
        self._waiting.append(caller)
        self._newest = argument
        if self._driver is None:
            self._driver = loop.create_task(self._drive())
        if self._deadlines is not None:
            self._deadlines.add(caller)
        return caller

    async def _drive(self) -> None:
        callers: list[asyncio.Future[R]] = []
        try:
            while self._waiting:
                callers, self._waiting = self._waiting, []
                try:
                    result = await self._run(self._newest, len(callers))
                except Exception as error:  # noqa: BLE001 - it is handed on to every caller
                    for caller in self._still_there(callers):
                        caller.set_exception(error)
                else:
                    for caller in self._still_there(callers):
                        caller.set_result(result)
                if self._waiting:
                    # In the first turn callers are answered, in the second what they ask next is read: so 16
                    # who ask again and again share each run; otherwise 8 would wait while 8 are served.
                    await asyncio.sleep(0)
                    await asyncio.sleep(0)
        finally:
            self._driver = None
            for caller in self._still_there(callers + self._waiting):  # the program is ending
                caller.cancel()

    def _still_there(self, callers: list[asyncio.Future[R]]) -> Iterator[asyncio.Future[R]]:
        for caller in callers:
            if self._deadlines is not None:
                self._deadlines.discard(caller)
            if not caller.done():
                yield caller

    def _give_up(self, caller: asyncio.Future[R]) -> None:
        if not caller.done():
            caller.set_exception(self._late())
