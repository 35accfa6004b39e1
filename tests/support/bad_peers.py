"""Scriptable peers on loopback: real sockets that speak HTTP well, badly or not at all."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count

import pytest

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def peer(
    behaviour: Behaviour, host: str = "127.0.0.1", port: int = 0, listener: socket.socket | None = None
) -> AsyncIterator[int]:
    """The port of a peer that treats each connection so; a `listener` outlives it, for one that restarts."""
    serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving[task] = writer
        try:
            # Cancelled it ends like any other: Python 3.11's streams would log that they did not expect it.
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await behaviour(reader, writer)
        finally:
            del serving[task]
            writer.close()

    if listener is not None:
        server = await asyncio.start_server(handle, sock=listener.dup())
    else:
        server = await asyncio.start_server(handle, host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task, writer in serving.items():
            writer.transport.abort()
            task.cancel()
        if serving:
            await asyncio.wait(list(serving))


async def request(reader: asyncio.StreamReader) -> bytes:
    """One request's header."""
    return await reader.readuntil(b"\r\n\r\n")


def says(*pieces: bytes, pause: float = 0.0, then_close: bool = True) -> Behaviour:
    """Answers the first request of a connection with exactly these bytes."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            if pause:
                await asyncio.sleep(pause)
        if not then_close:
            await reader.read()

    return behave


def answers(body: bytes, status: str = "200 OK", **headers: str) -> Behaviour:
    """A good server: every request of a connection, with Content-Length; `Content_Type` is a header."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines, "", ""]).encode()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            writer.write(head + body)
            await writer.drain()

    return behave


def original(value: bytes | None) -> Behaviour:
    """The book's kubia-pet-peers on Node.js: 200, no content type, chunked, whatever it has."""
    data = b"No data posted yet" if value is None else value
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            writer.write(
                b"HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\n"
                b"Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
            )
            await writer.drain()

    return behave


async def hangs(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Accepts and says nothing."""
    await reader.read()
    await asyncio.Event().wait()


async def closes_at_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts and closes."""
    writer.close()


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes a request and answers with a reset."""
    await request(reader)
    writer.transport.abort()


async def resets_in_its_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Gives half an answer whose end only the connection's end would tell, then a reset."""
    await request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n\r\nhalf an ans")
    await asyncio.sleep(0.1)  # so that it is read before the reset drops it
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def endless(head: bytes, again: bytes) -> Behaviour:
    """`head` once, then `again` as fast as it is taken, for ever."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(head)
        for _ in count():
            writer.write(again)
            await writer.drain()

    return behave


ENDLESS = endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FLOODS = {
    "an endless body": ENDLESS,
    "endless interim answers": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000),
    "an endless line": endless(b"HTTP/1.1 200 ", b"O" * 65536),
    "endless headers": endless(b"HTTP/1.1 200 OK\r\n", b"X-Header: y\r\n" * 5000),
    "endless long headers": endless(b"HTTP/1.1 200 OK\r\n", b"X-Header: " + b"y" * 8000 + b"\r\n"),
    "endless small chunks": endless(CHUNKED, b"1\r\nx\r\n" * 10000),
    "an endless chunk extension": endless(CHUNKED + b"1;", b"x" * 65536),
    "endless trailers": endless(CHUNKED + b"0\r\n", b"X-Trailer: y\r\n" * 5000),
    "endless answers to one request": endless(b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx" * 1000),
    "endless empty lines": endless(b"", b"\r\n" * 30000),
}
ONE_BYTE_A_SECOND = says(b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n", *[b"x"] * 30, pause=1.0)


@contextlib.contextmanager
def refusing() -> Iterator[int]:
    """A port on which nobody listens, and that nobody else gets meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A port whose connections are never completed: a listener's queue that is full and never emptied."""
    with contextlib.ExitStack() as held:
        listener = held.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(64):
            waiting = held.enter_context(socket.socket())
            waiting.settimeout(0.1)
            try:
                waiting.connect(listener.getsockname())
            except TimeoutError:
                break
        else:
            pytest.skip("a listener's queue is never full on this system")
        yield listener.getsockname()[1]
