"""From a URL: one pod is asked who its peers are, and where."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from kubia_pet.aio.parallel import in_parallel
from kubia_pet.client.answer import Answer
from kubia_pet.client.errors import AskError, NotReachedError
from kubia_pet.client.pod import PodClient
from kubia_pet.client.sessions import one_connection, session
from kubia_pet.limits import ASK_CONCURRENCY, LOOK_INTERVAL
from kubia_pet.reach.patience import patiently
from kubia_pet.reach.target import Target, host_name, in_order
from kubia_pet.reach.way import UnreachableError, Way

Endpoint = tuple[str, int]


@asynccontextmanager
async def by_url(url: str, way: Way) -> AsyncIterator[Target]:
    """The set of which `url` reaches any pod, or one of them."""
    base = url.rstrip("/") + "/"
    async with (
        session(token=way.token) as kept,
        session(token=way.token, keep=False) as fresh,
        one_connection(base, way.token) as first,  # a Service of which one pod is ready has more in a moment
    ):
        public = PodClient(fresh, base, name="")
        try:
            said = await patiently(
                first.peers, lambda said: len(said.get("peers", ())) >= (way.replicas or 0)
            )
        except AskError as error:
            raise UnreachableError(f"{base} {error}".removesuffix(".") + ".") from error
        pods, unseen = await _pods(kept, said), dict[str, str]()
        asked = str(said.get("pod", ""))
        if not pods and len(said.get("peers", ())) > 1:
            unseen["pods"] = "the addresses of the pods cannot be reached from here"
        elif asked not in {pod.name for pod in pods} or await _same_place(base, pods):
            unseen["public"] = f"{base} is the address of {asked}"
        if asked not in {pod.name for pod in pods}:  # it is alone, or DNS does not name it
            first.name = asked
            pods = in_order([*pods, first])
        yield Target(
            where=base,
            pods=pods,
            public=None if "public" in unseen else public,
            connect=None if "public" in unseen else partial(one_connection, base, way.token),
            service=way.service or said.get("service"),
            asks_dns=way.nameserver is not None,
            nameserver=way.nameserver,
            port=way.port,
            replicas=way.replicas,
            unseen=unseen,
        )


async def _pods(kept: aiohttp.ClientSession, said: Mapping[str, Any]) -> tuple[PodClient, ...]:
    """A client for each pod of the list; none where their addresses lead nowhere from here."""
    found = dict(_endpoints(said))

    async def ask(pod: PodClient) -> dict[str, Endpoint] | None:
        try:
            return _endpoints(await pod.peers())
        except AskError:
            return None

    for first in range(0, len(found), ASK_CONCURRENCY):
        some = [_client(kept, *each) for each in list(found.items())[first : first + ASK_CONCURRENCY]]
        for told in await in_parallel(some, ask, limit=ASK_CONCURRENCY):
            if told is not None:
                found |= told  # only another one knows the address of who was asked
                return in_order(_MovingPod(kept, each, found) for each in found)
    return ()


class _MovingPod(PodClient):
    """Keeps its name, not its address: where it is not at its place any more, peers are asked for another.

    `places` is shared by all pods of a set, by their full names. The question that told of it is not put
    again.
    """

    def __init__(self, kept: aiohttp.ClientSession, name: str, places: dict[str, Endpoint]) -> None:
        address, port = places[name]
        super().__init__(kept, _url(address, port), name=host_name(name), host=f"{name}:{port}")
        self._full_name = name
        self._places = places
        self._looked = -LOOK_INTERVAL

    async def ask(
        self, method: str, path: str, *, data: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """As any PodClient does; then it may take as long again to look for the pod."""
        address, port = self._places[self._full_name]
        self.url, self._headers = _url(address, port), {"Host": f"{self._full_name}:{port}"}
        try:
            answer = await super().ask(method, path, data=data, headers=headers)
        except NotReachedError:
            await self._look()
            raise
        if answer.status == HTTPStatus.MISDIRECTED_REQUEST:
            await self._look()
        return answer

    async def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        others = self._places.keys() - {self._full_name}
        if now < self._looked + LOOK_INTERVAL or not others:
            return
        self._looked = now

        async def ask(name: str) -> None:
            with suppress(AskError):
                self._places |= _endpoints(await _client(self._session, name, self._places[name]).peers())

        await in_parallel(random.sample(sorted(others), k=min(3, len(others))), ask, limit=3)


def _url(address: str, port: int) -> str:
    return f"http://[{address}]:{port}/" if ":" in address else f"http://{address}:{port}/"


def _client(kept: aiohttp.ClientSession, name: str, endpoint: Endpoint) -> PodClient:
    address, port = endpoint
    return PodClient(kept, _url(address, port), name=host_name(name), host=f"{name}:{port}")


def _endpoints(said: Mapping[str, Any]) -> dict[str, Endpoint]:
    """The first endpoint of each peer that has one."""
    return {
        peer["name"]: (peer["endpoints"][0]["address"], peer["endpoints"][0]["port"])
        for peer in said.get("peers", ())
        if peer.get("endpoints")
    }


async def _same_place(base: str, pods: tuple[PodClient, ...]) -> bool:
    """Whether the URL is one of the pods' own."""
    parts = urlsplit(base)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            parts.hostname, port, type=socket.SOCK_STREAM, family=socket.AF_UNSPEC
        )
    except OSError:
        return False
    places = {each[4][:2] for each in found}
    return any((urlsplit(pod.url).hostname, urlsplit(pod.url).port) in places for pod in pods)
