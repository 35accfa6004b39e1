"""The routes: each turns a request into calls of store, cluster and discovery, and back into a response."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from importlib import resources

from aiohttp import ETag, web

from kubia_pet import __version__
from kubia_pet.aio.coalescer import Coalescer
from kubia_pet.limits import OFFLOAD_BYTES
from kubia_pet.metrics import Metrics
from kubia_pet.model.value import NO_VALUE, Value
from kubia_pet.peers.gather import Cluster
from kubia_pet.store import Store, StoreError
from kubia_pet.web.body import BodyReader, expect_nothing
from kubia_pet.web.problem import JSON, TEXT, ProblemError, preferred
from kubia_pet.web.render import Overview
from kubia_pet.web.replay import ORIGIN, Origin


class Handlers:
    """The handlers of one pod. `cluster` is None where the pod looks for no peers."""

    def __init__(
        self,
        pod: str,
        store: Store,
        cluster: Cluster | None,
        metrics: Metrics,
        uploads: BodyReader,
    ) -> None:
        self.draining = False
        self._pod = pod
        self._store = store
        self._cluster = cluster
        self._metrics = metrics
        self._uploads = uploads
        self._overviews = {
            TEXT: Coalescer(self._overview_by(Overview.as_text)),
            JSON: Coalescer(self._overview_by(Overview.as_json)),
        }
        self._openapi = (
            resources.files("kubia_pet").joinpath("openapi.json").read_text().replace("0.0.0", __version__)
        )

    def routes(self) -> list[web.RouteDef]:
        """What the program answers."""
        get, post, put, delete = (
            partial(each, expect_handler=expect_nothing) for each in (web.get, web.post, web.put, web.delete)
        )
        return [
            get("/", self.overview),
            post("/", self.write),
            put("/", self.write),
            delete("/", self.remove),
            get("/data", self.data),
            get("/peers", self.peers),
            get("/healthz", self.alive),
            get("/readyz", self.ready),
            get("/metrics", self.metrics),
            get("/openapi.json", self.openapi),
        ]

    async def overview(self, request: web.Request) -> web.Response:
        """This pod's value, then the cluster's."""
        kind = preferred(request, TEXT, JSON)
        body = await self._overviews[kind].submit()
        response = web.Response(
            body=body,
            headers={"Content-Type": f"{kind}; charset=utf-8", "Vary": "Accept", "Cache-Control": "no-cache"},
        )
        response[ORIGIN] = Origin(body, lambda _: self._overviews[kind].submit())
        return response

    async def write(self, request: web.Request) -> web.Response:
        """Stores the body; answers when it is durable."""
        async with self._uploads.received(request) as body:
            await self._store.write(body)
        response = web.Response(text=f"Data stored on pod {self._pod}\n")
        response[ORIGIN] = Origin(None, self._store.write)
        return response

    async def remove(self, _: web.Request) -> web.Response:
        """Removes the value; answers when that is durable."""
        await self._store.remove()
        return web.Response(text=f"Data removed from pod {self._pod}\n")

    async def data(self, request: web.Request) -> web.Response:
        """The value alone, its exact bytes."""
        value = await self._store.read()
        if value is None:
            raise ProblemError(404, NO_VALUE, headers={"Cache-Control": "no-cache"})
        headers = {
            "Content-Type": "application/octet-stream" if value.text is None else "text/plain; charset=utf-8",
            "ETag": f'"{value.etag}"',
            "Cache-Control": "no-cache",
            "X-Content-Type-Options": "nosniff",
        }
        if "If-None-Match" in request.headers and _matches(request.if_none_match, value):
            return web.Response(status=304, headers=headers)
        response = web.Response(body=value.data, headers=headers)
        response[ORIGIN] = Origin(value, lambda _: self._store.read(), self._store.read_at_once)
        return response

    async def peers(self, _: web.Request) -> web.Response:
        """What discovery sees; asks no peer."""
        if self._cluster is None:
            return _json(
                {
                    "pod": self._pod,
                    "service": None,
                    "age": None,
                    "error": None,
                    "findings": [],
                    "peers": [],
                }
            )
        found = await self._cluster.discovery.discover()
        peers = [
            {
                "name": peer.name,
                "ordinal": peer.ordinal,
                "self": peer.is_self,
                "endpoints": [{"address": address, "port": port} for address, port in peer.endpoints],
            }
            for peer in found.peers
        ]
        return _json(
            {
                "pod": self._pod,
                "service": found.service,
                **found.state(),
                "peers": peers,
            }
        )

    async def alive(self, _: web.Request) -> web.Response:
        """Liveness: the event loop answers, nothing else."""
        return web.Response(text="alive\n")

    async def ready(self, _: web.Request) -> web.Response:
        """Readiness: this pod's own volume works and it is not ending; never its peers, never DNS."""
        if self.draining:
            raise ProblemError(503, f"Pod {self._pod} is ending.")
        await self._store.check()
        return web.Response(text="ready\n")

    async def metrics(self, _: web.Request) -> web.Response:
        """Prometheus' text format."""
        fault = None
        try:
            await self._store.check()
        except StoreError as error:
            fault = error.kind
        self._metrics.readiness(ready=fault is None and not self.draining, fault=fault)
        return web.Response(body=self._metrics.render(), headers={"Content-Type": self._metrics.content_type})

    async def openapi(self, _: web.Request) -> web.Response:
        """This API, described."""
        return web.Response(text=self._openapi, content_type=JSON)

    def _overview_by(self, render: Callable[[Overview], bytes]) -> Callable[[], Awaitable[bytes]]:
        async def run() -> bytes:
            reading = self._store.read()
            gathered = await self._cluster.gather(reading) if self._cluster else None
            overview = Overview(self._pod, await reading, gathered)
            return (
                await asyncio.to_thread(render, overview)
                if overview.size > OFFLOAD_BYTES
                else render(overview)
            )

        return run


def _matches(wanted: tuple[ETag, ...] | None, value: Value) -> bool:
    """RFC 9110 §13.1.2: weak comparison."""
    return any(etag.value in (value.etag, "*") for etag in wanted or ())


def _json(members: Mapping[str, object]) -> web.Response:
    return web.Response(text=json.dumps(members, indent=2) + "\n", content_type=JSON)
