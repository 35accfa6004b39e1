"""The limits for any program in this language: a bare protocol of constant answers, and a bare commit.

`python -m bench.baseline` prints its port and serves until it is killed. It reads nothing of its requests,
which must have no body; with `--commit DIRECTORY` it takes bodies, and commits each there before it answers,
in the event loop, or with `--thread` in a thread, so that others are served meanwhile.
"""

import asyncio
import os
import re
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.support.constant import Constant

VALUE = b"Hey there! This greeting is as long as greetings are, 64 bytes.\n"
# The header fields of a pod's answer, so that as many bytes are written.
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b'ETag: "0123456789abcdef0123456789abcdef"\r\nCache-Control: no-cache\r\n'
    b"X-Content-Type-Options: nosniff\r\nContent-Length: %d\r\n"
    b"Date: Mon, 23 Nov 2026 16:00:00 GMT\r\nServer: bare\r\n\r\n%s" % (len(VALUE), VALUE)
)
_NAME, _TEMPORARY = "bare.txt", "bare.tmp"


def commits(directory: Path, size: int, seconds: float) -> list[float]:
    """How long each bare commit of `size` bytes took, in ms, one after the other for so many seconds."""
    data, taken = os.urandom(size), []
    where = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    until = time.perf_counter() + seconds
    try:
        while (began := time.perf_counter()) < until:
            _commit(where, data)
            taken.append((time.perf_counter() - began) * 1000)
    finally:
        os.unlink(_NAME, dir_fd=where)
        os.close(where)
    return taken


def _commit(where: int, data: bytes) -> None:
    """Replaces the file in the open directory `where`: write, fsync, rename, fsync of the directory."""
    file = os.open(_TEMPORARY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=where)
    os.write(file, data)
    os.fsync(file)
    os.close(file)
    os.rename(_TEMPORARY, _NAME, src_dir_fd=where, dst_dir_fd=where)
    os.fsync(where)


class Committing(Constant):
    """Answers each request when its body is committed in `directory`; without a thread it holds the loop."""

    def __init__(self, directory: int, thread: Executor | None = None) -> None:
        super().__init__(ANSWER)
        self._directory = directory
        self._thread = thread
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
            body = b"".join(self._pieces)
            self._pieces.clear()
            if self._thread is None:
                _commit(self._directory, body)
                self.transport.write(ANSWER)
            else:
                committing = asyncio.get_running_loop().run_in_executor(
                    self._thread, _commit, self._directory, body
                )
                committing.add_done_callback(self._committed)

    def _committed(self, committing: asyncio.Future[None]) -> None:
        committing.result()
        if not self.transport.is_closing():
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
        thread = ThreadPoolExecutor(1) if "--thread" in sys.argv else None
        _run(partial(Committing, os.open(sys.argv[2], os.O_RDONLY | os.O_DIRECTORY), thread))
    else:
        _run(partial(Constant, ANSWER))
