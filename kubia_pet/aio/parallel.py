"""The same for many, a bounded number at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def in_parallel(
    items: Iterable[Item], work: Callable[[Item], Awaitable[Result]], *, limit: int
) -> list[Result]:
    """The results in the order of the items; at most `limit` at a time.

    The first error ends all and is raised.
    """
    turns = asyncio.Semaphore(limit)

    async def in_turn(item: Item) -> Result:
        async with turns:
            return await work(item)

    tasks = [asyncio.ensure_future(in_turn(item)) for item in items]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
