"""`kubia-pet serve` that tells how long its event loop was held: `python -m bench.watched serve ...`.

At each SIGUSR1 it writes `held SECONDS` to its standard error: the longest since the last one.
"""

import asyncio
import signal
import sys

import kubia_pet.web.server
from kubia_pet.cli import main
from kubia_pet.config import Settings
from tests.hostile.peers.loop_watch import watched_loop

_serve = kubia_pet.web.server.serve


async def _watched(settings: Settings, *, pod: str, service: str | None, name: str | None) -> None:
    async with watched_loop() as hold:

        def tell() -> None:
            print("held", hold.longest, file=sys.stderr, flush=True)  # noqa: T201 - what the caller reads
            hold.longest = 0.0

        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell)
        await _serve(settings, pod=pod, service=service, name=name)


if __name__ == "__main__":
    # The command itself, so that the loop is set up as it is for users.
    kubia_pet.web.server.serve = _watched
    main()
