"""One request to one peer, and its response, over a connection that can be used again."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import cast

import httptools

from kubia_pet.limits import MAX_PEER_OVERHEAD_BYTES, MAX_REPEATED_BYTES, PEER_READ_BUFFER_BYTES
from kubia_pet.model.diagnostic import Diagnostic, ErrorCode


class FetchError(Exception):
    """Why a peer gave no answer: `diagnostic` has a stable code and a sentence about the peer."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(code, message)


class ConnectError(FetchError):
    """No connection could be made: another address or port of the peer may take one."""


def no_answer_within(seconds: float) -> FetchError:
    """The error of who took longer."""
    return FetchError(ErrorCode.TIMEOUT, f"no answer within {seconds:g} s")


@dataclass
class Response:
    """A whole response; the names of its header's fields are in lower case."""

    status: int
    body: bytes
    header: Mapping[bytes, bytes] = field(default_factory=dict)


Judge = Callable[[int, Mapping[bytes, bytes]], None]


def only_ok(status: int, _: Mapping[bytes, bytes]) -> None:
    """A Judge: raises FetchError unless the status is 200."""
    if status != HTTPStatus.OK:
        raise FetchError(ErrorCode.STATUS, f"answered {status}")


class PeerConnection(asyncio.BufferedProtocol):
    """A connection to a peer, with one request at a time.

    `limit` is the most bytes of a body. `judge(status, header)` sees the head of a response and raises
    FetchError where its body is not worth having. A response with the bytes of the one before is that one
    again, and is not parsed.
    """

    def __init__(self, limit: int, judge: Judge) -> None:
        self.reusable = False
        self._limit = limit
        self._judge = judge
        self._in_body = False
        self._parser = httptools.HttpResponseParser(self)
        self._buffer = memoryview(bytearray(PEER_READ_BUFFER_BYTES))
        self._last: tuple[bytes, Response] | None = None  # that came in one piece, and how it was read
        self._response: asyncio.Future[Response] | None = None
        self._retry: Callable[[], None] | None = None
        self._transport: asyncio.Transport

    def send(
        self, request: bytes, response: asyncio.Future[Response], retry: Callable[[], None] | None
    ) -> None:
        """Sends the request; `response` gets what comes, a whole response or a FetchError.

        If the connection is closed before a byte of it came, `retry()` is called instead, where there is one.
        """
        self._response, self._retry = response, retry
        self.reusable = False
        self._header: dict[bytes, bytes] = {}
        self._in_body = self._complete = False
        self._body = bytearray()
        self._taken = 0
        self._transport.write(request)

    def close(self) -> None:
        """Closes it; there will be no response any more."""
        self.reusable = False
        self._transport.abort()

    # --- what the transport tells ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It can be used."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)  # each request leaves before the next one is made

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the protocol's signature
        """Where the next bytes go."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes of a response came, or some that nobody asked for."""
        if self._response is None or self._response.done():
            self.close()  # nobody asked for them: they must not pass for the next response
            return
        self._retry = None
        data = bytes(self._buffer[:nbytes])
        if not self._taken and self._last is not None and self._last[0] == data:
            self.reusable = True
            self._answer(self._last[1])
            return
        self._taken += nbytes
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(FetchError(ErrorCode.GARBLED, "answered something that is not HTTP"))
        if self._complete:
            response = self._succeed()
            is_whole = self._taken == nbytes <= MAX_REPEATED_BYTES and self.reusable
            self._last = (data, response) if is_whole else None
        elif self._taken - len(self._body) > MAX_PEER_OVERHEAD_BYTES + len(self._body):
            self._fail(FetchError(ErrorCode.GARBLED, "answered with more framing than value"))

    def connection_lost(self, exc: Exception | None) -> None:
        """It was closed, by the peer, the network or `close`."""
        retry, self._retry = self._retry, None
        if retry is not None and self._response is not None and not self._response.done():
            retry()
        elif (
            exc is None
            and self._in_body
            and not self._header.keys() & {b"content-length", b"transfer-encoding"}
        ):
            self._succeed()  # such a body ends with its connection (RFC 9112 §6.3)
        elif self._in_body:
            self._fail(FetchError(ErrorCode.GARBLED, "broke off its answer"))
        else:
            self._fail(FetchError(ErrorCode.CLOSED, "closed the connection without an answer"))
        self.reusable = False

    # --- what the parser tells ---

    def on_message_begin(self) -> None:
        """A response begins; a second one is not for us."""
        if self._complete:  # more than was asked for
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field, of the header or of a trailer."""
        if not self._in_body:  # a trailer is no header
            self._header[name.lower()] = value

    def on_headers_complete(self) -> None:
        """The head is whole, an interim one or the last."""
        status = self._parser.get_status_code()
        if self._complete:
            return
        if status == 101 or status >= 200:  # noqa: PLR2004 - others are interim answers
            self._in_body = True
            try:
                self._judge(status, self._header)
            except FetchError as error:
                self._fail(error)
            self._bound(int(self._header.get(b"content-length", b"0")))

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self._complete:
            return
        self._body += body
        self._bound(len(self._body))

    def on_message_complete(self) -> None:
        """A response is whole."""
        if self._in_body and not self._complete:
            self._complete = True
            self.reusable = self._parser.should_keep_alive()
        elif not self._in_body:
            self._header.clear()

    def _bound(self, size: int) -> None:
        if size > self._limit:
            self._fail(FetchError(ErrorCode.TOO_MUCH, f"sent more than {self._limit} bytes"))

    def _succeed(self) -> Response:
        response = Response(self._parser.get_status_code(), bytes(self._body), self._header)
        self._answer(response)
        self._body = bytearray()  # it may be kept for long
        return response

    def _answer(self, response: Response) -> None:
        waiting, self._response = self._response, None
        if waiting is not None and not waiting.done():
            waiting.set_result(response)

    def _fail(self, error: Exception) -> None:
        self.reusable = False
        response, self._response = self._response, None
        if response is not None and not response.done():
            response.set_exception(error)
        self._transport.abort()
