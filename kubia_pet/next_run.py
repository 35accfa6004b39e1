"""The one way in which requests share work: each joins a run that has not yet begun."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")


class NextRun(Generic[A, R]):
    """Runs `run` for many callers: those who arrive while a run is under way share the next one.

    At most one run is under way and at most one waits, whatever the number of callers. As nobody
    joins a run that began before they came, a run's result is as new as if each caller had made it
    alone: sharing never weakens linearizability (Herlihy and Wing, 1990).

    `run(argument, callers)` gets the newest caller's argument and the number of callers it serves.
    """

    def __init__(self, run: Callable[[A, int], Awaitable[R]]) -> None:
        self._run = run
        self._waiting: list[asyncio.Future[R]] = []
        self._newest: A  # of those who wait
        self._driver: asyncio.Task[None] | None = None

    async def join(self, argument: A) -> R:
        """The result of the next run, or its error. Cancelling the caller does not cancel the run."""
        caller: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append(caller)
        self._newest = argument
        if self._driver is None:
            self._driver = asyncio.create_task(self._drive())
        return await caller

    async def _drive(self) -> None:
        callers: list[asyncio.Future[R]] = []
        try:
            while self._waiting:
                callers, self._waiting = self._waiting, []
                try:
                    result = await self._run(self._newest, len(callers))
                except Exception as error:  # noqa: BLE001 - it is handed on to every caller
                    for caller in _still_there(callers):
                        caller.set_exception(error)
                else:
                    for caller in _still_there(callers):
                        caller.set_result(result)
        finally:
            self._driver = None
            for caller in _still_there(callers + self._waiting):  # the program is ending
                caller.cancel()


def _still_there(callers: list[asyncio.Future[R]]) -> list[asyncio.Future[R]]:
    return [caller for caller in callers if not caller.done()]
