"""The cluster as it changes, as Server-Sent Events."""

import socket
from contextlib import aclosing, suppress

from aiohttp import web
from aiohttp_sse import EventSourceResponse

from kubia_pet.limits import PING_INTERVAL, WATCHER_SEND_BYTES
from kubia_pet.web.events import Broadcaster
from kubia_pet.web.lifecycle import Lifecycle, State
from kubia_pet.web.problem import Code, NoRoomError, ProblemError
from kubia_pet.web.route import Route

_LATER = 5  # seconds


class EventHandlers:
    """Lets up to `most` clients watch at a time. Who does not read is cut after `patience` seconds."""

    def __init__(
        self, pod: str, broadcaster: Broadcaster, lifecycle: Lifecycle, *, most: int, patience: float
    ) -> None:
        self._pod = pod
        self._broadcaster = broadcaster
        self._lifecycle = lifecycle
        self._most = most
        self._patience = patience

    def routes(self) -> list[Route]:
        """Where it is. It has a bound of its own, so that it is not refused where requests are too many."""
        return [Route("GET", "/events", self.events, essential=True, stream=True)]

    async def events(self, request: web.Request) -> web.StreamResponse:
        """The state at the beginning and when it changes, until the client leaves or the pod ends."""
        if self._lifecycle.state >= State.DRAINING:
            raise ProblemError(
                503,
                f"Pod {self._pod} is ending.",
                code=Code.ENDING,
                headers={"Retry-After": f"{_LATER}"},
                close=True,
            )
        if len(self._broadcaster) >= self._most:
            sentence = f"{self._most} watch this pod already, which is the most it allows: try again later."
            raise NoRoomError("watchers", sentence, seconds=_LATER)
        _bound_send_buffer(request)
        stream = EventSourceResponse(sep="\n", ping_interval=PING_INTERVAL, send_timeout=self._patience)
        stream.force_close()
        stream.headers["Connection"] = "close"
        writer = await stream.prepare(request)
        if writer is None:
            raise ConnectionResetError
        with suppress(ConnectionError, TimeoutError):
            async with stream, aclosing(self._broadcaster.watch()) as events:
                async for event in events:
                    await stream.write(event.frame)
                    await writer.drain()  # one event at most waits for a client
        return stream


def _bound_send_buffer(request: web.Request) -> None:
    """Keeps the kernel from holding megabytes for who does not read."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, WATCHER_SEND_BYTES)
