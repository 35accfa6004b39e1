"""The middleware of every request, which calls the parts in turn; only that of faults is another one."""

import time
from collections.abc import Callable, Mapping

from aiohttp import web

from kubia_pet.limits import OFFLOAD_BYTES
from kubia_pet.peers.result import ENDING, STATE
from kubia_pet.web.connections import Connections
from kubia_pet.web.delivery import LargeResponses
from kubia_pet.web.lifecycle import Lifecycle, State
from kubia_pet.web.middleware.admission import Admission
from kubia_pet.web.middleware.errors import problem_of
from kubia_pet.web.middleware.instrumentation import Instrumentation
from kubia_pet.web.replay import ReplayingProtocol
from kubia_pet.web.route import NO_ROUTE, Handler, Route, is_from_peer


class Pipeline:
    """Admits a request, has it handled, maps its error, sends its answer, counts it."""

    def __init__(
        self,
        routes: Mapping[web.AbstractRoute, Route],
        *,
        lifecycle: Lifecycle,
        connections: Connections,
        admission: Admission,
        instrumentation: Instrumentation,
        large: LargeResponses,
    ) -> None:
        self._routes = routes
        self._lifecycle = lifecycle
        self._connections = connections
        self._admission = admission
        self._instrumentation = instrumentation
        self._large = large

    @web.middleware
    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answers the request. Every error of a handler or a part becomes a response here.

        What is no HTTP has none: aiohttp's parser refuses it, and protocol.py answers.
        """
        connection, began = request.protocol, time.monotonic()
        route = self._routes.get(request.match_info.route, NO_ROUTE)
        admits: Callable[[], bool] = _never
        is_client = not (route.probe or route.stream or is_from_peer(request))
        if is_client and self._lifecycle.state >= State.DRAINING:
            self._lifecycle.asked()
        try:
            try:
                admits = self._admission.admit(request, route)
                if route.stream:
                    self._connections.stream(connection)
                    return await handler(request)
                self._connections.begin(connection, essential=route.essential)
                response = await handler(request)
                if (size := _size(response)) > OFFLOAD_BYTES:
                    self._large.take_room(request, size)
            except Exception as error:
                problem = problem_of(error, request)
                self._instrumentation.refused(problem)
                if route.stream and request.writer.output_size:  # its client has the begin of an answer
                    raise ConnectionResetError from error
                response = problem.response(request)
            if self._lifecycle.state >= State.DRAINING:
                response.force_close()
                response.headers[STATE] = ENDING  # for peers: some list this pod until their DNS knows better
            if isinstance(response, web.Response) and _size(response) > OFFLOAD_BYTES:
                await self._large.send(request, response)
        finally:
            self._connections.end(connection)
        count = self._instrumentation.counter(request, route, response.status)
        count(time.monotonic() - began)
        if isinstance(connection, ReplayingProtocol):
            connection.remember(request, response, essential=route.essential, admits=admits, count=count)
        return response


def _never() -> bool:
    return False


def _size(response: web.StreamResponse) -> int:
    body = response.body if isinstance(response, web.Response) else None
    return len(body) if isinstance(body, bytes) else 0
