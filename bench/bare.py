"""The limit for any answer in this language: a bare protocol that answers constant bytes.

`python -m bench.bare` prints its port and serves until it is killed. It reads nothing of its requests, which
must have no body; with `--commit DIRECTORY` it takes bodies, and commits each there before it answers.
"""

import asyncio
import os
import re
import sys
from collections.abc import Callable
from functools import partial

from bench.commit import commit
from tests.support.constant import Constant

VALUE = b"Hey there! This greeting is as long as greetings are, 64 bytes.\n"
# The header fields of a pod's answer, so that as many bytes are written.
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b'ETag: "0123456789abcdef0123456789abcdef"\r\nCache-Control: no-cache\r\n'
    b"X-Content-Type-Options: nosniff\r\nContent-Length: %d\r\n"
    b"Date: Mon, 23 Nov 2026 16:00:00 GMT\r\nServer: bare\r\n\r\n%s" % (len(VALUE), VALUE)
)


class Committing(Constant):
    """Answers each request when its body is committed in `directory`; holds the loop meanwhile."""

    def __init__(self, directory: int) -> None:
        super().__init__(ANSWER)
        self._directory = directory
        self._pieces: list[bytes] = []
        self._missing = 0

    def data_received(self, data: bytes) -> None:
        """A head with its Content-Length and what follows, or more of the body."""
        if not self._pieces:
            head, _, data = data.partition(b"\r\n\r\n")
            self._missing = int(re.findall(rb"(?i)\r\ncontent-length: *(\d+)", head)[0])
        self._pieces.append(data)
        self._missing -= len(data)
        if not self._missing:
            commit(self._directory, b"".join(self._pieces))
            self._pieces.clear()
            self.transport.write(ANSWER)


async def _serve(protocol: Callable[[], asyncio.Protocol]) -> None:
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - what the caller reads
    await server.serve_forever()


def _run(protocol: Callable[[], asyncio.Protocol]) -> None:
    try:
        import uvloop  # noqa: PLC0415 - an extra, as for a pod
    except ImportError:
        asyncio.run(_serve(protocol))
    else:
        uvloop.run(_serve(protocol))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--commit"]:
        _run(partial(Committing, os.open(sys.argv[2], os.O_RDONLY | os.O_DIRECTORY)))
    else:
        _run(partial(Constant, ANSWER))
