"""What those who run the pod ask it: probes, metrics, its API's description."""

import asyncio
import json
from importlib import resources

from aiohttp import web

from kubia_pet import __version__
from kubia_pet.limits import CHECK_PATIENCE
from kubia_pet.metrics import Metrics
from kubia_pet.model.fault import OF_READINESS, Fault
from kubia_pet.store import Store
from kubia_pet.web.problem import JSON
from kubia_pet.web.readiness import Readiness
from kubia_pet.web.route import Route


class OpsHandlers:
    """Liveness, readiness, metrics, OpenAPI."""

    def __init__(self, store: Store, metrics: Metrics, readiness: Readiness, *, with_faults: bool) -> None:
        self._store = store
        self._metrics = metrics
        self._readiness = readiness
        self._openapi = _document(with_faults=with_faults)

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("GET", "/healthz", self.alive, essential=True, probe=True, faults=(Fault.NOT_ALIVE,)),
            Route("GET", "/readyz", self.ready, essential=True, probe=True, faults=OF_READINESS),
            Route("GET", "/metrics", self.metrics, essential=True, probe=True),
            Route("GET", "/openapi.json", self.openapi),
        ]

    async def alive(self, _: web.Request) -> web.Response:
        """Liveness: the event loop answers, nothing else."""
        return web.Response(text="alive\n")

    async def ready(self, _: web.Request) -> web.Response:
        """Readiness: it serves, and its own volume works."""
        await self._readiness.require()
        return web.Response(text="ready\n")

    async def metrics(self, _: web.Request) -> web.Response:
        """Prometheus' text format; readiness and the volume's fault are those of now.

        Those of the check before, where the volume takes its time.
        """
        checking = asyncio.ensure_future(self._readiness.holds())
        await asyncio.wait((checking,), timeout=CHECK_PATIENCE)
        fault = self._store.last_fault
        self._metrics.readiness(ready=self._readiness.last, fault=None if fault is None else fault.kind)
        return web.Response(body=self._metrics.render(), headers={"Content-Type": self._metrics.content_type})

    async def openapi(self, _: web.Request) -> web.Response:
        """This API, described."""
        return web.Response(text=self._openapi, content_type=JSON)


def _document(*, with_faults: bool) -> str:
    """The OpenAPI document, of the routes that are served."""
    document = json.loads(resources.files("kubia_pet").joinpath("openapi.json").read_text("utf-8"))
    document["info"]["version"] = __version__
    if not with_faults:
        document["paths"] = {
            path: of for path, of in document["paths"].items() if not path.startswith("/faults")
        }
    return json.dumps(document, indent=2) + "\n"
