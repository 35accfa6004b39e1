"""How long the event loop is held: the longest time in which nothing else could have run."""

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable

BOUND = 0.020  # seconds


class Hold:
    """`longest`, in seconds, so far.

    Time in which this whole process did not run is left out: that is another program's, on a busy machine.
    """

    longest = 0.0


@contextlib.asynccontextmanager
async def watched_loop() -> AsyncIterator[Hold]:
    """Watches while the block runs. As in a pod, the garbage collector leaves alone what was there before."""
    hold = Hold()

    async def watch() -> None:
        before, worked = time.perf_counter(), time.process_time()
        while True:
            await asyncio.sleep(0.001)
            now, work = time.perf_counter(), time.process_time()
            hold.longest = max(hold.longest, min(now - before - 0.001, work - worked))
            before, worked = now, work

    gc.collect()
    gc.freeze()
    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    try:
        yield hold
        await asyncio.sleep(0.002)
    finally:
        watching.cancel()
        gc.unfreeze()


async def shortest_hold(run: Callable[[], Awaitable[object]], times: int = 8) -> float:
    """The longest hold of the run that held least: other work on the machine only ever adds to one.

    Runs again only as long as each run held for more than BOUND.
    """
    shortest = float("inf")
    for _ in range(times):
        async with watched_loop() as hold:
            await run()
        shortest = min(shortest, hold.longest)
        if shortest < BOUND:
            break
    return shortest
