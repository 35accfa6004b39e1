"""Large answers: how many bytes of them may wait for slow clients."""

import asyncio

from aiohttp import web

from kubia_pet.limits import MAX_SENDING_BYTES, SENDING_PATIENCE
from kubia_pet.web.problem import RETRY, ProblemError


class LargeResponses:
    """Sends them, MAX_SENDING_BYTES at most at the same time; whoever takes too long is cut off."""

    def __init__(self) -> None:
        self._room = MAX_SENDING_BYTES
        self._taking: dict[web.RequestHandler, tuple[float, int]] = {}  # since when, how many bytes

    async def send(self, request: web.Request, response: web.Response, size: int) -> web.Response:
        """What was sent: the response, whose body has `size` bytes, or a problem where there is no room."""
        if not self._has_room(size):
            return ProblemError(
                503, "Too many large answers at once: try again.", headers=RETRY, close=True
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
        patient_since = asyncio.get_running_loop().time() - SENDING_PATIENCE
        for connection, (began, _) in list(self._taking.items()):
            if size <= self._room or began > patient_since:
                break
            self._took(connection)
            if connection.transport is not None:
                connection.transport.abort()
        return size <= self._room

    def _took(self, connection: web.RequestHandler) -> None:
        self._room += self._taking.pop(connection, (0, 0))[1]
