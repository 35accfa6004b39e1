"""Connections from clients: how many there are, which makes room for another, how long one may stall."""

import asyncio
import logging
from itertools import chain
from typing import Any

from aiohttp import web
from aiohttp.http import HttpProcessingError

from kubia_pet.problem import ProblemError

NEWCOMERS = 32  # also how many are accepted in a row: none makes room before its request can be read
NOT_HTTP = "This is no request as HTTP/1.1 has it."
log = logging.getLogger(__name__)


class Connections:
    """All that are open, in three queues: had no request yet, idle between two, a request is being handled.

    Those make room first that had no request yet, as long as there are more than NEWCOMERS of them: so many
    may have their request on its way. Then those that idle, then those that are busy; in each queue the one
    that has been in it for longest.
    """

    def __init__(self) -> None:
        self._fresh: dict[web.RequestHandler, None] = {}
        self._idle: dict[web.RequestHandler, None] = {}
        self.busy: dict[web.RequestHandler, None] = {}
        self._quiet = asyncio.Event()

    def __len__(self) -> int:
        return len(self._fresh) + len(self._idle) + len(self.busy)

    def add(self, connection: web.RequestHandler) -> None:
        """It was accepted."""
        self._fresh[connection] = None

    def begin(self, connection: web.RequestHandler) -> None:
        """It has a request."""
        self.remove(connection)
        self.busy[connection] = None
        self._quiet.clear()

    def end(self, connection: web.RequestHandler) -> None:
        """Its request was handled."""
        self.remove(connection)
        if connection.connected:
            self._idle[connection] = None

    def remove(self, connection: web.RequestHandler) -> None:
        """It is gone, or as good as gone."""
        for queue in (self._fresh, self._idle, self.busy):
            queue.pop(connection, None)
        if not self.busy:
            self._quiet.set()

    async def quiet(self) -> None:
        """Returns when no request is being handled."""
        if self.busy:
            await self._quiet.wait()

    def first(self) -> web.RequestHandler:
        """The one that makes room."""
        many = self._fresh if len(self._fresh) > NEWCOMERS else ()
        return next(chain(many, self._idle, self.busy, self._fresh))


class Gate:
    """Makes the protocol of each new connection, and keeps their number within `cap`.

    At the cap another one makes room, so that all are let in: a probe ends before its turn comes, whoever
    only holds connections open loses them.
    """

    def __init__(
        self, server: web.Server, connections: Connections, *, cap: int, timeout: float, **options: Any
    ) -> None:
        self._server = server
        self._connections = connections
        self._cap = cap
        self._timeout = timeout
        self._options = options
        self._said = float("-inf")

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a connection that was just accepted."""
        if len(self._connections) >= self._cap:
            self._say()
            first = self._connections.first()
            self._connections.remove(first)
            if isinstance(first, Connection):
                first.abort()
        connection = Connection(self._server, self._connections, self._timeout, **self._options)
        self._connections.add(connection)
        return connection

    def _say(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._said >= 1:
            log.warning("Over %d connections: those that idle for longest make room", self._cap)
            self._said = now


class Connection(web.RequestHandler):
    """One connection, aborted where its client does not take an answer within `timeout` seconds.

    A request's header has the same deadline: it is aiohttp's for connections that are kept alive.
    """

    __slots__ = ("_aborted", "_connections", "_overdue", "_timeout")

    def __init__(self, server: web.Server, connections: Connections, timeout: float, **options: Any) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), keepalive_timeout=timeout, **options)
        self._connections = connections
        self._timeout = timeout
        self._overdue: asyncio.TimerHandle | None = None
        self._aborted = False

    def abort(self) -> None:
        """Ends it at once, even before it was made."""
        self._aborted = True
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tells of every byte that waits for the client, not only of many."""
        super().connection_made(transport)
        if self.transport is not None:
            self.transport.set_write_buffer_limits(high=0)
        if self._aborted:
            self.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forgets it."""
        self._connections.remove(self)
        if self._overdue is not None:
            self._overdue.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Bytes wait for the client."""
        super().pause_writing()
        if self.transport is not None:
            self._overdue = asyncio.get_running_loop().call_later(self._timeout, self.transport.abort)

    def resume_writing(self) -> None:
        """The client, or its kernel, took them all."""
        super().resume_writing()
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Tells clients what they garble, but not the log: it is no place for strangers to fill."""
        # UnicodeEncodeError: an Expect that aiohttp does not know, and fails to repeat as it is not text.
        if isinstance(exc, HttpProcessingError | UnicodeEncodeError):
            log.debug("Refused what is not HTTP: %r", message)
            return ProblemError(400, NOT_HTTP, close=True).response(request)
        return super().handle_error(request, status, exc, message)
