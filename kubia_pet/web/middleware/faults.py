"""Faults of HTTP: what peers and probes meet while one is set."""

import asyncio

from aiohttp import web

from kubia_pet.limits import MAX_UNANSWERED_TIME, SLOW_ANSWER_TIME
from kubia_pet.model.fault import Fault, Faults
from kubia_pet.web.problem import Code, ProblemError
from kubia_pet.web.route import Handler, is_from_peer

HEADER = "Kubia-Pet-Fault"
_OF_DISK = (Fault.DISK_FULL, Fault.DISK_READ_ONLY, Fault.DISK_ERROR, Fault.DISK_SLOW, Fault.FORGET)
_OF_PEERS = (Fault.SLOW, Fault.UNREACHABLE)


class FaultInjection:
    """A middleware that is only there where faults may be set."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    @web.middleware
    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuses a probe, keeps a peer waiting, or does nothing."""
        for fault in self._touching(request):
            match fault:
                case Fault.NOT_READY | Fault.NOT_ALIVE:
                    raise ProblemError(503, f"The fault {fault} is set.", code=Code.ON_PURPOSE)
                case Fault.SLOW:
                    await self._wait(fault, SLOW_ANSWER_TIME)
                case Fault.UNREACHABLE:
                    await self._wait(fault, MAX_UNANSWERED_TIME)
                    if self._faults.has(fault) and request.transport is not None:
                        request.transport.abort()
                case _:
                    pass  # the volume has it
        return await handler(request)

    async def mark(self, request: web.Request, response: web.StreamResponse) -> None:
        """Names the faults that touch an answer in its header; a signal of aiohttp's."""
        if names := list(self._touching(request)):
            response.headers[HEADER] = ", ".join(names)

    def _touching(self, request: web.Request) -> list[Fault]:
        match request.path:
            case "/readyz":
                touching: tuple[Fault, ...] = (Fault.NOT_READY, *_OF_DISK)
            case "/healthz":
                touching = (Fault.NOT_ALIVE,)
            case "/" | "/data":
                touching = (*_OF_DISK, *_OF_PEERS) if is_from_peer(request) else _OF_DISK
            case _:
                touching = ()
        return [fault for fault in touching if self._faults.has(fault)]

    async def _wait(self, fault: Fault, seconds: float) -> None:
        """At most until the fault ends by itself."""
        await asyncio.sleep(min(seconds, self._faults.seconds_left(fault)))
