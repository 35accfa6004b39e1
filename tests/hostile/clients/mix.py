"""Requests of all kinds on connections that are kept, as fast as they are answered."""

import asyncio
import contextlib
import random
import re
from collections import Counter

from tests.hostile.clients.malformed import one_more
from tests.hostile.clients.raw_http import address_of

_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nConnection: close", re.IGNORECASE)


def _line(start: str, *fields: str, body: bytes = b"") -> bytes:
    return "\r\n".join((f"{start} HTTP/1.1", "Host: a", *fields)).encode() + b"\r\n\r\n" + body


# Each with how often it is asked in 200 requests.
_KEPT: dict[bytes, int] = {
    _line("GET /data"): 60,
    _line("HEAD /data"): 8,
    _line("GET /data", "If-None-Match: *"): 8,
    _line("GET /"): 16,
    _line("GET /", "Accept: application/json"): 8,
    _line("GET /peers"): 6,
    _line("GET /healthz"): 20,
    _line("GET /readyz"): 20,
    _line("GET /metrics"): 2,
    _line("GET /openapi.json"): 2,
    _line("GET /nowhere"): 4,
    _line("PATCH /data", "Accept: application/problem+json"): 4,
    _line("POST /", "Origin: http://elsewhere", "Content-Length: 1", body=b"1"): 4,
    _line("POST /", "Content-Length: 20", body=b"twenty bytes of text"): 16,
    _line("PUT /", "Transfer-Encoding: chunked", body=b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"): 6,
    _line("PUT /", "Content-Length: 70000", body=b"seventy " * 8750): 2,
    _line("DELETE /"): 2,
    _line("POST /", "Content-Length: 9999999"): 2,
    _line("POST /", "Content-Encoding: gzip", "Content-Length: 2", body=b"xx"): 2,
}
_KINDS, _WEIGHTS = list(_KEPT), list(_KEPT.values())
_ROGUE = 0.03  # of all requests: malformed, broken off, or never read


class Mix:
    """Asks `total` requests in all, on `connections` at a time; `seen` counts the answers by status."""

    def __init__(self, url: str, *, seed: int) -> None:
        self._address = address_of(url)
        self._random = random.Random(seed)
        self._left = 0
        self.seen: Counter[int] = Counter()

    async def ask(self, total: int, *, connections: int = 16) -> None:
        """Returns when all were asked, and no connection is left."""
        self._left = total
        async with asyncio.TaskGroup() as tasks:
            for _ in range(connections):
                tasks.create_task(self._work())

    async def _work(self) -> None:
        while self._left > 0:
            reader, writer = await asyncio.open_connection(*self._address)
            with contextlib.suppress(ConnectionError):
                while self._left > 0 and await self._one(reader, writer):
                    pass
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection can be used for another one."""
        self._left -= 1
        if self._random.random() < _ROGUE:
            await self._misbehave(reader, writer)
            return False
        (sent,) = self._random.choices(_KINDS, _WEIGHTS)
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        self.seen[status] += 1
        length = _LENGTH.search(head)
        if length and status != 304 and not sent.startswith(b"HEAD"):
            await reader.readexactly(int(length[1]))
        return not _CLOSE.search(head)

    async def _misbehave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kind = self._random.randrange(3)
        if kind == 0:
            writer.write(one_more(self._random))
            await reader.read()
        elif kind == 1:
            writer.write(_line("POST /", "Content-Length: 100", body=b"only half of it"))
            await writer.drain()
        else:
            writer.write(_line("GET /data") * 5)
            await writer.drain()
