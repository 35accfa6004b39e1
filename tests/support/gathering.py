"""A pod's view of peers on loopback: the real cluster over the real discovery, in the test's own loop."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from kubia_pet.discovery import Discovered, Discovery, Resolver
from kubia_pet.peers.gather import Cluster
from kubia_pet.peers.result import PeerResult
from tests.support.dns_server import SERVICE, NameServer, Zone

OWN_PORT = 8080  # what this pod, kubia-0, says it listens on: nobody does
MIB = 2**20
Ports = Mapping[str, int | tuple[int, Sequence[str]]]  # host: port, or port and addresses


async def is_ready() -> bool:
    return True


@dataclass
class Outcomes:
    """An observer that keeps what it is told."""

    seen: list[str] = field(default_factory=list)

    def looked_up(self, _: float, __: int, *, ok: bool) -> None:
        self.seen.append("dns" if ok else "no dns")

    def asked(self, outcome: str, number: int) -> None:
        self.seen += [outcome] * number


@dataclass
class View:
    """What kubia-0 sees."""

    cluster: Cluster
    zone: Zone
    names: NameServer
    outcomes: Outcomes
    took: float = 0.0  # seconds of the last gathering
    discovered: Discovered | None = None  # by it

    async def answers(self) -> dict[str, PeerResult]:
        """A gathering's answers by host name, in their order."""
        began = time.perf_counter()
        async with self.cluster.gathering(asyncio.sleep(0)) as newest:
            gathered = newest()
        self.took = time.perf_counter() - began
        self.discovered = gathered.discovered
        return {answer.peer.name.partition(".")[0]: answer for answer in gathered.answers}

    async def labels(self) -> dict[str, str]:
        """By host name the value's text, or the error's code in parentheses; without this pod's."""
        answers = await self.answers()
        return {host: label_of(answer) for host, answer in answers.items() if not answer.peer.is_self}

    def place(self, ports: Ports) -> None:
        """Changes where DNS says that these peers are."""
        for host, where in ports.items():
            port, addresses = where if isinstance(where, tuple) else (where, ("127.0.0.1",))
            self.zone.add(host, port, *addresses)


def label_of(answer: PeerResult) -> str:
    if answer.error:
        return f"({answer.error.code})"
    return "None" if answer.value is None else answer.value.data.decode(errors="backslashreplace")


@contextlib.asynccontextmanager
async def view_of(
    ports: Ports,
    *,
    connecting: float = 0.3,
    each: float = 0.6,
    together: float = 2.0,
    limit: int = MIB,
    limit_together: int = 16 * MIB,
    max_age: float = 0,
) -> AsyncIterator[View]:
    """kubia-0's view of these peers; deadlines in seconds, limits in bytes. DNS is asked each time unless
    `max_age` is given."""
    zone = Zone()
    zone.add("kubia-0", OWN_PORT)
    outcomes = Outcomes()
    with NameServer(zone) as names:
        lookup = Resolver(SERVICE, nameserver=names.address, timeout=3.0)  # it is slow: Python
        discovery = Discovery(
            lookup, pod="kubia-0", port=OWN_PORT, max_age=max_age, observer=outcomes, ready=is_ready
        )
        async with Cluster(
            discovery,
            connect_timeout=connecting,
            peer_timeout=each,
            gather_timeout=together,
            peer_limit=limit,
            gather_limit=limit_together,
            observer=outcomes,
            on_response=lambda *_: None,
        ) as cluster:
            view = View(cluster, zone, names, outcomes)
            view.place(ports)
            yield view
