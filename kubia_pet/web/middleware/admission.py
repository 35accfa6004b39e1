"""Admission: which requests are refused before a handler sees them."""

import re
from collections.abc import Callable
from functools import partial

from aiohttp import HttpVersion10, HttpVersion11, web

from kubia_pet.model.fault import Faults
from kubia_pet.web.connections import Connections
from kubia_pet.web.lifecycle import Lifecycle, State
from kubia_pet.web.middleware.hosts import Hosts
from kubia_pet.web.problem import NOT_HTTP, TOO_MANY, NoRoomError, ProblemError
from kubia_pet.web.route import Route
from kubia_pet.web.token import Token

_SCHEMES = ("http", "https")
_HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")  # RFC 9110 §4.2.1 and RFC 3986 §3.2


class Admission:
    """Refuses what is too much, no HTTP, for another host, of another site's page, or without the token."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        connections: Connections,
        hosts: Hosts,
        token: Token,
        faults: Faults | None = None,
    ) -> None:
        self._lifecycle = lifecycle
        self._connections = connections
        self._hosts = hosts
        self._token = token
        self._faults = faults

    def admit(self, request: web.Request, route: Route) -> Callable[[], bool]:
        """Raises ProblemError where the request is refused, for what it says or for the present moment.

        Otherwise gives what says whether another one with the same head still is admitted, and its answer
        sent alike.
        """
        awaits_body = route.takes_body and not request.content.is_eof()  # it is judged when that is there
        if not (route.essential or awaits_body or self._connections.has_room(request.protocol)):
            raise NoRoomError("requests", TOO_MANY)
        _require_framing(request)
        self._hosts.require_own(request)
        if request.headers.get("Expect", "100-continue").lower() != "100-continue":
            raise ProblemError(417, "Expect may say 100-continue only.", close=True)
        if route.changes:
            _refuse_cross_site(request)
            self._token.require(request)
        return partial(self._admits_again, route, self._token.generation)

    def _admits_again(self, route: Route, generation: int) -> bool:
        return (
            self._lifecycle.state is State.READY
            and (route.essential or self._connections.has_room())
            and not (route.changes and generation != self._token.generation)
            and (self._faults is None or not self._faults.active())
        )


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
    """Keeps a web page elsewhere from changing something by its visitor's browser.

    As Go's net/http.CrossOriginProtection: browsers say in Sec-Fetch-Site whose page it is, and a proxy that
    replaces Host (kubectl's) leaves that. Older ones say Origin only. Who says neither is no browser.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        own = site.lower() in {"same-origin", "none"}
    else:
        origin = request.headers.get("Origin")
        own = origin is None or origin.lower() in {
            f"{scheme}://{request.host}".lower() for scheme in _SCHEMES
        }
    if not own:
        raise ProblemError(403, "A page of another site may not change this pod's value.")
