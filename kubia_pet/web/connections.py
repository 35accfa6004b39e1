"""Which connections from clients there are: who makes room for another, and who has idled for too long."""

import asyncio
from itertools import chain
from typing import Any

from aiohttp import StreamReader, web

from kubia_pet.aio.expiry import ExpiryQueue
from kubia_pet.limits import NEWCOMERS


class Connections:
    """All that are open, each in one queue.

    - fresh: had no request yet
    - receiving: of a request its body is awaited
    - idle: between two requests
    - streaming
    - busy: a request is being handled, or a large answer sent; who has yet to take a small one is idle

    Those make room first that are fresh, then those receiving, as long as there are more than NEWCOMERS of
    them: so many may have the rest on its way. Then idle ones, streams, receiving, busy and fresh ones; in
    each queue the one that has been in it for longest. Who is fresh or idle for `patience` seconds is closed.
    At most `most` are meant to be busy, those with an essential request aside: `has_room` is asked before.
    """

    def __init__(self, patience: float, most: int) -> None:
        self._fresh: ExpiryQueue[web.RequestHandler] = ExpiryQueue(patience, web.RequestHandler.force_close)
        self._idle: ExpiryQueue[web.RequestHandler] = ExpiryQueue(patience, web.RequestHandler.force_close)
        self._receiving: dict[web.RequestHandler, StreamReader] = {}
        self._streams: dict[web.RequestHandler, asyncio.Task[Any] | None] = {}
        self._most = most
        self.busy: dict[web.RequestHandler, bool] = {}  # whether it counts as one of `most`
        self._counted = 0
        self._half_closed: set[web.RequestHandler] = set()
        self._broken_off: set[web.RequestHandler] = set()
        self._all_idle = asyncio.Event()

    def __len__(self) -> int:
        without = len(self._fresh) + len(self._receiving) + len(self._idle)
        return without + len(self._streams) + len(self.busy)

    def add(self, connection: web.RequestHandler) -> None:
        """It was accepted."""
        self._fresh.add(connection)

    def has_room(self, connection: web.RequestHandler | None = None) -> bool:
        """Whether one more may be busy; this one may where it is counted already."""
        return self._counted < self._most or (connection is not None and self.busy.get(connection, False))

    def begin(self, connection: web.RequestHandler, *, essential: bool = False) -> None:
        """It has a request."""
        self.remove(connection)
        self.busy[connection] = not essential
        self._counted += not essential
        self._all_idle.clear()

    def receive(self, connection: web.RequestHandler, body: StreamReader) -> None:
        """The body of its request is awaited; `begin` says that it is there."""
        self.remove(connection)
        self._receiving[connection] = body
        self._all_idle.clear()
        if connection in self._half_closed:
            self._break_off(connection, body)

    def half_close(self, connection: web.RequestHandler) -> None:
        """Its client sends no more, but may wait for answers."""
        self._half_closed.add(connection)
        if (body := self._receiving.get(connection)) is not None:
            self._break_off(connection, body)

    def has_broken_off(self, connection: web.RequestHandler) -> bool:
        """Whether the end of a body that was awaited is not its true one."""
        return connection in self._broken_off

    def is_streaming(self, connection: web.RequestHandler) -> bool:
        """Whether its answer is a stream."""
        return connection in self._streams

    def is_half_closed(self, connection: web.RequestHandler) -> bool:
        """Whether its client sends no more."""
        return connection in self._half_closed

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

    def lost(self, connection: web.RequestHandler) -> None:
        """Its client is gone."""
        if (streaming := self._streams.get(connection)) is not None:
            streaming.cancel()
        self._half_closed.discard(connection)
        self._broken_off.discard(connection)
        self.remove(connection)

    async def streams_ended(self) -> None:
        """Returns when those that stream now have ended, by themselves."""
        streaming = [each for each in self._streams.values() if each is not None]
        if streaming:
            await asyncio.wait(streaming)

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
        self._receiving.pop(connection, None)
        self._counted -= self.busy.pop(connection, False)
        if not self.busy and not self._receiving:
            self._all_idle.set()

    async def wait_idle(self) -> None:
        """Returns when no request is being received or handled, streams aside."""
        if self.busy or self._receiving:
            await self._all_idle.wait()

    def eviction_candidate(self) -> web.RequestHandler:
        """The one that makes room."""
        many = (queue for queue in (self._fresh, self._receiving) if len(queue) > NEWCOMERS)
        others = (self._idle, self._streams, self._receiving, self.busy, self._fresh)
        return next(chain.from_iterable((*many, *others)))

    def _break_off(self, connection: web.RequestHandler, body: StreamReader) -> None:
        if not body.is_eof():
            self._broken_off.add(connection)
            body.feed_eof()
