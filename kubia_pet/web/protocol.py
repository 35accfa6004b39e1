"""The protocol of one connection from a client: how long it may stall, and what makes room for it."""

import asyncio
import logging
from typing import Any

from aiohttp import web
from aiohttp.http import HttpProcessingError

from kubia_pet.web.connections import Connections
from kubia_pet.web.problem import NOT_HTTP, ProblemError
from kubia_pet.web.replay import ReplayingProtocol

_NEVER = 3600.0  # seconds by which aiohttp's own deadline for idle connections comes after ours
log = logging.getLogger(__name__)


class ProtocolFactory:
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
        self._logged_at = float("-inf")

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a connection that was just accepted."""
        if len(self._connections) >= self._cap:
            self._log_evictions()
            first = self._connections.eviction_candidate()
            self._connections.lost(first)
            if isinstance(first, Connection):
                first.abort()
        connection = Connection(self._server, self._connections, self._timeout, **self._options)
        self._connections.add(connection)
        return connection

    def _log_evictions(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._logged_at >= 1:
            log.warning("Over %d connections: those that idle for longest make room", self._cap)
            self._logged_at = now


class Connection(ReplayingProtocol):
    """One connection, aborted where its client does not take an answer within `timeout` seconds."""

    __slots__ = ("_aborted", "_overdue", "_timeout")

    def __init__(self, server: web.Server, connections: Connections, timeout: float, **options: Any) -> None:
        super().__init__(server, connections, keepalive_timeout=timeout + _NEVER, **options)
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
        self._connections.lost(self)
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
        if isinstance(exc, ConnectionError):  # nobody is left to tell
            raise exc
        return super().handle_error(request, status, exc, message)
