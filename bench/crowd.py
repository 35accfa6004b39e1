"""Simulated peers: `python -m bench.crowd NUMBER` prints a port for each and serves until it is killed.

They cost little, so that what is measured is the pod that asks them. Each has a port of its own, as pods
have addresses of their own: no two share a connection.
"""

import asyncio
import resource
import sys

from bench import loop
from bench.bare import listen


async def _serve(number: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, most), most))  # a listener each, and connections
    print(*await listen(number), flush=True)  # noqa: T201 - what the caller reads
    await asyncio.Event().wait()


if __name__ == "__main__":
    loop.run(_serve(int(sys.argv[1])))
