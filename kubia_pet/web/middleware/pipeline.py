"""The edge between HTTP and the program: all that requests pass on their way in and out."""

import logging
import re
import time
from collections.abc import Awaitable, Callable

from aiohttp import HttpVersion10, HttpVersion11, web

from kubia_pet.limits import MAX_REPLAY_BYTES, OFFLOAD_BYTES
from kubia_pet.metrics import Metrics
from kubia_pet.store import StoreError, VolumeFullError
from kubia_pet.web.connections import Connections
from kubia_pet.web.delivery import LargeResponses
from kubia_pet.web.handlers.handlers import Handlers
from kubia_pet.web.problem import RETRY, ProblemError
from kubia_pet.web.protocol import NOT_HTTP, Connection
from kubia_pet.web.replay import ORIGIN, Replay

log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SAFE = {"GET", "HEAD"}
METHODS = {*SAFE, "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
# Answered even when all other requests are too many: probes, and what peers ask.
ESSENTIAL = {"/healthz", "/readyz", "/metrics", "/data"}
_HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")  # RFC 9110 §4.2.1 and RFC 3986 §3.2


class Edge:
    """The application's one middleware: admits requests, translates errors, sends answers, counts."""

    def __init__(
        self, handlers: Handlers, metrics: Metrics, connections: Connections, *, max_requests: int
    ) -> None:
        self._handlers = handlers
        self._metrics = metrics
        self._connections = connections
        self._max_requests = max_requests
        self._large = LargeResponses()

    @web.middleware
    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answers the request; every error becomes a response here and nowhere else."""
        connection, began = request.protocol, time.monotonic()
        self._connections.begin(connection)
        try:
            try:
                if isinstance(connection, Connection):
                    connection.raise_failure()
                self._admit(request)
                response = await handler(request)
            except Exception as error:  # noqa: BLE001 - translated, or logged with its traceback
                response = _problem_of(error, request).response(request)
            if self._handlers.draining:
                response.force_close()
            if isinstance(response, web.Response) and (size := _size(response)) > OFFLOAD_BYTES:
                response = await self._large.send(request, response, size)
        finally:
            self._connections.end(connection)
        count = self._counter(request, response.status)
        count(time.monotonic() - began)
        if isinstance(connection, Connection):
            body = request.content_length if request.body_exists else 0
            connection.handled(body, self._repeat(request, response, count))
        return response

    def _admit(self, request: web.Request) -> None:
        if len(self._connections.busy) > self._max_requests and request.path not in ESSENTIAL:
            raise ProblemError(503, "Too many requests at once: try again.", headers=RETRY, close=True)
        _refuse_bad_framing(request)
        if request.headers.get("Expect", "100-continue").lower() != "100-continue":
            raise ProblemError(417, "Expect may say 100-continue only.", close=True)
        if request.method not in SAFE:
            _refuse_cross_site(request)

    def _counter(self, request: web.Request, status: int) -> Callable[[float], None]:
        """Counts an answer to such a request, given in so many seconds."""
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "none"
        method = request.method if request.method in METHODS else "other"
        count = self._metrics.answers(route, method, status)
        if not log.isEnabledFor(logging.DEBUG):
            return count
        line = f"{request.method} {request.raw_path} {status}"

        def count_and_tell(seconds: float) -> None:
            count(seconds)
            log.debug("%s %.1f ms", line, seconds * 1000)

        return count_and_tell

    def _repeat(
        self, request: web.Request, response: web.StreamResponse, count: Callable[[float], None]
    ) -> Replay | None:
        """The same answer again; None where another one would be due, or one that aiohttp must send."""
        if (
            not isinstance(response, web.Response)
            or ORIGIN not in response
            or request.method == "HEAD"
            or request.version != HttpVersion11
            or not request.keep_alive
            or response.keep_alive is False
            or _size(response) > MAX_REPLAY_BYTES
        ):
            return None
        return Replay(response, admit=self._has_nothing_against_any, count=count)

    def _has_nothing_against_any(self) -> bool:
        return not self._handlers.draining and len(self._connections.busy) < self._max_requests


def _size(response: web.Response) -> int:
    return len(response.body) if isinstance(response.body, bytes) else 0


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
