"""A thread of the store's own, for calls that block."""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

T = TypeVar("T")


class Lane:
    """Runs jobs one after the other in one thread, which a process's end does not wait for.

    It stands where aiofiles and asyncio take an executor. A job there and back costs half of what it costs
    in a ThreadPoolExecutor (python -m bench.hops): its future is the event loop's own, which
    asyncio.wrap_future lets pass, and a pipe wakes the thread. A write to it lets go of the interpreter's
    lock, so that the thread may begin; woken by a queue, it would at once have to sleep for that lock.
    """

    def __init__(self, name: str) -> None:
        self._jobs: deque[Callable[[], None] | None] = deque()
        self._woken, self._wakes = os.pipe()
        os.set_blocking(self._wakes, False)  # it is never full: a byte for each job
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def submit(self, job: Callable[[], T]) -> asyncio.Future[T]:
        """Runs it behind those that are there already. Cancelling the future does not cancel the job."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def run() -> None:
            try:
                end = partial(_succeed, done, job())
            except BaseException as error:  # noqa: BLE001 - it is handed on
                end = partial(_fail, done, error)
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(end)

        self._put(run)
        return done

    def close(self) -> None:
        """Ends the thread when it has run what is there."""
        self._put(None)

    def _put(self, run: Callable[[], None] | None) -> None:
        self._jobs.append(run)
        os.write(self._wakes, b"1")

    def _work(self) -> None:
        while os.read(self._woken, 1) and (run := self._jobs.popleft()):
            run()
            del run  # and what it holds
        os.close(self._woken)
        os.close(self._wakes)


def _succeed(done: asyncio.Future[T], result: T) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[T], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)
