"""The edge between HTTP and the program: all that requests pass on their way in and out."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable

from aiohttp import HttpVersion10, HttpVersion11, web

from kubia_pet.connections import NOT_HTTP, Connections
from kubia_pet.handlers import LARGE, Handlers
from kubia_pet.metrics import Metrics
from kubia_pet.problem import ProblemError
from kubia_pet.store import StoreError, VolumeFullError

log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SAFE = {"GET", "HEAD"}
METHODS = {*SAFE, "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
# Answered even when all other requests are too many: probes, and what peers ask.
ESSENTIAL = {"/healthz", "/readyz", "/metrics", "/data"}
_RETRY = {"Retry-After": "1"}
_HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")  # RFC 9110 §4.2.1 and RFC 3986 §3.2
ANSWERS = 64 * 2**20  # bytes of large answers that clients may be taking at the same time
PATIENCE = 1.0  # seconds for which a client may take its large answer, while others want the room


class Edge:
    """The application's one middleware: admits requests, translates errors, sends answers, counts."""

    def __init__(
        self, handlers: Handlers, metrics: Metrics, connections: Connections, *, max_requests: int
    ) -> None:
        self._handlers = handlers
        self._metrics = metrics
        self._connections = connections
        self._max_requests = max_requests
        self._room = ANSWERS
        self._taking: dict[web.RequestHandler, tuple[float, int]] = {}  # since when, how many bytes

    @web.middleware
    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answers the request; every error becomes a response here and nowhere else."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._connections.begin(request.protocol)
        try:
            try:
                self._admit(request)
                response = await handler(request)
            except Exception as error:  # noqa: BLE001 - translated, or logged with its traceback
                response = _problem_of(error, request).response(request)
            if self._handlers.draining:
                response.force_close()
            if (
                isinstance(response, web.Response)
                and isinstance(response.body, bytes)
                and len(response.body) > LARGE
            ):
                response = await self._sent(request, response, len(response.body))
        finally:
            self._connections.end(request.protocol)
        self._count(request, response, loop.time() - began)
        return response

    def _admit(self, request: web.Request) -> None:
        if len(self._connections.busy) > self._max_requests and request.path not in ESSENTIAL:
            raise ProblemError(503, "Too many requests at once: try again.", headers=_RETRY, close=True)
        _refuse_bad_framing(request)
        if request.headers.get("Expect", "100-continue").lower() != "100-continue":
            raise ProblemError(417, "Expect may say 100-continue only.", close=True)
        if request.method not in SAFE:
            _refuse_cross_site(request)

    async def _sent(self, request: web.Request, response: web.Response, size: int) -> web.Response:
        """The large response, sent; only so many bytes wait for slow clients."""
        if not self._has_room(size):
            return ProblemError(
                503, "Too many large answers at once: try again.", headers=_RETRY, close=True
            ).response(request)
        self._taking[request.protocol] = asyncio.get_running_loop().time(), size
        self._room -= size
        try:
            await response.prepare(request)
            await response.write_eof()
        except ConnectionError:
            pass  # the client is gone: nobody is left to tell
        finally:
            self._took(request.protocol)
        return response

    def _has_room(self, size: int) -> bool:
        """Whether `size` bytes more may wait; who takes an answer for too long makes room, and is cut off."""
        patient_since = asyncio.get_running_loop().time() - PATIENCE
        for connection, (began, _) in list(self._taking.items()):
            if size <= self._room or began > patient_since:
                break
            self._took(connection)
            if connection.transport is not None:
                connection.transport.abort()
        return size <= self._room

    def _took(self, connection: web.RequestHandler) -> None:
        self._room += self._taking.pop(connection, (0, 0))[1]

    def _count(self, request: web.Request, response: web.StreamResponse, seconds: float) -> None:
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "none"
        method = request.method if request.method in METHODS else "other"
        self._metrics.answered(route, method, response.status, seconds)
        log.debug("%s %s %d %.1f ms", request.method, request.raw_path, response.status, seconds * 1000)


def _refuse_bad_framing(request: web.Request) -> None:
    """What aiohttp's parser lets in though RFC 9112 does not, and two parties might read in two ways."""
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


def _problem_of(error: Exception, request: web.Request) -> ProblemError:
    match error:
        case ProblemError():
            return error
        case VolumeFullError():
            return ProblemError(507, str(error))
        case StoreError():
            return ProblemError(503, str(error))
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return ProblemError(405, f"{request.path} takes {allowed}.", headers={"Allow": allowed})
        case web.HTTPNotFound():
            return ProblemError(404, "There is nothing here: see / and /openapi.json.")
        case web.HTTPException():
            return ProblemError(error.status, f"{error.reason}.")
        case _:
            log.error("Failed to answer %s %s", request.method, request.raw_path, exc_info=error)
            return ProblemError(500, "The server failed to answer; its log says why.", close=True)
