"""Large answers: how many bytes of them may wait for slow clients."""

from aiohttp import web

from kubia_pet.aio.room import Room
from kubia_pet.limits import MAX_SENDING_BYTES, SENDING_PATIENCE
from kubia_pet.metrics import Metrics
from kubia_pet.web.problem import NoRoomError


class LargeResponses:
    """Sends them, MAX_SENDING_BYTES at most at the same time; whoever takes too long is cut off."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._room: Room[web.RequestHandler] = Room(MAX_SENDING_BYTES, SENDING_PATIENCE, self._cut)

    async def send(self, request: web.Request, response: web.Response, size: int) -> web.Response:
        """What was sent: the response, whose body has `size` bytes, or a problem where there is no room."""
        if not self._room.take(request.protocol, size):
            self._metrics.refused("answers")
            return NoRoomError("answers", "Too many large answers at once: try again.").response(request)
        try:
            await response.prepare(request)
            await response.write_eof()
        except ConnectionError:
            pass  # the client is gone: nobody is left to tell
        finally:
            self._room.give_back(request.protocol)
        return response

    def _cut(self, connection: web.RequestHandler) -> None:
        self._metrics.cut()
        if connection.transport is not None:
            connection.transport.abort()
