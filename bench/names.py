"""The cluster's DNS: `python -m bench.names` prints its port, then answers for the pods it is told of.

Each line of its standard input is a JSON object, {pod: [address, port]}, that replaces all it knew; it
says when it has done so. It ends with its input.
"""

import asyncio
import json
import sys

from kubia_pet.discovery.nameserver import NameServer, Zone

SERVICE = "kubia.default.svc.cluster.local"
TTL = 30  # seconds, as kubeadm sets it; a pod asks again sooner


async def _serve() -> None:
    pods: dict[str, tuple[str, int]] = {}
    async with NameServer(Zone(SERVICE, pods, ttl=TTL), "127.0.0.1", 0) as (_, port):
        print(port, flush=True)  # noqa: T201 - what the caller reads
        while line := await asyncio.to_thread(sys.stdin.readline):
            told = {name: (address, number) for name, (address, number) in json.loads(line).items()}
            pods.clear()
            pods.update(told)
            print(len(pods), flush=True)  # noqa: T201 - what the caller waits for


if __name__ == "__main__":
    asyncio.run(_serve())
