"""From inside the cluster: the headless service's SRV records name the pods."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

import aiohttp

from kubia_pet.aio.parallel import in_parallel
from kubia_pet.client.errors import AskError, NotReachedError
from kubia_pet.client.pod import PodClient
from kubia_pet.client.sessions import one_connection, session
from kubia_pet.discovery import Resolver, service_of
from kubia_pet.discovery.answer import Answer, ResolutionFailedError
from kubia_pet.discovery.records import Record
from kubia_pet.discovery.rotation import Rotation
from kubia_pet.limits import ASK_CONCURRENCY, ASK_TIMEOUT
from kubia_pet.reach.patience import patiently
from kubia_pet.reach.target import Target, host_name, in_order
from kubia_pet.reach.way import UnreachableError, Way, WrongUseError

_NOT_SAID = (
    "Say which set: a URL, --namespace for one that kubectl reaches, or, inside the cluster, "
    "--service with the name of its headless service."
)


@asynccontextmanager
async def by_dns(way: Way) -> AsyncIterator[Target]:
    """The set whose headless service is given, or is that of the pod in which this runs."""
    own_host = socket.gethostname()
    service = way.service or service_of(own_host)
    async with session(token=way.token) as kept, session(token=way.token, keep=False) as fresh:
        if service is None:
            yield await _alone(kept, own_host, way)
            return
        unseen: dict[str, str] = {}
        found, records = "", tuple[Record, ...]()
        lookup = Resolver(service, nameserver=way.nameserver, timeout=ASK_TIMEOUT)
        try:
            answer = await patiently(
                partial(_newest, lookup, Rotation()),
                lambda answer: len(_pods(answer.records, answer.service)) >= (way.replicas or 0),
            )
            found, records = answer.service, answer.records
        except ResolutionFailedError as error:
            unseen["pods"] = str(error)
        pods = await in_parallel(_pods(records, found), partial(_client, kept, way), limit=ASK_CONCURRENCY)
        if not pods:
            unseen.setdefault("pods", f"DNS names no pod of {service}")
            with suppress(UnreachableError):
                pods = [*(await _alone(kept, own_host, way)).pods]
        service = (found or service).rstrip(".")
        public = await _public(fresh, service, way)
        if public is None:
            unseen["public"] = "no public service is known here: name it with --public"
        yield Target(
            where=f"inside, {service}",
            pods=in_order(pods),
            public=public,
            connect=partial(one_connection, public.url, way.token) if public else None,
            service=service,
            asks_dns=True,
            nameserver=way.nameserver,
            port=way.port,
            replicas=way.replicas,
            unseen=unseen,
        )


async def _newest(lookup: Resolver, rotation: Rotation) -> Answer:
    *_, answer = await asyncio.to_thread(lookup.run, *rotation.ways())
    return answer


async def _alone(kept: aiohttp.ClientSession, own_host: str, way: Way) -> Target:
    """The pod in which this runs, where it runs in one: a pet on this machine under another name is none."""
    pod = PodClient(kept, f"http://localhost:{way.port}/", name=own_host)
    try:
        said = await pod.peers()
    except AskError:
        raise WrongUseError(_NOT_SAID) from None
    if said.get("pod") != own_host:
        raise WrongUseError(_NOT_SAID)
    reason = f"{pod.name} has no full name, so that its peers are not known"
    unseen = dict.fromkeys(("dns", "public"), reason)
    return Target(where=f"inside {pod.name}", pods=(pod,), unseen=unseen)


def _pods(records: Sequence[Record], service: str) -> list[Record]:
    """One record for each pod; the service's own name, where it has an address, leads to any of them."""
    targets = {record.target.lower(): record for record in records}
    targets.pop(service.lower(), None)
    return list(targets.values())


async def _client(kept: aiohttp.ClientSession, way: Way, record: Record) -> PodClient:
    """At the record's port, or at the pods' own where nobody listens there, as with the book's service."""
    place = record.target
    if way.nameserver and record.addresses:  # the system's resolver may know another DNS
        place = record.addresses[0] if "." in record.addresses[0] else f"[{record.addresses[0]}]"
    clients = [
        PodClient(
            kept, f"http://{place}:{port}/", name=host_name(record.target), host=f"{record.target}:{port}"
        )
        for port in dict.fromkeys((record.port, way.port))
        if port
    ]
    for client in clients:
        try:
            await client.ask("GET", "healthz")
        except NotReachedError:
            continue
        except AskError:
            pass
        return client
    return clients[0]


async def _public(fresh: aiohttp.ClientSession, service: str, way: Way) -> PodClient | None:
    """The one that is named, or `<headless>-public` where there is one."""
    named = way.public or "{}-public.{}".format(*service.partition(".")[::2]).removesuffix(".")
    if "://" in named:
        return PodClient(fresh, named.rstrip("/") + "/", name="")
    if way.public is None:
        try:
            await asyncio.get_running_loop().getaddrinfo(named, 80, type=socket.SOCK_STREAM)
        except OSError:
            return None
    return PodClient(fresh, f"http://{named}/", name="")
