"""What the program answers, declared: a route, and what others must know of it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from aiohttp import web

from kubia_pet.model.fault import Fault
from kubia_pet.web.body import expect_nothing

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Route:
    """One method on one path (a template as aiohttp has it). GET answers HEAD too, unless it is a stream.

    `essential`: answered even when all other requests are too many: probes, and what peers ask.
    `probe`: it is asked by what watches pods, whatever Services say.
    `takes_body`: its handler awaits a body, and is busy when that is there.
    `changes`: it changes something, so that no page of another site may ask for it.
    `stream`: its answer lasts for as long as its client likes. It is not busy meanwhile, is not waited for at
    the end but cancelled, and its time is no latency.
    `faults`: those that its answers show. `for_peers`: peers ask it, and meet what is set for them.
    """

    method: str
    path: str
    handler: Handler
    essential: bool = False
    probe: bool = False
    takes_body: bool = False
    changes: bool = False
    stream: bool = False
    faults: tuple[Fault, ...] = ()
    for_peers: bool = False


async def _nothing(_: web.Request) -> web.StreamResponse:
    raise web.HTTPNotFound


NO_ROUTE = Route("", "none", _nothing)  # what a request has where none is declared for it


def is_from_peer(request: web.Request) -> bool:
    """Whether a pod of this kind asks, which gathers values; those of 1.0.0 say so in this way alone."""
    return request.headers.get("User-Agent", "").startswith("kubia-pet/")


def register(router: web.UrlDispatcher, routes: Iterable[Route]) -> Mapping[web.AbstractRoute, Route]:
    """Declares them to aiohttp; what a request's `match_info.route` stands for."""
    table = {}
    for route in sorted(routes, key=lambda each: each.path):  # as one resource each, with one list of methods
        methods = ("GET", "HEAD") if route.method == "GET" and not route.stream else (route.method,)
        for method in methods:
            added = router.add_route(method, route.path, route.handler, expect_handler=expect_nothing)
            table[added] = route
    return table
