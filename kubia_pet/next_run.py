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
        self._next: _Batch[A, R] | None = None
        self._driver: asyncio.Task[None] | None = None

    async def join(self, argument: A) -> R:
        """The result of the next run, or its error. Cancelling the caller does not cancel the run."""
        if self._next is None:
            self._next = _Batch(asyncio.get_running_loop().create_future())
            if self._driver is None:
                self._driver = asyncio.create_task(self._drive())
        batch = self._next
        batch.argument = argument
        batch.callers += 1
        return await asyncio.shield(batch.result)

    async def _drive(self) -> None:
        try:
            while (batch := self._next) is not None:
                self._next = None
                await batch.settle(self._run)
        finally:
            self._driver = None


class _Batch(Generic[A, R]):
    """The callers of one run that has not begun yet."""

    argument: A

    def __init__(self, result: asyncio.Future[R]) -> None:
        self.result = result
        self.callers = 0

    async def settle(self, run: Callable[[A, int], Awaitable[R]]) -> None:
        try:
            result = await run(self.argument, self.callers)
        except asyncio.CancelledError:
            self.result.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it is handed on to every caller
            self.result.set_exception(error)
            self.result.exception()  # the callers may all be gone: no "never retrieved" in the log
        else:
            self.result.set_result(result)
