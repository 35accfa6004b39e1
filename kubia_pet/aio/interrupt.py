"""Ends a command's work at a signal, so that it can put in order what it has changed."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Which signal came; None where none did."""

    number: int | None = None


@contextmanager
def interruptible(say: Callable[[str], None]) -> Iterator[Interruption]:
    """Cancels the current task at the first SIGINT, SIGTERM or SIGHUP.

    At those that follow it says what is still being done.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    interruption = Interruption()

    def stop(number: signal.Signals) -> None:
        if interruption.number is None and task is not None:
            interruption.number = number
            task.cancel()
        else:
            say("Old values are being put back.")

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        yield interruption
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
