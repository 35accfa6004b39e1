"""Connections to a pod that stay open: begun requests, and whether the pod ends them."""

import asyncio

from tests.hostile.clients.raw_http import address_of, exchange, request

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def ask(url: str, method: str = "GET", path: str = "/data", *lines: str) -> bytes:
    """The answer to a request without a body."""
    return await exchange(url, request(method, path, *lines))


async def connect(url: str, sent: bytes = b"") -> Stream:
    """A connection on which `sent` was sent and that stays open."""
    reader, writer = await asyncio.open_connection(*address_of(url))
    writer.write(sent)
    await writer.drain()
    return reader, writer


async def begin_upload(url: str, host: str = "pet") -> Stream:
    """A connection whose request is being handled, as its body is not there yet: 100 Continue says so."""
    lines = ("Content-Length: 4", "Expect: 100-continue")
    reader, writer = await connect(url, request("POST", "/", *lines, host=host))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    return reader, writer


async def is_closed(reader: asyncio.StreamReader, seconds: float = 0.5) -> bool:
    """Whether the server closes this connection within `seconds`, saying nothing."""
    try:
        async with asyncio.timeout(seconds):
            return await reader.read(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False
