"""The cluster's DNS: `python -m bench.names` prints its port, then answers for the pods it is told of.

Each line of its standard input is a JSON object, {pod: [address, port]}, that replaces all it knew; it
says when it has done so. It ends with its input.
"""

import asyncio
import json
import socket
import sys

import dns.message

from kubia_pet.local.dns_server import NameServer, Zone

SERVICE = "kubia.default.svc.cluster.local"
TTL = 30  # seconds, as kubeadm sets it; a pod asks again sooner


class KeptZone(Zone):
    """A zone that makes each answer once: with hundreds of pods that takes longer than what is measured."""

    def __init__(self, pods: dict[str, tuple[str, int]]) -> None:
        super().__init__(SERVICE, pods, TTL)
        self.kept: dict[str, dns.message.Message] = {}

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """The answer to this question, under this query's number."""
        question = str(query.question[0])
        if question not in self.kept:
            self.kept[question] = super().answer(query)
        self.kept[question].id = query.id
        return self.kept[question]


async def _serve() -> None:
    pods: dict[str, tuple[str, int]] = {}
    zone = KeptZone(pods)
    with socket.create_server(("127.0.0.1", 0)) as free:  # TCP is the one that load leaves few ports to
        port = free.getsockname()[1]
    async with NameServer(zone, "127.0.0.1", port):
        print(port, flush=True)  # noqa: T201 - what the caller reads
        while line := await asyncio.to_thread(sys.stdin.readline):
            told = {name: (address, number) for name, (address, number) in json.loads(line).items()}
            pods.clear()
            pods.update(told)
            zone.kept.clear()
            print(len(pods), flush=True)  # noqa: T201 - what the caller waits for


if __name__ == "__main__":
    asyncio.run(_serve())
