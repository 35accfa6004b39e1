"""How a value comes in: whole or not at all, in time, and with a bound on all that are on their way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import HttpVersion11, web

from kubia_pet.aio.room import Room
from kubia_pet.limits import BODY_PATIENCE, MAX_BUFFERED_BODIES, SMALL_BODY_BYTES
from kubia_pet.web.connections import Connections
from kubia_pet.web.problem import TOO_MANY, NoRoomError, ProblemError


class BodyReader:
    """Receives bodies of at most `limit` bytes, each within `timeout` seconds.

    Small ones always have room. A larger one waits for its own when more than SMALL_BODY_BYTES of it have
    come; for it those make room that have taken longest, and over BODY_PATIENCE. A connection is not busy
    before its body is there.
    """

    def __init__(self, connections: Connections, *, limit: int, timeout: float) -> None:
        self._connections = connections
        self._limit = limit
        self._timeout = timeout
        self._room: Room[asyncio.Timeout] = Room(MAX_BUFFERED_BODIES * limit, BODY_PATIENCE, _end_now)

    @asynccontextmanager
    async def received(self, request: web.Request) -> AsyncIterator[bytes]:
        """The whole body, which counts as in memory until the exit. Raises ProblemError."""
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ProblemError(415, "Send the value as it is, without Content-Encoding.", close=True)
        self._require_within_limit(request.content_length or 0)
        self._connections.receive(request.protocol, request.content)
        if request.version == HttpVersion11 and request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        deadline = asyncio.timeout(self._timeout)
        try:
            body = await self._read(request, deadline)
            if not self._connections.has_room():
                raise NoRoomError("requests", TOO_MANY)
            self._connections.begin(request.protocol)
            yield body
        finally:
            self._room.give_back(deadline)

    async def _read(self, request: web.Request, deadline: asyncio.Timeout) -> bytes:
        began = asyncio.get_running_loop().time()
        try:
            async with deadline:
                pieces = [each async for each in self._pieces(request, deadline)]
                if self._connections.has_broken_off(request.protocol):
                    raise ConnectionResetError
                self._room.settle(deadline)
                return b"".join(pieces)
        except TimeoutError as error:
            if asyncio.get_running_loop().time() < began + self._timeout:
                sentence = f"The value did not arrive within {BODY_PATIENCE:g} s, and others want its room."
                raise NoRoomError("bodies", sentence, status=408) from error
            sentence = f"The value did not arrive whole within {self._timeout:g} s."
            raise ProblemError(408, sentence, close=True) from error
        except (web.RequestPayloadError, ConnectionError) as error:
            sentence = "The value broke off or is not framed as HTTP says."
            raise ProblemError(400, sentence, close=True) from error

    async def _pieces(self, request: web.Request, holder: asyncio.Timeout) -> AsyncIterator[bytes]:
        content, size, has_room = request.content, 0, False
        while not content.at_eof():
            piece = await (content.readany() if has_room else content.read(SMALL_BODY_BYTES + 1 - size))
            size += len(piece)
            self._require_within_limit(size)
            if size > SMALL_BODY_BYTES and not has_room:
                await self._room.wait(holder, request.content_length or self._limit)
                has_room = True
            yield piece

    def _require_within_limit(self, size: int) -> None:
        if size > self._limit:
            raise ProblemError(413, f"The value is over the limit of {self._limit} bytes.", close=True)


def _end_now(deadline: asyncio.Timeout) -> None:
    if not deadline.expired():
        deadline.reschedule(0)


async def expect_nothing(_: web.Request) -> None:
    """Leaves "100 Continue" to `received`: a body that is refused is not asked for."""
