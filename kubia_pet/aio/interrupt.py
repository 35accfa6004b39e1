"""Ends a command's work at a signal, so that it can put in order what it has changed."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Result = TypeVar("Result")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Which signal came; None where none did."""

    number: int | None = None


@contextmanager
def interruptible(stop: Callable[[], object], say: Callable[[str], None]) -> Iterator[Interruption]:
    """Calls `stop` at the first SIGINT, SIGTERM or SIGHUP; at those that follow says what is being done."""
    loop = asyncio.get_running_loop()
    interruption = Interruption()

    def arrived(number: int) -> None:
        if interruption.number is None:
            interruption.number = number
            stop()
        else:
            say("Old values are being put back.")

    for number in _SIGNALS:
        loop.add_signal_handler(number, arrived, number)
    try:
        yield interruption
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def to_its_end(work: Awaitable[Result]) -> Result:
    """The result of `work`, which a cancellation meanwhile does not touch: it is raised after the end."""
    task = asyncio.ensure_future(work)
    interrupted: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            interrupted = error
    if interrupted is not None:
        raise interrupted from (None if task.cancelled() else task.exception())
    return task.result()
