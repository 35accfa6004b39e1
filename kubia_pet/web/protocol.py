"""The protocol of one connection from a client: how long it may stall, and what makes room for it.

What it leans on in aiohttp beside what replay.py does; tests/api/test_protocol.py fails where that changes:

- `_messages` are the requests that wait for the present one, `_waiter` is undone while none is there, which
  is not before the connection's task has begun;
- `finish_response` sends an answer, and is called once for each, in order;
- `handle_error` gets what the parser refuses, as HttpProcessingError, and an Expect that cannot be repeated;
- what `eof_received` returns is asyncio's affair: True keeps the connection.
"""

import asyncio
import logging
from typing import Any

from aiohttp import web
from aiohttp.http import HttpProcessingError

from kubia_pet.metrics import Metrics
from kubia_pet.web.connections import Connections
from kubia_pet.web.problem import NOT_HTTP, SERVER, ProblemError
from kubia_pet.web.replay import Answers, ReplayingProtocol, is_large

# Seconds to aiohttp's own deadline for idle connections, which does not see replays: ours does.
_NEVER = 3.2e8
log = logging.getLogger(__name__)


class ProtocolFactory:
    """Makes the protocol of each new connection, and keeps their number within `cap`.

    At the cap another one makes room, so that all are let in: a probe ends before its turn comes, whoever
    only holds connections open loses them.
    """

    def __init__(
        self,
        server: web.Server,
        connections: Connections,
        metrics: Metrics,
        *,
        cap: int,
        timeout: float,
        **options: Any,
    ) -> None:
        self._server = server
        self._connections = connections
        self._metrics = metrics
        self._cap = cap
        self._timeout = timeout
        self._options = options
        self._answers = Answers()
        self._logged_at = float("-inf")

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a connection that was just accepted."""
        if len(self._connections) >= self._cap:
            self._log_evictions()
            self._metrics.evicted()
            candidate = self._connections.eviction_candidate()
            self._connections.lost(candidate)
            if isinstance(candidate, Connection):
                candidate.abort()
        connection = Connection(
            self._server,
            self._connections,
            self._answers,
            metrics=self._metrics,
            timeout=self._timeout,
            **self._options,
        )
        self._connections.add(connection)
        return connection

    def _log_evictions(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._logged_at >= 1:
            log.warning("Over %d connections: those that idle for longest make room", self._cap)
            self._logged_at = now


class Connection(ReplayingProtocol):
    """One connection, aborted where its client does not take an answer within `timeout` seconds."""

    __slots__ = ("_aborted", "_metrics", "_overdue", "_timeout", "_wire")

    def __init__(
        self,
        server: web.Server,
        connections: Connections,
        answers: Answers,
        *,
        metrics: Metrics,
        timeout: float,
        **options: Any,
    ) -> None:
        super().__init__(server, connections, answers, keepalive_timeout=_NEVER, **options)
        self._metrics = metrics
        self._timeout = timeout
        self._overdue: asyncio.TimerHandle | None = None
        self._aborted = False
        # Also while aiohttp, which closes it, knows none any more.
        self._wire: asyncio.Transport | None = None

    def abort(self) -> None:
        """Ends it at once, even before it was made."""
        self._aborted = True
        if self._wire is not None:
            self._wire.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tells of every byte that waits for the client, not only of many."""
        super().connection_made(transport)
        self._wire = self.transport
        if self._wire is not None:
            self._wire.set_write_buffer_limits(high=0)
        if self._aborted:
            self.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forgets it."""
        self._wire = None
        self._connections.lost(self)
        if self._overdue is not None:
            self._overdue.cancel()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override] # as asyncio has it; aiohttp never returns True
        """A client that sends no more gets its answers, but no endless one; then the connection is closed."""
        if self._owes_nothing() or self._connections.is_streaming(self):
            return False
        self._connections.half_close(self)
        if self.working is not None:
            self.working.add_done_callback(self._close_if_answered)
        else:  # aiohttp's task for it may not have begun, and so not have found that there is no request
            self._loop.call_soon(self._close_if_answered)
        return True

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Sends an answer; the last one to a client that sends no more ends the connection."""
        sent = await super().finish_response(request, resp, start_time)
        if isinstance(resp, web.Response) and is_large(resp.body):
            resp.body = None  # aiohttp keeps the last response of each connection
        if self._connections.is_half_closed(self) and not self._messages:
            self.close()
        return sent

    def _close_if_answered(self, _: asyncio.Future[Any] | None = None) -> None:
        if self.working is not None:
            self.working.add_done_callback(self._close_if_answered)
        elif self._owes_nothing():
            self.force_close()

    def _owes_nothing(self) -> bool:
        """Whether all requests that have come are answered."""
        return self.working is None and self._waiter is not None and not self._waiter.done()

    def pause_writing(self) -> None:
        """Bytes wait for the client."""
        super().pause_writing()
        if self.transport is not None:
            self._overdue = asyncio.get_running_loop().call_later(self._timeout, self._cut)

    def _cut(self) -> None:
        self._metrics.cut()
        self.abort()

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
            self._metrics.refused("not-http")
            return _signed(ProblemError(400, NOT_HTTP, close=True).response(request))
        if isinstance(exc, ConnectionError):  # nobody is left to tell
            raise exc
        return _signed(super().handle_error(request, status, exc, message))


def _signed(response: web.StreamResponse) -> web.StreamResponse:
    """Answers that no application gives have no signals."""
    response.headers["Server"] = SERVER
    return response
