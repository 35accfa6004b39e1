"""How long the event loop is held: the longest time in which nothing else could have run."""

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable


class Hold:
    """`longest`, in seconds, so far."""

    longest = 0.0


@contextlib.asynccontextmanager
async def watched_loop() -> AsyncIterator[Hold]:
    """Watches while the block runs. As in a pod, the garbage collector leaves alone what was there before."""
    hold = Hold()

    async def watch() -> None:
        before = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            hold.longest = max(hold.longest, now - before - 0.001)
            before = now

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


async def quietest_hold(run: Callable[[], Awaitable[object]], times: int = 4) -> float:
    """The longest hold of the run that held least: other work on the machine only ever adds to one."""
    holds = []
    for _ in range(times):
        async with watched_loop() as hold:
            await run()
        holds.append(hold.longest)
    return min(holds)
