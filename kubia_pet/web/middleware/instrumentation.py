"""Instrumentation: each answer is counted and timed, and logged where that is asked for."""

import logging
from collections.abc import Callable

from aiohttp import web

from kubia_pet.metrics import Metrics
from kubia_pet.web.problem import NoRoomError, ProblemError
from kubia_pet.web.route import Route

log = logging.getLogger(__name__)
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}


class Instrumentation:
    """Counts answers by route template, method and status."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def refused(self, problem: ProblemError) -> None:
        """Counts a problem that is a want of room."""
        if isinstance(problem, NoRoomError):
            self._metrics.refused(problem.what)

    def counter(self, request: web.Request, route: Route, status: int) -> Callable[[float], None]:
        """Counts an answer to such a request, given in so many seconds."""
        method = request.method if request.method in _METHODS else "other"
        count = self._metrics.answers(route.path, method, status)
        if not log.isEnabledFor(logging.DEBUG):
            return count
        line = f"{request.method} {request.raw_path} {status}"

        def count_and_log(seconds: float) -> None:
            count(seconds)
            log.debug("%s %.1f ms", line, seconds * 1000)

        return count_and_log
