"""Bad clients in a process of their own: `python -m tests.hostile.clients.swarm URL KIND=COUNT...`.

Says "ready" when all of them are at work. Ends when its standard input does, and then says, as JSON, how many
of each kind the server closed, and after how long at most.
"""

import asyncio
import contextlib
import json
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Self

from tests.hostile.clients.raw_http import address_of

DRIP = 0.5  # seconds between two bytes
LARGEST = 1 << 20  # bytes of a value
Address = tuple[str, int]
Kind = Callable[["Swarm", Address], Awaitable[None]]


class Swarm:
    """Runs the clients, and remembers how each ended."""

    def __init__(self) -> None:
        self._at_work = asyncio.Semaphore(0)
        self.lives: dict[str, list[float]] = {}

    async def header(self, address: Address) -> None:
        """Drips a header that has no end."""
        await self._drip("header", address, b"GET /data HTTP/1.1\r\nHost: a\r\nX: ")

    async def body(self, address: Address) -> None:
        """Drips a body that has no end."""
        await self._drip("body", address, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")

    async def deaf(self, address: Address) -> None:
        """Asks for the value and does not read it."""
        client = socket.socket()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)  # its answer waits in the server
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)  # noqa: FBT003 - the socket's own signature
        await asyncio.get_running_loop().sock_connect(client, address)
        await asyncio.get_running_loop().sock_sendall(client, b"GET /data HTTP/1.1\r\nHost: a\r\n\r\n")
        self._at_work.release()
        await asyncio.Event().wait()

    async def watcher(self, address: Address) -> None:
        """Watches, and reads what it is told."""
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        began = time.monotonic()
        await reader.readuntil(b"event: state\n")
        self._at_work.release()
        while await reader.read(1 << 16):
            pass
        self.lives.setdefault("watcher", []).append(time.monotonic() - began)

    async def idle(self, address: Address) -> None:
        """Holds a connection open, and returns when it is closed."""
        await self._stay(address, b"")

    async def bodiless(self, address: Address) -> None:
        """Sends the head of a value, and no body; returns when it is closed."""
        await self._stay(address, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")

    async def stalled(self, address: Address) -> None:
        """Sends all but the last byte of the largest value; returns when it is closed."""
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % LARGEST
        await self._stay(address, head + bytes(LARGEST - 1))

    async def _stay(self, address: Address, sent: bytes) -> None:
        self._at_work.release()
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(*address)
                writer.write(sent)
                await reader.read()
                writer.close()
            await asyncio.sleep(DRIP)

    async def _drip(self, kind: str, address: Address, begun: bytes) -> None:
        reader, writer = await asyncio.open_connection(*address)
        began = time.monotonic()
        writer.write(begun)
        self._at_work.release()
        closed = asyncio.create_task(reader.read())
        while not (await asyncio.wait((closed,), timeout=DRIP))[0]:
            writer.write(b"x")
        closed.exception()  # a reset closes as well
        self.lives.setdefault(kind, []).append(time.monotonic() - began)
        writer.close()

    async def run(self, url: str, counts: dict[str, int]) -> None:
        """Runs so many clients of each kind until standard input ends."""
        kinds: dict[str, Callable[[Address], Awaitable[None]]] = {
            "header": self.header,
            "body": self.body,
            "deaf": self.deaf,
            "watcher": self.watcher,
            "idle": self.idle,
            "bodiless": self.bodiless,
            "stalled": self.stalled,
        }
        tasks = []
        for kind, count in counts.items():
            for _ in range(count):
                tasks.append(asyncio.ensure_future(kinds[kind](address_of(url))))
                await self._at_work.acquire()  # one after the other: none is lost from a full backlog
        print("ready", flush=True)  # noqa: T201 - its output is what it is for
        await asyncio.to_thread(sys.stdin.read)
        await asyncio.wait(tasks, timeout=0.5)  # what the server closed may not have been seen yet
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        ended = {kind: {"closed": len(lives), "longest": max(lives)} for kind, lives in self.lives.items()}
        print(json.dumps(ended), flush=True)  # noqa: T201


class SwarmProcess:
    """The swarm as a process, at work from entry to exit; `ended` is what it said."""

    def __init__(self, url: str, **counts: int) -> None:
        self._command = [sys.executable, "-m", "tests.hostile.clients.swarm", url]
        self._command += [f"{kind}={count}" for kind, count in counts.items()]
        self.ended: dict[str, dict[str, float]] = {}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout
        assert self._process.stdout.readline() == b"ready\n"
        return self

    def end(self) -> None:
        """Ends it, and waits for what it says."""
        if self._process.poll() is None:
            output, _ = self._process.communicate(timeout=20)
            self.ended = json.loads(output)

    def __exit__(self, *_: object) -> None:
        self.end()


def main(url: str, *kinds: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else max(soft, 8192), hard)
    )
    counts = dict(kind.split("=") for kind in kinds)
    asyncio.run(Swarm().run(url, {kind: int(count) for kind, count in counts.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
