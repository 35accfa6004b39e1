"""A client of Server-Sent Events, for tests."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

_PATIENCE = aiohttp.ClientTimeout(total=None, sock_read=25)


@dataclass
class Told:
    """One event, or a comment, whose name is empty."""

    name: str
    id: str
    data: Any
    text: str


class Watch:
    """An open stream, read event by event."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self) -> Told:
        """The next event or comment; EOFError where the stream has ended."""
        lines: list[str] = []
        while True:
            line = (await self.response.content.readline()).decode()
            if not line:
                raise EOFError
            if line != "\n":
                lines.append(line.removesuffix("\n"))
            elif lines:
                break
        fields = dict(each.split(": ", 1) for each in lines)
        data = json.loads(fields["data"]) if "data" in fields else None
        return Told(fields.get("event", ""), fields.get("id", ""), data, "\n".join(lines))


@asynccontextmanager
async def watching(url: str) -> AsyncIterator[Watch]:
    """Opens `/events`."""
    async with (
        aiohttp.ClientSession(timeout=_PATIENCE) as session,
        session.get(f"{url}/events", headers={"Accept": "text/event-stream"}) as response,
    ):
        yield Watch(response)
