"""An application served in this process as a pod serves it, for what only its inside can show."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from kubia_pet.web.app import CONNECTIONS, LIFECYCLE, METRICS
from kubia_pet.web.lifecycle import State
from kubia_pet.web.protocol import ProtocolFactory


@asynccontextmanager
async def serving(
    app: web.Application, cap: int = 10, patience: float = 5
) -> AsyncIterator[tuple[str, web.AppRunner]]:
    """Its URL, and its runner; it is ready."""
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    assert runner.server
    app[LIFECYCLE].advance(State.READY)
    factory = ProtocolFactory(runner.server, app[CONNECTIONS], app[METRICS], cap=cap, timeout=patience)
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", runner
    finally:
        server.close()
        await runner.cleanup()
