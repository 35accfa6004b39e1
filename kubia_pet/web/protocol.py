"""The protocol of one connection from a client: how long it may stall, and what it need not read again."""

import asyncio
import logging
import time
from functools import partial
from typing import Any

from aiohttp import web
from aiohttp.http import HttpProcessingError

from kubia_pet.limits import MAX_REPLAY_BYTES
from kubia_pet.web.connections import Connections
from kubia_pet.web.problem import ProblemError
from kubia_pet.web.replay import Replay

NOT_HTTP = "This is no request as HTTP/1.1 has it."
_BLANK = b"\r\n\r\n"  # ends a head
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
        self._said = float("-inf")

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a connection that was just accepted."""
        if len(self._connections) >= self._cap:
            self._say()
            first = self._connections.eviction_candidate()
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

    A request whose head has the bytes of the one before it, and as many of them after it, means the same,
    with a body of its own. While its answer is the same too, it is given again: nothing is parsed, dispatched
    or rendered, which is most of what a small answer costs. All else goes through aiohttp.
    """

    __slots__ = (
        "_aborted", "_connections", "_doing", "_failure", "_head", "_held", "_overdue", "_repeat", "_rests",
        "_size", "_timeout",
    )  # fmt: skip

    def __init__(self, server: web.Server, connections: Connections, timeout: float, **options: Any) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(server, loop=loop, keepalive_timeout=timeout + _NEVER, **options)
        self._connections = connections
        self._timeout = timeout
        self._overdue: asyncio.TimerHandle | None = None
        self._aborted = False
        self._rests = True  # aiohttp was given nothing that it has not handled
        self._head = b""  # the begin of what it was given since; the head of the last request while it rests
        self._size = 0  # of all that it was given since
        self._repeat: Replay | None = None
        self._doing: asyncio.Future[object] | None = None  # what a repeated request asks for
        self._held = b""  # what came meanwhile
        self._failure: BaseException | None = None  # of what a repeated request asked for

    def abort(self) -> None:
        """Ends it at once, even before it was made."""
        self._aborted = True
        if self.transport is not None:
            self.transport.abort()

    def handled(self, body: int | None, repeat: Replay | None) -> None:
        """A request was, with a body of so many bytes if that is known; `repeat` can answer it again."""
        head, end, _ = self._head.partition(_BLANK)
        if end and body is not None and len(head + end) + body == self._size:  # all that has come
            self._rests = True
            self._head = head + end
            self._repeat = repeat if self._size <= MAX_REPLAY_BYTES else None

    def raise_failure(self) -> None:
        """Raises, once, what a repeated request came to before aiohttp was given it."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def data_received(self, data: bytes) -> None:
        """Answers a request again, or gives it to aiohttp; holds what comes before the answer."""
        repeat = self._repeat
        if self._doing is not None:
            self._held += data
            if self.transport is not None:
                self.transport.pause_reading()
        elif (
            repeat is None
            or len(data) != self._size
            or not data.startswith(self._head)
            # A client that does not take its answers gets no further ones that nobody waits for.
            or self._overdue is not None
            or not repeat.may_hold()
        ):
            self._read(data)
        else:
            self._do_again(repeat, data)

    def _do_again(self, repeat: Replay, data: bytes) -> None:
        """Finds the outcome at once if that can be, and answers before anything else happens.

        Only while this client is alone: many who ask at the same time share more, and cost less.
        """
        began = time.monotonic()
        outcome = repeat.at_once() if self._connections.is_alone(self) else None
        if outcome is None:
            self._connections.begin(self)
            self._doing = repeat.do(data[len(self._head) :])
            self._doing.add_done_callback(partial(self._did, repeat, data, began))
        else:
            self._tell(repeat, data, began, outcome)

    def _did(self, repeat: Replay, data: bytes, began: float, doing: asyncio.Future[object]) -> None:
        self._doing = None
        if doing.cancelled():  # the client is gone, or the program is ending
            self.abort()
            return
        if self.transport is None:
            return
        self._failure = doing.exception()
        if self._failure is not None:
            self._read(data)
        else:
            self._tell(repeat, data, began, doing.result())
        held, self._held = self._held, b""
        if held:
            self.transport.resume_reading()
            self.data_received(held)

    def _tell(self, repeat: Replay, data: bytes, began: float, outcome: object) -> None:
        answer = repeat.answer(outcome)
        if answer is None:  # another one is due
            self._read(data)
        elif self.transport is not None:
            self.transport.write(answer)
            self._connections.end(self)
            repeat.count(time.monotonic() - began)

    def _read(self, data: bytes) -> None:
        if data:  # without any aiohttp calls itself, to parse what it had held back
            if self._rests:
                self._head, self._size = b"", 0
                self._rests, self._repeat = False, None
            self._head += data[: MAX_REPLAY_BYTES - len(self._head)]
            self._size += len(data)
        super().data_received(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tells of every byte that waits for the client, not only of many."""
        super().connection_made(transport)
        if self.transport is not None:
            self.transport.set_write_buffer_limits(high=0)
        if self._aborted:
            self.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forgets it."""
        if self._doing is not None:
            self._doing.cancel()
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
