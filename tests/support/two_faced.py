"""A pod that tells its peers something else than whoever asks it directly."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from kubia_pet.web.route import is_from_peer

_ADDRESS = "127.0.0.2"
Told = Callable[[aiohttp.ClientSession], Awaitable[web.Response]]


@asynccontextmanager
async def two_faced(url: str, told: Told) -> AsyncIterator[str]:
    """The address of one that passes on all requests to the pod at `url`, but answers `told` to peers.

    Its port is the pod's own, which where DNS names another one takes that for all peers'.
    """
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def handle(request: web.Request) -> web.Response:
            if is_from_peer(request) and request.path == "/data":
                return await told(session)
            async with session.request(
                request.method, url + request.path_qs, data=await request.read(), headers=request.headers
            ) as response:
                dropped = {"Content-Length", "Connection"}
                headers = {name: text for name, text in response.headers.items() if name not in dropped}
                return web.Response(status=response.status, body=await response.read(), headers=headers)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, _ADDRESS, urlsplit(url).port).start()
            yield _ADDRESS
        finally:
            await runner.cleanup()
