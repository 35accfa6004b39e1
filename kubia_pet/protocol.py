"""The protocol of one connection from a client: how long it may stall, and what it need not read again."""

import asyncio
import logging
from functools import partial
from typing import Any

from aiohttp import web
from aiohttp.http import HttpProcessingError

from kubia_pet.connections import Connections
from kubia_pet.problem import ProblemError
from kubia_pet.repeat import SMALL, Repeat

NOT_HTTP = "This is no request as HTTP/1.1 has it."
_NEVER = 3600.0  # seconds by which aiohttp's own deadline for idle connections comes after ours
log = logging.getLogger(__name__)


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

    A request whose bytes are those of the one before it means the same. While its answer is the same too, it
    is given again: nothing is parsed, dispatched or rendered, which is most of what a small answer costs.
    All else goes through aiohttp, and so does whatever comes before the last request was answered.
    """

    __slots__ = (
        "_aborted", "_connections", "_failure", "_looking", "_overdue", "_repeat", "_request", "_rests",
        "_timeout",
    )  # fmt: skip

    def __init__(self, server: web.Server, connections: Connections, timeout: float, **options: Any) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(server, loop=loop, keepalive_timeout=timeout + _NEVER, **options)
        self._connections = connections
        self._timeout = timeout
        self._overdue: asyncio.TimerHandle | None = None
        self._aborted = False
        self._rests = True  # aiohttp was given nothing that it has not handled
        self._request = b""  # what it was given when it rested; nothing where more came, or it is long
        self._repeat: Repeat | None = None
        self._looking: asyncio.Future[object] | None = None  # for the answer to a repeated request
        self._failure: BaseException | None = None  # of that look

    def abort(self) -> None:
        """Ends it at once, even before it was made."""
        self._aborted = True
        if self.transport is not None:
            self.transport.abort()

    def handled(self, body: int, repeat: Repeat | None) -> None:
        """A request was, with a body of so many bytes; `repeat` can answer it again."""
        if self._request.find(b"\r\n\r\n") + 4 + body == len(self._request):  # it was all that had come
            self._rests = True
            self._repeat = repeat

    def raise_failure(self) -> None:
        """Raises, once, what the look for a repeated request came to before aiohttp was given it."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def data_received(self, data: bytes) -> None:
        """Answers a request again, or gives it to aiohttp."""
        if self._looking is not None:
            self._read_after_all()
        repeat = self._repeat
        # Overdue: a client that does not take its answers gets no further ones that nobody waits for.
        if repeat is None or data != self._request or self._overdue is not None or not repeat.may_hold():
            self._read(data)
        else:
            self._connections.begin(self)
            self._looking = repeat.look()
            self._looking.add_done_callback(partial(self._looked, repeat, self._loop.time()))

    def _looked(self, repeat: Repeat, began: float, looking: asyncio.Future[object]) -> None:
        if looking is not self._looking:
            return
        if looking.cancelled():  # the program is ending
            self.abort()
        elif (failure := looking.exception()) is not None:
            self._read_after_all(failure)
        elif (answer := repeat.answer(looking.result())) is None or self.transport is None:
            self._read_after_all()
        else:
            self._looking = None
            self.transport.write(answer)
            self._connections.end(self)
            repeat.count(self._loop.time() - began)

    def _read_after_all(self, failure: BaseException | None = None) -> None:
        self._forget_look()
        self._failure = failure
        self._read(self._request)

    def _read(self, data: bytes) -> None:
        if data:  # without any aiohttp calls itself, to parse what it had held back
            self._request = data if self._rests and len(data) <= SMALL else b""
            self._rests = False
            self._repeat = None
        super().data_received(data)

    def _forget_look(self) -> None:
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tells of every byte that waits for the client, not only of many."""
        super().connection_made(transport)
        if self.transport is not None:
            self.transport.set_write_buffer_limits(high=0)
        if self._aborted:
            self.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forgets it."""
        self._forget_look()
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
