"""How a value comes in: whole or not at all, in time, and with a bound on all that are on their way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import HttpVersion11, web

from kubia_pet.limits import MAX_BUFFERED_BODIES
from kubia_pet.web.problem import ProblemError


class BodyReader:
    """Receives bodies of at most `limit` bytes, each within `timeout` seconds."""

    def __init__(self, *, limit: int, timeout: float) -> None:
        self._limit = limit
        self._timeout = timeout
        self._room = MAX_BUFFERED_BODIES * limit

    @asynccontextmanager
    async def received(self, request: web.Request) -> AsyncIterator[bytes]:
        """The whole body, which counts as in memory until the exit. Raises ProblemError."""
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ProblemError(415, "Send the value as it is, without Content-Encoding.", close=True)
        self._require_within_limit(request.content_length or 0)
        if request.version == HttpVersion11 and request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        pieces: list[bytes] = []
        try:
            await self._read(request, pieces)
            pieces[:] = [b"".join(pieces)]
            yield pieces[0]
        finally:
            self._room += sum(map(len, pieces))

    async def _read(self, request: web.Request, pieces: list[bytes]) -> None:
        size = 0
        try:
            async with asyncio.timeout(self._timeout):
                async for piece in request.content.iter_any():
                    size += len(piece)
                    self._require_within_limit(size)
                    if len(piece) > self._room:
                        raise ProblemError(
                            503, "Too many values are being sent at once: try again.", close=True
                        )
                    self._room -= len(piece)
                    pieces.append(piece)
        except TimeoutError as error:
            sentence = f"The value did not arrive whole within {self._timeout:g} s."
            raise ProblemError(408, sentence, close=True) from error
        except (web.RequestPayloadError, ConnectionError) as error:
            sentence = "The value broke off or is not framed as HTTP says."
            raise ProblemError(400, sentence, close=True) from error

    def _require_within_limit(self, size: int) -> None:
        if size > self._limit:
            raise ProblemError(413, f"The value is over the limit of {self._limit} bytes.", close=True)


async def expect_nothing(_: web.Request) -> None:
    """Leaves "100 Continue" to `received`: a body that is refused is not asked for."""
