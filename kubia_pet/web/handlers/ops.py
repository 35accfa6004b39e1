"""What those who run the pod ask it: probes, metrics, its API's description."""

import asyncio
import json
from importlib import resources

from aiohttp import web

from kubia_pet import __version__
from kubia_pet.limits import CHECK_PATIENCE
from kubia_pet.metrics import Metrics
from kubia_pet.peers.witnesses import Witnesses
from kubia_pet.store import Store
from kubia_pet.web.lifecycle import Lifecycle, State
from kubia_pet.web.problem import JSON, Code, ProblemError
from kubia_pet.web.route import Route


class OpsHandlers:
    """Liveness, readiness, metrics, OpenAPI."""

    def __init__(
        self,
        pod: str,
        store: Store,
        metrics: Metrics,
        lifecycle: Lifecycle,
        *,
        refusing: Witnesses | None,
        with_faults: bool,
    ) -> None:
        self._pod = pod
        self._store = store
        self._metrics = metrics
        self._lifecycle = lifecycle
        self._refusing = refusing
        self._openapi = _document(with_faults=with_faults)

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("GET", "/healthz", self.alive, essential=True, probe=True),
            Route("GET", "/readyz", self.ready, essential=True, probe=True),
            Route("GET", "/metrics", self.metrics, essential=True, probe=True),
            Route("GET", "/openapi.json", self.openapi),
        ]

    async def alive(self, _: web.Request) -> web.Response:
        """Liveness: the event loop answers, nothing else."""
        return web.Response(text="alive\n")

    async def ready(self, _: web.Request) -> web.Response:
        """Readiness: this pod's own volume works, and it is not ending; peers and DNS are not asked.

        Where that was asked for, also that nothing says that the volume is another pod's.
        """
        if self._lifecycle.state < State.READY:
            raise ProblemError(503, f"Pod {self._pod} is starting.", code=Code.STARTING)
        if self._lifecycle.state > State.READY:
            raise ProblemError(503, f"Pod {self._pod} is ending.", code=Code.ENDING)
        await self._store.check()
        if (refusal := self._refusal()) is not None:
            raise ProblemError(503, refusal, code=Code.FOREIGN_VOLUME)
        return web.Response(text="ready\n")

    def _refusal(self) -> str | None:
        verdict = self._refusing.verdict() if self._refusing is not None else None
        return " ".join((verdict.message, *verdict.evidence)) if verdict and verdict.is_foreign else None

    async def metrics(self, _: web.Request) -> web.Response:
        """Prometheus' text format; readiness and the volume's fault are those of now.

        Those of the check before, where the volume takes its time.
        """
        checking = asyncio.ensure_future(self._store.check())
        checking.add_done_callback(_retrieve)
        await asyncio.wait((checking,), timeout=CHECK_PATIENCE)
        last = self._store.last_fault
        fault = None if last is None else last.kind
        ready = fault is None and self._refusal() is None and self._lifecycle.state is State.READY
        self._metrics.readiness(ready=ready, fault=fault)
        return web.Response(body=self._metrics.render(), headers={"Content-Type": self._metrics.content_type})

    async def openapi(self, _: web.Request) -> web.Response:
        """This API, described."""
        return web.Response(text=self._openapi, content_type=JSON)


def _retrieve(checking: asyncio.Future[None]) -> None:
    """What it came to is known: nobody need be told that nobody asked."""
    if not checking.cancelled():
        checking.exception()


def _document(*, with_faults: bool) -> str:
    """The OpenAPI document, of the routes that are served."""
    document = json.loads(resources.files("kubia_pet").joinpath("openapi.json").read_text("utf-8"))
    document["info"]["version"] = __version__
    if not with_faults:
        document["paths"] = {
            path: of for path, of in document["paths"].items() if not path.startswith("/faults")
        }
    return json.dumps(document, indent=2) + "\n"
