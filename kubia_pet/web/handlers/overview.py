"""The cluster as this pod sees it: everybody's value, and who is there."""

from aiohttp import web

from kubia_pet.aio.once_per_turn import OncePerTurn
from kubia_pet.model.fault import OF_READS
from kubia_pet.peers.gather import Cluster
from kubia_pet.peers.witnesses import Witnesses
from kubia_pet.store import Store, StoreError
from kubia_pet.web.handlers.page import Page
from kubia_pet.web.handlers.shared_overview import SharedOverview
from kubia_pet.web.negotiation import HTML, prefers_html
from kubia_pet.web.problem import JSON, TEXT, json_response, preferred
from kubia_pet.web.render import Overview
from kubia_pet.web.replay import Work, perform
from kubia_pet.web.route import Route

_HEADERS = {"Vary": "Accept", "Cache-Control": "no-cache"}


class OverviewHandlers:
    """What shows this pod among its peers. `cluster` is None where it looks for none."""

    def __init__(self, pod: str, store: Store, cluster: Cluster | None, witnesses: Witnesses) -> None:
        self._pod = pod
        self._cluster = cluster
        self._page = Page(pod)
        self._rendering = {
            kind: _work(SharedOverview(pod, store, cluster, witnesses, render))
            for kind, render in (
                (HTML, self._page.render),
                (TEXT, Overview.as_text),
                (JSON, Overview.as_json),
            )
        }

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("GET", "/", self.overview, faults=OF_READS, for_peers=True),
            Route("GET", "/peers", self.peers),
        ]

    async def overview(self, request: web.Request) -> web.Response:
        """This pod's value, then the cluster's: the page for a browser, text or JSON for all else."""
        if prefers_html(request):
            return await self._page_of(request)
        kind = preferred(request, TEXT, JSON)
        body = await perform(request, self._rendering[kind])
        return web.Response(body=body, headers=_HEADERS | {"Content-Type": f"{kind}; charset=utf-8"})

    async def _page_of(self, request: web.Request) -> web.Response:
        """The page; also while this pod's volume fails, which it shows."""
        headers = _HEADERS | self._page.headers | {"Content-Type": f"{HTML}; charset=utf-8"}
        try:
            body = await perform(request, self._rendering[HTML])
        except StoreError as error:
            return web.Response(status=503, body=self._page.without_value(str(error)), headers=headers)
        return web.Response(body=body, headers=headers)

    async def peers(self, _: web.Request) -> web.Response:
        """What discovery sees; asks no peer."""
        if self._cluster is None:
            nobody: dict[str, object] = {
                "service": None,
                "age": None,
                "asked": None,
                "error": None,
                "findings": [],
                "peers": [],
            }
            return json_response({"pod": self._pod, **nobody})
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
        return json_response({"pod": self._pod, "service": found.service, **found.state(), "peers": peers})


def _work(shared: SharedOverview) -> Work[bytes]:
    return Work(lambda _: shared.submit(), OncePerTurn(shared.nowait))
