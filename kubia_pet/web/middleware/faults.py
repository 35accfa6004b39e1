"""Faults of HTTP: what peers and probes meet while one is set."""

import asyncio
import time
from collections.abc import Mapping

from aiohttp import web

from kubia_pet.limits import FAULT_POLL_INTERVAL, MAX_UNANSWERED_TIME, SLOWNESS
from kubia_pet.model.fault import Fault, Faults
from kubia_pet.web.problem import Code, ProblemError
from kubia_pet.web.route import NO_ROUTE, Handler, Route, is_from_peer

HEADER = "Kubia-Pet-Fault"
_OF_PEERS = (Fault.SLOW, Fault.UNREACHABLE)


class FaultInjection:
    """A middleware that is only there where faults may be set."""

    def __init__(
        self, routes: Mapping[web.AbstractRoute, Route], faults: Faults, *, peer_timeout: float
    ) -> None:
        self._routes = routes
        self._faults = faults
        self._slow = SLOWNESS * peer_timeout

    @web.middleware
    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuses a probe, keeps a peer waiting, or does nothing."""
        for fault in self._touching(request):
            match fault:
                case Fault.NOT_ALIVE:
                    raise ProblemError(503, f"The fault {fault} is set.", code=Code.ON_PURPOSE)
                case Fault.SLOW:
                    await self._wait(request, fault, self._slow)
                case Fault.UNREACHABLE:
                    await self._wait(request, fault, MAX_UNANSWERED_TIME)
                    if self._faults.has(fault):
                        if request.transport is not None:
                            request.transport.abort()
                        raise ProblemError(503, f"The fault {fault} is set.")  # for the metrics
                case _:
                    pass  # readiness and the volume have the others
        return await handler(request)

    async def mark(self, request: web.Request, response: web.StreamResponse) -> None:
        """Names the faults that touch an answer in its header; a signal of aiohttp's."""
        if names := list(self._touching(request)):
            response.headers[HEADER] = ", ".join(names)

    def _touching(self, request: web.Request) -> list[Fault]:
        route = self._routes.get(request.match_info.route, NO_ROUTE)
        touching = route.faults + (_OF_PEERS if route.for_peers and is_from_peer(request) else ())
        return [fault for fault in touching if self._faults.has(fault)]

    async def _wait(self, request: web.Request, fault: Fault, seconds: float) -> None:
        """At most until the fault ends, or the client has gone."""
        until = time.monotonic() + seconds
        while self._faults.has(fault) and request.transport is not None and time.monotonic() < until:  # noqa: ASYNC110 - time, too, ends a fault
            await asyncio.sleep(FAULT_POLL_INTERVAL)
