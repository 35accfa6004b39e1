"""HTTP as bytes on a socket, for what no client library would send."""

import asyncio
import contextlib
import re
import socket
from urllib.parse import urlsplit

_STATUS_LINE = re.compile(rb"HTTP/\d\.\d (\d{3}) [ -~]*\r\n")


def address_of(url: str) -> tuple[str, int]:
    """The host and the port of a pod's URL."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


def request(method: str, path: str, *lines: str, body: bytes = b"", host: str = "pet") -> bytes:
    """A request, with a Content-Length only where `lines` has one; its connection is closed afterwards."""
    head = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *lines]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


async def exchange(url: str, *pieces: bytes, pause: float = 0.0, end: bool = False) -> bytes:
    """Sends `pieces`, `pause` seconds apart; all that the server said until it closed the connection.

    With `end` the client closes its half, after which the server owes it no more than the answers.
    """
    reader, writer = await asyncio.open_connection(*address_of(url))
    answer = asyncio.create_task(_all_of(reader))
    with contextlib.suppress(ConnectionError):  # closed as well, and less kindly
        for number, piece in enumerate(pieces):
            if number and pause:
                await asyncio.sleep(pause)
            writer.write(piece)
            await writer.drain()
        if end:
            writer.write_eof()
    try:
        return await answer
    finally:
        writer.transport.abort()


def deaf_client(url: str) -> socket.socket:
    """A client whose kernel takes next to nothing of an answer."""
    client = socket.socket()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(5)
    client.connect(address_of(url))
    return client


async def _all_of(reader: asyncio.StreamReader) -> bytes:
    answer = bytearray()
    with contextlib.suppress(ConnectionError):
        while some := await reader.read(1 << 16):
            answer += some
    return bytes(answer)


def statuses(answer: bytes) -> list[int]:
    """The status of each response in the answer."""
    return [int(each[1]) for each in _STATUS_LINE.finditer(answer)]


def header_of(answer: bytes, name: str) -> str | None:
    """A field of the last response's header."""
    head, _ = _last(answer)
    for line in head.decode("latin-1").split("\r\n"):
        key, _, value = line.partition(":")
        if key.lower() == name.lower():
            return value.strip()
    return None


def body_of(answer: bytes) -> bytes:
    """The last response's body."""
    return _last(answer)[1]


def _last(answer: bytes) -> tuple[bytes, bytes]:
    *_, last = _STATUS_LINE.finditer(answer)
    head, _, body = answer[last.end() :].partition(b"\r\n\r\n")
    return head, body
