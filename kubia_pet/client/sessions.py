"""Connections to pods and Services."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from kubia_pet.client.pod import PodClient
from kubia_pet.limits import ASK_CONNECT_TIMEOUT, ASK_TIMEOUT


@asynccontextmanager
async def session(
    *,
    token: str | None = None,
    socket: str | None = None,
    keep: bool = True,
    patience: float = ASK_TIMEOUT,
    limit: int = 0,
) -> AsyncIterator[aiohttp.ClientSession]:
    """Connections for PodClients: over TCP, or to a Unix `socket`; kept alive unless told otherwise.

    `patience`: seconds for one answer. `limit`: connections at the same time, 0 for as many as are wanted.

    `token` goes with every request, under a name that survives the API server's proxy.
    """
    connector = (
        aiohttp.UnixConnector(socket, limit=limit, force_close=not keep)
        if socket
        else aiohttp.TCPConnector(limit=limit, force_close=not keep, use_dns_cache=False)
    )
    timeout = aiohttp.ClientTimeout(total=patience, connect=None, sock_connect=ASK_CONNECT_TIMEOUT)
    headers = {"Kubia-Pet-Token": token} if token else {}
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        headers=headers,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers={"Accept-Encoding"},
    ) as opened:
        yield opened


@asynccontextmanager
async def one_connection(url: str, token: str | None) -> AsyncIterator[PodClient]:
    """A client of a Service whose questions all go over one connection: to one pod."""
    async with session(token=token, limit=1) as opened:
        yield PodClient(opened, url, name="")
