"""`kubia-pet serve`, with a look at how long its event loop is held: `python -m bench.watched serve ...`.

For each line of its standard input it prints two numbers, in seconds, of the time since the last such line:
the longest in which nothing else could run, and the most CPU time the loop's thread used between two looks.
Other processes on the same core, and threads that hold the interpreter, add to the first one only.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import kubia_pet.web.server
from kubia_pet.cli import main

TICK = 0.001


class Watch:
    """Wakes up at every tick; what it comes late by, others have held the loop."""

    def __init__(self) -> None:
        self._late = self._cpu = 0.0

    async def run(self) -> None:
        """Watches until it is cancelled."""
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._tell)
        then, cpu_then = time.perf_counter(), time.thread_time()
        while True:
            await asyncio.sleep(TICK)
            now, cpu_now = time.perf_counter(), time.thread_time()
            self._late = max(self._late, now - then - TICK)
            self._cpu = max(self._cpu, cpu_now - cpu_then)
            then, cpu_then = now, cpu_now

    def _tell(self) -> None:
        if not sys.stdin.readline():
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            return
        print(max(self._late, 0.0), self._cpu, flush=True)  # noqa: T201 - what the caller reads
        self._late = self._cpu = 0.0


def _watched(serve: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def run(*args: Any, **named: Any) -> None:
        watching = asyncio.create_task(Watch().run())
        try:
            await serve(*args, **named)
        finally:
            watching.cancel()

    return run


if __name__ == "__main__":
    # The command itself, so that the loop is set up as it is for users.
    kubia_pet.web.server.serve = _watched(kubia_pet.web.server.serve)  # type: ignore[assignment] # a wrapper of it
    main()
