"""A process of its own with a name server and many peers, so that a test's event loop has only its own work.

`python -m tests.hostile.peers.crowd NUMBER KIND [additional] [apart]` prints both ports and serves until its
standard input ends. One socket serves all peers; `apart` gives each an address of its own, where the loopback
device has more than one, as on Linux: then no two share a connection. kubia-0 is then left to the test: a pod
would take the port that its own record names for a wrong one of all.
"""

import asyncio
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import dns.message

from tests.support.bad_peers import FLOODS, answers, closes_at_once, peer
from tests.support.constant import Constant
from tests.support.dns_server import NameServer, Zone, wire_of

VALUE = b"Hey there! This greeting is of some length, so that a line looks like a line."
_GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s"

KINDS = FLOODS | {
    "closing": closes_at_once,
    "nearly endless": answers(b"x" * 2**20),
}


@asynccontextmanager
async def peers(kind: str, host: str) -> AsyncIterator[int]:
    """The port on which all of them are served; good ones cost little, so that who asks them is measured."""
    if kind in KINDS:
        async with peer(KINDS[kind], host) as port:
            yield port
        return
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Constant(_GOOD % (len(VALUE), VALUE)), host, 0, backlog=1024)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def serve(number: int, kind: str, *, additional: bool, apart: bool) -> None:
    """Serves until the standard input ends."""
    apart = apart and sys.platform == "linux"
    async with peers(kind, "0.0.0.0" if apart else "127.0.0.1") as port:
        zone = Zone(additional=additional)
        for ordinal in range(apart, number):
            zone.add(f"kubia-{ordinal}", port, _address(ordinal) if apart else "127.0.0.1")
        kept: dict[tuple[str, str, int], bytes] = {}  # with many peers an answer takes long to make

        def answer(query: dns.message.Message, via: str) -> bytes:
            key = (query.question[0].to_text().lower(), via, query.payload)
            if key not in kept:
                kept[key] = wire_of(zone(query, via), query, via)
            return struct.pack("!H", query.id) + kept[key][2:]

        for name in zone.names:
            for via in ("udp", "tcp"):
                answer(dns.message.make_query(name, "SRV", use_edns=True), via)
        with NameServer(answer) as names:
            sys.stdout.write(f"{port} {names.address[1]}\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.read)


@contextmanager
def crowd(
    number: int, kind: str = "good", *, additional: bool = True, apart: bool = False
) -> Iterator[tuple[int, int]]:
    """The peers' port and the name server's."""
    command = [sys.executable, "-m", "tests.hostile.peers.crowd", str(number), kind]
    command += ["additional"] * additional + ["apart"] * apart
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port, names = process.stdout.readline().split()
        yield int(port), int(names)
        process.communicate("")


def _address(ordinal: int) -> str:
    return f"127.1.{ordinal // 250}.{ordinal % 250 + 1}"


if __name__ == "__main__":
    asyncio.run(
        serve(int(sys.argv[1]), sys.argv[2], additional="additional" in sys.argv, apart="apart" in sys.argv)
    )
