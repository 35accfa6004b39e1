"""Faults, set and ended by those who want to see what then happens."""

import asyncio
import logging
import os
import time

from aiohttp import web

from kubia_pet import logs
from kubia_pet.limits import DEFAULT_FAULT_TIME, MAX_FAULT_TIME
from kubia_pet.model.fault import DESCRIPTIONS, Fault, Faults
from kubia_pet.parameters import Duration
from kubia_pet.web.problem import ProblemError, json_response
from kubia_pet.web.route import Route

log = logging.getLogger(__name__)
_KILLED = 137  # what a shell and Kubernetes say of a process that SIGKILL ended
_GOODBYE = 0.1  # seconds for the answer to leave before nothing does any more


class FaultHandlers:
    """The routes below /faults; there are none without --faults."""

    def __init__(self, pod: str, faults: Faults) -> None:
        self._pod = pod
        self._faults = faults
        self._timers: dict[Fault, list[asyncio.TimerHandle]] = {}

    def routes(self) -> list[Route]:
        """Where they are. They answer when too many other requests do not, as probes do."""
        return [
            Route("GET", "/faults", self.show, essential=True),
            Route("DELETE", "/faults", self.end_all, essential=True, changes=True),
            Route("PUT", "/faults/{name}", self.set, essential=True, changes=True),
            Route("DELETE", "/faults/{name}", self.end, essential=True, changes=True),
        ]

    async def show(self, _: web.Request) -> web.Response:
        """Which there are, and which are set."""
        return self._state()

    async def set(self, request: web.Request) -> web.Response:
        """Sets one, for as long as `for` says. `crash` never answers."""
        fault, seconds = _named(request), _duration(request)
        log.warning(
            "The fault %s was set for %g s by %s: %s", fault, seconds, request.remote, DESCRIPTIONS[fault]
        )
        if fault is Fault.CRASH:
            logs.flush()
            os._exit(_KILLED)
        loop = asyncio.get_running_loop()
        self._stop_timers(fault)
        self._faults.set(fault, seconds)
        self._timers[fault] = [loop.call_later(seconds, self._end, fault)]
        if fault is Fault.HANG:
            self._timers[fault].append(loop.call_later(_GOODBYE, self._hang))
        return self._state()

    async def end(self, request: web.Request) -> web.Response:
        """Ends one; one that is not set is no error."""
        self._end(_named(request), request.remote)
        return self._state()

    async def end_all(self, request: web.Request) -> web.Response:
        """Ends all."""
        for fault in self._faults.active():
            self._end(fault, request.remote)
        return self._state()

    def _end(self, fault: Fault, client: str | None = None) -> None:
        if self._stop_timers(fault):
            self._faults.clear(fault)
            log.warning("The fault %s %s", fault, f"was ended by {client}" if client else "has ended")

    def _stop_timers(self, fault: Fault) -> bool:
        """Whether it was set."""
        timers = self._timers.pop(fault, [])
        for timer in timers:
            timer.cancel()
        return bool(timers)

    def _hang(self) -> None:
        time.sleep(self._faults.seconds_left(Fault.HANG))

    def _state(self) -> web.Response:
        active = [
            {"name": fault, "seconds_left": round(self._faults.seconds_left(fault), 1)}
            for fault in self._faults.active()
        ]
        available = [{"name": fault, "does": does} for fault, does in DESCRIPTIONS.items()]
        return json_response({"pod": self._pod, "active": active, "available": available})


def _named(request: web.Request) -> Fault:
    try:
        return Fault(request.match_info["name"])
    except ValueError as error:
        raise ProblemError(404, f"There is no such fault: there are {', '.join(Fault)}.") from error


def _duration(request: web.Request) -> float:
    text = request.query.get("for", f"{DEFAULT_FAULT_TIME:g}s")
    seconds = Duration.parsed(text)
    if seconds is None or not 0 < seconds <= MAX_FAULT_TIME:
        raise ProblemError(400, f"`for` is a time as in 30s, over 0 and up to {MAX_FAULT_TIME / 60:g}m.")
    return seconds
