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

    def take_room(self, request: web.Request, size: int) -> None:
        """Takes room for an answer of so many bytes, which `send` gives back. Raises NoRoomError."""
        if not self._room.take(request.protocol, size):
            raise NoRoomError("answers", "Too many large answers at once: try again.")

    async def send(self, request: web.Request, response: web.Response) -> None:
        """Sends an answer for which there is room."""
        try:
            await response.prepare(request)
            await response.write_eof()
        except ConnectionError:
            pass  # the client is gone: nobody is left to tell
        finally:
            self._room.give_back(request.protocol)

    def _cut(self, connection: web.RequestHandler) -> None:
        self._metrics.cut()
        if connection.transport is not None:
            connection.transport.abort()
