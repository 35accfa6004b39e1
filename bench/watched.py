"""`kubia-pet serve` that tells how long its event loop was held: `python -m bench.watched serve ...`.

At each SIGUSR1 it writes `held SECONDS` to its standard error: the longest since the last one.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import kubia_pet.web.server
from kubia_pet.cli import main
from tests.hostile.peers.loop_watch import Hold, watched_loop


def _watched(serve: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def run(*args: Any, **named: Any) -> None:
        async with watched_loop() as hold:
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _tell, hold)
            await serve(*args, **named)

    return run


def _tell(hold: Hold) -> None:
    sys.stderr.write(f"held {hold.longest}\n")
    sys.stderr.flush()
    hold.longest = 0.0


if __name__ == "__main__":
    # The command itself, so that the loop is set up as it is for users.
    kubia_pet.web.server.serve = _watched(kubia_pet.web.server.serve)  # type: ignore[assignment] # a wrapper of it
    main()
