"""A thread for calls that block."""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class WorkerThread:
    """Runs jobs one after the other in one thread, which a process's end does not wait for.

    Make it where the event loop runs. A job there and back costs less than in a
    ThreadPoolExecutor: its future is the event loop's own, and each side is woken by a pipe. A write to it
    lets go of the interpreter's lock, so that the other side may begin; woken by a queue or by
    call_soon_threadsafe, it would at once have to sleep for that lock.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._jobs: deque[Callable[[], None] | None] = deque()
        self._ends: deque[Callable[[], None]] = deque()
        self._woken, self._wakes = os.pipe()
        self._told, self._tells = os.pipe()
        for end in (self._wakes, self._tells, self._told):
            os.set_blocking(end, False)  # neither is ever full: a byte for each job
        self._loop.add_reader(self._told, self._end_one)
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def submit(self, job: Callable[[], T]) -> asyncio.Future[T]:
        """Runs it behind those that are there already. Cancelling the future does not cancel the job."""
        done: asyncio.Future[T] = self._loop.create_future()

        def run() -> None:
            try:
                end = partial(_succeed, done, job())
            except BaseException as error:  # noqa: BLE001 - it is handed on
                end = partial(_fail, done, error)
            self._deliver(end)

        self._put(run)
        return done

    def close(self) -> None:
        """Ends the thread when it has run what is there."""
        self._put(None)

    def _put(self, run: Callable[[], None] | None) -> None:
        self._jobs.append(run)
        os.write(self._wakes, b"1")

    def _work(self) -> None:
        with suppress(OSError):  # the kernel's name for it, which tools show; Linux has one
            Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(self._name)
        while os.read(self._woken, 1) and (run := self._jobs.popleft()):
            run()
            del run  # and what it holds
        self._deliver(self._forget)

    def _deliver(self, end: Callable[[], None]) -> None:
        self._ends.append(end)
        os.write(self._tells, b"1")

    def _end_one(self) -> None:
        os.read(self._told, 1)
        self._ends.popleft()()

    def _forget(self) -> None:
        self._loop.remove_reader(self._told)
        for end in (self._woken, self._wakes, self._told, self._tells):
            os.close(end)


def _succeed(done: asyncio.Future[T], result: T) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[T], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)
