"""Signals that end the process, as something to wait for."""

import asyncio
import contextlib
import signal


def stop_signals() -> asyncio.Queue[None]:
    """A queue that gets an item for each SIGTERM or SIGINT."""
    arrived: asyncio.Queue[None] = asyncio.Queue(maxsize=2)

    def note() -> None:
        with contextlib.suppress(asyncio.QueueFull):
            arrived.put_nowait(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, note)
    return arrived
