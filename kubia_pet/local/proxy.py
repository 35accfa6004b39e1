"""One port that reaches any ready pod, as the public Service does."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Self

_CONNECT_TIMEOUT = 1.0  # seconds
_MOST_CONNECTIONS = 256
_PIECE = 1 << 16  # bytes


class PublicService:
    """Passes each connection on to the next ready pod in turn. Use it as an async context manager.

    A shared listener (SO_REUSEPORT) would spread connections by their hash on Linux, and not at all on
    macOS; here they spread the same everywhere. `endpoints` maps pod names to (address, port).
    """

    def __init__(self, endpoints: Mapping[str, tuple[str, int]], host: str, port: int) -> None:
        self._endpoints = endpoints
        self._address = host, port
        self._turn = 0
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, *self._address)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        try:
            if task is not None and len(self._connections) < _MOST_CONNECTIONS:
                self._connections.add(task)
                task.add_done_callback(self._connections.discard)
                with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
                    await self._pass_on(reader, writer)
        finally:
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pod_reader, pod_writer = await self._connect()
        try:
            both = [
                asyncio.ensure_future(_copy(reader, pod_writer)),
                asyncio.ensure_future(_copy(pod_reader, writer)),
            ]
            await asyncio.wait(both[1:])  # the pod ends idle and finished connections
            both[0].cancel()
            await asyncio.gather(*both, return_exceptions=True)
        finally:
            pod_writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the next pod that takes one; OSError where none does."""
        for _ in range(len(self._endpoints)):
            endpoints = list(self._endpoints.values())
            if not endpoints:  # the last one has left meanwhile
                break
            self._turn += 1
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CONNECT_TIMEOUT):
                    return await asyncio.open_connection(*endpoints[self._turn % len(endpoints)])
        raise ConnectionRefusedError


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
