"""One question to one peer, `GET /data`, over connections that are kept."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import httptools

from kubia_pet import __version__
from kubia_pet.discovery import Finding
from kubia_pet.waiting import Waiting

IDLE = 4.0  # seconds that an unused connection is kept: less than any server's, the original's 5 s included
MOST_IDLE = 512  # connections kept in all
# Bytes of an answer taken in one go, as 8 KiB of one-byte chunks need a millisecond; and of all that is
# no value in one answer.
PORTION = 8192
OVERHEAD = 1 << 16
_QUESTION = (
    b"GET /data HTTP/1.1\r\nHost: %b:%d\r\nUser-Agent: kubia-pet/"
    + __version__.encode()
    + b"\r\nAccept: */*\r\nAccept-Encoding: identity\r\n\r\n"
)


class FetchError(Exception):
    """Why a peer gave no answer: `finding` has a stable code and a sentence about the peer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.finding = Finding(code, message)


class ConnectError(FetchError):
    """No connection could be made: another address or port of the peer may take one."""


class _StaleError(Exception):
    """A kept connection was closed before a byte of the answer came."""


@dataclass
class Fetched:
    """A whole answer; the names of its header's fields are in lower case."""

    status: int
    header: dict[bytes, bytes]
    body: bytes


Judge = Callable[[int, Mapping[bytes, bytes]], None]


class Fetcher:
    """Asks for `/data`, at any address and port, and keeps one connection to each for the next question.

    `connect_timeout` is seconds, `limit` the most bytes of a body. `judge(status, header)` sees the head of
    an answer and raises FetchError where its body is not worth having. Nothing else is bounded in time:
    the caller has a deadline for the whole, and cancels.
    """

    def __init__(self, *, connect_timeout: float, limit: int, judge: Judge) -> None:
        self._connect_timeout = connect_timeout
        self._limit = limit
        self._judge = judge
        self._kept: dict[tuple[str, int], _Connection] = {}
        self._idle = Waiting(IDLE, self._drop)

    async def fetch(self, address: str, port: int) -> Fetched:
        """The answer. Raises FetchError.

        Where a kept connection turns out to be closed the question is asked once more, on a new one: a
        server may close an idle connection at any time, and GET is safe to repeat (RFC 9112 §9.3.1).
        """
        kept = self._kept.pop((address, port), None)
        self._idle.discard((address, port))
        if kept is not None and kept.reusable:
            with contextlib.suppress(_StaleError):
                return await self._ask(kept, address, port)
        return await self._ask(await self._connect(address, port), address, port)

    def close(self) -> None:
        """Closes the connections that are kept."""
        for endpoint in list(self._kept):
            self._idle.discard(endpoint)
            self._drop(endpoint)

    async def _connect(self, address: str, port: int) -> "_Connection":
        where = f"{address} port {port}"
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self._limit, self._judge), address, port
                )
        except TimeoutError as error:
            raise ConnectError("timeout", f"no connection within {self._connect_timeout:g} s") from error
        except ConnectionRefusedError as error:
            raise ConnectError("refused", f"{where} refuses connections") from error
        except OSError as error:
            raise ConnectError("unreachable", f"{where} cannot be reached ({error.strerror})") from error
        return connection

    async def _ask(self, connection: "_Connection", address: str, port: int) -> Fetched:
        host = f"[{address}]" if ":" in address else address
        try:
            fetched = await connection.ask(_QUESTION % (host.encode(), port))
        except BaseException:
            connection.end()
            raise
        if connection.reusable and (address, port) not in self._kept and len(self._kept) < MOST_IDLE:
            self._kept[address, port] = connection
            self._idle.add((address, port))
        else:
            connection.end()
        return fetched

    def _drop(self, endpoint: tuple[str, int]) -> None:
        self._kept.pop(endpoint).end()


class _Connection(asyncio.BufferedProtocol):
    """A connection to a peer, which is asked one question at a time."""

    def __init__(self, limit: int, judge: Judge) -> None:
        self.reusable = False
        self._limit = limit
        self._judge = judge
        self._used = self._stale = self._in_body = False
        self._parser = httptools.HttpResponseParser(self)
        self._buffer = memoryview(bytearray(PORTION))
        self._waiter: asyncio.Future[Fetched] | None = None
        self._transport: asyncio.Transport

    async def ask(self, question: bytes) -> Fetched:
        self._stale = self._used  # until a byte of the answer comes
        self._used, self.reusable = True, False
        self._header: dict[bytes, bytes] = {}
        self._in_body = self._complete = False
        self._body = bytearray()
        self._taken = 0
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(question)
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def end(self) -> None:
        self.reusable = False
        self._transport.abort()

    # --- what the transport tells ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the protocol's signature
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._waiter is None or self._waiter.done():
            self.end()  # words that nobody asked for: they must not pass for the next answer
            return
        self._stale = False
        self._taken += nbytes
        try:
            self._parser.feed_data(self._buffer[:nbytes])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(FetchError("garbled", "answered something that is not HTTP"))
        if self._complete:
            self._succeed()
        elif self._taken - len(self._body) > OVERHEAD + len(self._body):
            self._fail(FetchError("garbled", "answered with more framing than value"))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._stale:
            self._fail(_StaleError())
        elif (
            exc is None
            and self._in_body
            and not self._header.keys() & {b"content-length", b"transfer-encoding"}
        ):
            self._succeed()  # such a body ends with its connection (RFC 9112 §6.3)
        elif self._in_body:
            self._fail(FetchError("garbled", "broke off its answer"))
        else:
            self._fail(FetchError("closed", "closed the connection without an answer"))
        self.reusable = False

    # --- what the parser tells ---

    def on_message_begin(self) -> None:
        if self._complete:  # more than was asked for
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:  # a trailer is no header
            self._header[name.lower()] = value

    def on_headers_complete(self) -> None:
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
        if self._complete:
            return
        self._body += body
        self._bound(len(self._body))

    def on_message_complete(self) -> None:
        if self._in_body and not self._complete:
            self._complete = True
            self.reusable = self._parser.should_keep_alive()
        elif not self._in_body:
            self._header.clear()

    def _bound(self, size: int) -> None:
        if size > self._limit:
            self._fail(FetchError("too-much", f"sent more than {self._limit} bytes"))

    def _succeed(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(Fetched(self._parser.get_status_code(), self._header, bytes(self._body)))

    def _fail(self, error: Exception) -> None:
        self.reusable = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        self._transport.abort()
