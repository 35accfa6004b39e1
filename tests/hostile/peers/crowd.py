"""A process of its own with a name server and many peers, so that a test's event loop has only its own work.

`python -m tests.hostile.peers.crowd NUMBER KIND [additional]` prints both ports and serves until its
standard input ends. One socket serves all peers.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import dns.message

from tests.support.bad_peers import FLOODS, answers, closes_at_once, peer
from tests.support.dns_server import NameServer, Zone, canned

VALUE = b"Hey there! This greeting is of some length, so that a line looks like a line."


KINDS = FLOODS | {
    "good": answers(VALUE, Content_Type="text/plain; charset=utf-8"),
    "closing": closes_at_once,
    "nearly endless": answers(b"x" * 2**20),
}


async def serve(number: int, kind: str, *, additional: bool) -> None:
    """Serves until the standard input ends."""
    async with peer(KINDS[kind]) as port:
        zone = Zone(additional=additional)
        for ordinal in range(number):
            zone.add(f"kubia-{ordinal}", port)
        queries = [dns.message.make_query(name, "SRV", use_edns=True) for name in zone.names]
        whole = {query.question[0].name: canned(zone(query, "tcp")) for query in queries}
        with NameServer(
            lambda query, via: (zone if via == "udp" else whole[query.question[0].name])(query, via)
        ) as names:
            sys.stdout.write(f"{port} {names.address[1]}\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.read)


@contextmanager
def crowd(number: int, kind: str = "good", *, additional: bool = True) -> Iterator[tuple[int, int]]:
    """The peers' port and the name server's."""
    command = [sys.executable, "-m", "tests.hostile.peers.crowd", str(number), kind]
    command += ["additional"] * additional
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port, names = process.stdout.readline().split()
        yield int(port), int(names)
        process.communicate("")


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], additional="additional" in sys.argv))
