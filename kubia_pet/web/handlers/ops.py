"""What those who run the pod ask it: probes, metrics, its API's description."""

from importlib import resources

from aiohttp import web

from kubia_pet import __version__
from kubia_pet.metrics import Metrics
from kubia_pet.peers.witnesses import Witnesses
from kubia_pet.store import Store
from kubia_pet.web.lifecycle import Lifecycle, State
from kubia_pet.web.problem import JSON, ProblemError
from kubia_pet.web.route import Route


class OpsHandlers:
    """Liveness, readiness, metrics, OpenAPI."""

    def __init__(
        self, pod: str, store: Store, metrics: Metrics, lifecycle: Lifecycle, refusing: Witnesses | None
    ) -> None:
        self._pod = pod
        self._store = store
        self._metrics = metrics
        self._lifecycle = lifecycle
        self._refusing = refusing
        self._openapi = (
            resources.files("kubia_pet").joinpath("openapi.json").read_text().replace("0.0.0", __version__)
        )

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("GET", "/healthz", self.alive, essential=True),
            Route("GET", "/readyz", self.ready, essential=True),
            Route("GET", "/metrics", self.metrics, essential=True),
            Route("GET", "/openapi.json", self.openapi),
        ]

    async def alive(self, _: web.Request) -> web.Response:
        """Liveness: the event loop answers, nothing else."""
        return web.Response(text="alive\n")

    async def ready(self, _: web.Request) -> web.Response:
        """Readiness: this pod's own volume works and it is not ending; peers and DNS are not asked.

        Where that was asked for, it also is not another pod's.
        """
        if self._lifecycle.state < State.READY:
            raise ProblemError(503, f"Pod {self._pod} is starting.")
        if self._lifecycle.state > State.READY:
            raise ProblemError(503, f"Pod {self._pod} is ending.")
        await self._store.check()
        if self._refusing is not None and (verdict := self._refusing.verdict()).is_foreign:
            raise ProblemError(503, " ".join((verdict.message, *verdict.evidence)))
        return web.Response(text="ready\n")

    async def metrics(self, _: web.Request) -> web.Response:
        """Prometheus' text format."""
        return web.Response(body=self._metrics.render(), headers={"Content-Type": self._metrics.content_type})

    async def openapi(self, _: web.Request) -> web.Response:
        """This API, described."""
        return web.Response(text=self._openapi, content_type=JSON)
