"""Admission: which requests are refused before a handler sees them."""

import re

from aiohttp import HttpVersion10, HttpVersion11, web

from kubia_pet.web.connections import Connections
from kubia_pet.web.lifecycle import Lifecycle, State
from kubia_pet.web.problem import NOT_HTTP, RETRY, ProblemError
from kubia_pet.web.route import Route

_HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")  # RFC 9110 §4.2.1 and RFC 3986 §3.2


class Admission:
    """Refuses what is one too many, what is no HTTP, and what a page of another site asks for."""

    def __init__(self, lifecycle: Lifecycle, connections: Connections, *, max_requests: int) -> None:
        self._lifecycle = lifecycle
        self._connections = connections
        self._max_requests = max_requests

    def admit(self, request: web.Request, route: Route) -> None:
        """Raises ProblemError where the request is refused, for what it says or for the present moment."""
        if (refusal := self._refusal(route)) is not None:
            raise refusal
        _require_framing(request)
        if request.headers.get("Expect", "100-continue").lower() != "100-continue":
            raise ProblemError(417, "Expect may say 100-continue only.", close=True)
        if route.changes:
            _refuse_cross_site(request)

    def admits_again(self, route: Route) -> bool:
        """Whether a request of which an equal one was admitted still is, and its answer is sent alike."""
        return self._lifecycle.state is State.READY and self._refusal(route) is None

    def _refusal(self, route: Route) -> ProblemError | None:
        """What a request meets whatever it says; asked of each before it counts as busy."""
        if len(self._connections.busy) >= self._max_requests and not route.essential:
            return ProblemError(503, "Too many requests at once: try again.", headers=RETRY, close=True)
        return None


def _require_framing(request: web.Request) -> None:
    """Refuses what aiohttp's parser lets in though RFC 9112 does not, and two may read in two ways."""
    coding = request.headers.get("Transfer-Encoding", "chunked")
    if (
        request.version not in (HttpVersion10, HttpVersion11)
        or coding.lower() != "chunked"
        or (request.version == HttpVersion10 and "Transfer-Encoding" in request.headers)
        or not _HOST.fullmatch(request.headers.get("Host", ""))
    ):
        raise ProblemError(400, NOT_HTTP, close=True)


def _refuse_cross_site(request: web.Request) -> None:
    """Keeps a web page elsewhere from changing a value by its visitor's browser (Fetch Metadata)."""
    origin = request.headers.get("Origin")
    own = (f"http://{request.host}".lower(), f"https://{request.host}".lower())
    if (origin is not None and origin.lower() not in own) or request.headers.get(
        "Sec-Fetch-Site", ""
    ).lower() == "cross-site":
        raise ProblemError(403, "A page of another site may not change this pod's value.")
