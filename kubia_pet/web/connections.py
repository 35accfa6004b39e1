"""Which connections from clients there are: who makes room for another, and who has idled for too long."""

import asyncio
from itertools import chain
from typing import Any

from aiohttp import web

from kubia_pet.aio.expiry import ExpiryQueue
from kubia_pet.limits import NEWCOMERS


class Connections:
    """All that are open, in four queues: had no request yet, idle between two, streaming, busy.

    Those make room first that had no request yet, as long as there are more than NEWCOMERS of them: so many
    may have their request on its way. Then those that idle, then streams, then those that are busy; in each
    queue the one that has been in it for longest. Those without a request for `patience` seconds are closed.
    """

    def __init__(self, patience: float) -> None:
        self._fresh: ExpiryQueue[web.RequestHandler] = ExpiryQueue(patience, web.RequestHandler.force_close)
        self._idle: ExpiryQueue[web.RequestHandler] = ExpiryQueue(patience, web.RequestHandler.force_close)
        self._streams: dict[web.RequestHandler, asyncio.Task[Any] | None] = {}
        self.busy: dict[web.RequestHandler, None] = {}
        self._last: web.RequestHandler | None = None  # to have a request
        self._quiet = asyncio.Event()

    def __len__(self) -> int:
        return len(self._fresh) + len(self._idle) + len(self._streams) + len(self.busy)

    def add(self, connection: web.RequestHandler) -> None:
        """It was accepted."""
        self._fresh.add(connection)

    def begin(self, connection: web.RequestHandler) -> None:
        """It has a request."""
        self._last = connection
        self.remove(connection)
        self.busy[connection] = None
        self._quiet.clear()

    def stream(self, connection: web.RequestHandler) -> None:
        """Its answer, which the present task sends, is a stream: nobody waits for its end.

        The task is cancelled when the connection is gone, or by `end_streams`.
        """
        self.remove(connection)
        self._streams[connection] = asyncio.current_task()

    def end(self, connection: web.RequestHandler) -> None:
        """Its request was handled."""
        self.remove(connection)
        if connection.connected:
            self._idle.add(connection)

    def is_alone(self, connection: web.RequestHandler) -> bool:
        """Whether no other one has a request, or had one since the last of this one."""
        return self._last is connection and not self.busy

    def lost(self, connection: web.RequestHandler) -> None:
        """Its client is gone."""
        if (streaming := self._streams.get(connection)) is not None:
            streaming.cancel()
        self.remove(connection)

    def end_streams(self) -> None:
        """Ends all streams."""
        for streaming in self._streams.values():
            if streaming is not None:
                streaming.cancel()

    def remove(self, connection: web.RequestHandler) -> None:
        """It is none of these."""
        self._fresh.discard(connection)
        self._idle.discard(connection)
        self._streams.pop(connection, None)
        self.busy.pop(connection, None)
        if not self.busy:
            self._quiet.set()

    async def wait_idle(self) -> None:
        """Returns when no request is being handled."""
        if self.busy:
            await self._quiet.wait()

    def eviction_candidate(self) -> web.RequestHandler:
        """The one that makes room."""
        many = self._fresh if len(self._fresh) > NEWCOMERS else ()
        return next(chain(many, self._idle, self._streams, self.busy, self._fresh))
