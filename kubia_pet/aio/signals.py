"""Signals that end the process, as something to wait for."""

import asyncio
import contextlib
import os
import signal
import threading
import time


def stop_signals() -> asyncio.Queue[None]:
    """A queue that gets an item for each SIGTERM or SIGINT."""
    arrived: asyncio.Queue[None] = asyncio.Queue(maxsize=2)

    def note() -> None:
        with contextlib.suppress(asyncio.QueueFull):
            arrived.put_nowait(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, note)
    return arrived


def end_with_stdin(grace: float) -> None:
    """Sends this process SIGTERM when its standard input ends, and ends it after `grace` seconds more.

    Where that is a pipe from another process it ends with that one, however that one ends. A thread watches
    it: it needs no event loop that is set up, and none that is not held up.
    """

    def watch() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace)
        os._exit(1)

    threading.Thread(target=watch, name="stdin", daemon=True).start()
