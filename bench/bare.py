"""The limit for any answer in this language: a bare protocol that reads nothing and answers constant bytes.

`python -m bench.bare` prints its port and serves until it is killed.
"""

import asyncio

from bench import loop

VALUE = b"Hey there! This greeting is as long as greetings are, 64 bytes.\n"
# The header fields of a pod's answer, so that as many bytes are written.
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b'ETag: "0123456789abcdef0123456789abcdef"\r\nCache-Control: no-cache\r\n'
    b"X-Content-Type-Options: nosniff\r\nContent-Length: %d\r\n"
    b"Date: Mon, 23 Nov 2026 16:00:00 GMT\r\nServer: bare\r\n\r\n%s" % (len(VALUE), VALUE)
)


class Constant(asyncio.Protocol):
    """Answers each request, which must have no body, with the same bytes."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as documented
        """Keeps the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """One answer for each end of a header."""
        self._transport.write(ANSWER * data.count(b"\r\n\r\n"))


async def listen(servers: int) -> list[int]:
    """The ports of so many servers."""
    create = asyncio.get_running_loop().create_server
    started = [await create(Constant, "127.0.0.1", 0, backlog=1024) for _ in range(servers)]
    return [server.sockets[0].getsockname()[1] for server in started]


async def _serve() -> None:
    print(*await listen(1), flush=True)  # noqa: T201 - what the caller reads
    await asyncio.Event().wait()


if __name__ == "__main__":
    loop.run(_serve())
