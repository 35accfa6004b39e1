"""The one way in which requests share work: each joins a run that has not yet begun."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar

from kubia_pet.aio.expiry import ExpiryQueue

R = TypeVar("R")


class Coalescer(Generic[R]):
    """Runs `run` for many callers: those who arrive while a run is under way share the next one.

    At most one run is under way and at most one waits, whatever the number of callers. As nobody
    joins a run that began before they came, a run's result is as new as if each caller had made it
    alone: sharing never weakens linearizability (Herlihy and Wing, 1990).

    A run that waits for something slow may `proceed`: then the next one begins beside it.

    A caller who waits for longer than `timeout` seconds gets the error that `late()` makes; the run goes on.
    Whoever gathers something for a run before `submit` may rely on it: `run` is called once for all who came
    before, and before anybody else can come.
    """

    def __init__(
        self,
        run: Callable[[], Awaitable[R]],
        *,
        timeout: float | None = None,
        late: Callable[[], Exception] = TimeoutError,
    ) -> None:
        self._run = run
        self._late = late
        self._deadlines = ExpiryQueue(timeout, self._give_up) if timeout else None
        self._waiting: list[asyncio.Future[R]] = []
        self._under_way: asyncio.Future[R] | asyncio.Handle | None = None  # a run, or the begin of one

    def submit(self) -> asyncio.Future[R]:
        """The result of the next run, or its error. Cancelling it does not cancel the run."""
        loop = asyncio.get_running_loop()
        caller: asyncio.Future[R] = loop.create_future()
        self._waiting.append(caller)
        if self._under_way is None:
            self._under_way = loop.call_soon(self._begin)
        if self._deadlines is not None:
            self._deadlines.add(caller)
        return caller

    def proceed(self) -> None:
        """The run that began last holds up the next one no longer."""
        if isinstance(self._under_way, asyncio.Future):
            self._under_way = None
            if self._waiting:
                self._under_way = asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        callers, self._waiting = self._waiting, []
        run: asyncio.Future[R]
        try:
            run = asyncio.ensure_future(self._run())
        except Exception as error:  # noqa: BLE001 - it is handed on
            run = asyncio.get_running_loop().create_future()
            run.set_exception(error)
        self._under_way = run
        run.add_done_callback(partial(self._end, callers))

    def _end(self, callers: list[asyncio.Future[R]], run: asyncio.Future[R]) -> None:
        error = None if run.cancelled() else run.exception()
        for caller in callers:
            if self._deadlines is not None:
                self._deadlines.discard(caller)
            if caller.done():
                continue
            if run.cancelled():  # the program is ending
                caller.cancel()
            elif error is not None:
                caller.set_exception(error)
            else:
                caller.set_result(run.result())
        if self._under_way is not run:
            return  # it let the next one begin
        self._under_way = None
        if self._waiting:
            # In the first turn callers are answered, in the second what they ask next is read: so 16
            # who ask again and again share each run; otherwise 8 would wait while 8 are served.
            loop = asyncio.get_running_loop()
            self._under_way = loop.call_soon(loop.call_soon, self._begin)

    def _give_up(self, caller: asyncio.Future[R]) -> None:
        if not caller.done():
            caller.set_exception(self._late())
